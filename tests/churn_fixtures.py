"""Sessions by the hundred: started, connected, spoken to, and ended in different ways."""

import asyncio
import contextlib
import itertools
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import httpx
from aiortc import RTCPeerConnection
from websockets.asyncio.client import ClientConnection, connect

from tests.fault_fixtures import until
from tests.server_fixtures import Watcher, tone, watching
from tests.test_server_api import wav_bytes

AT_ONCE = 8
CONNECTED_EVERY = 4  # this many sessions have one that is watched over WebRTC
UNCONNECTED_S = 5.0  # how long a session lasts that nobody watches or ends
SPEECH = wav_bytes(tone(0.3))
STREAMED = tone(0.3, rate_hz=16_000).astype("<i2").tobytes()


class Ending(Enum):
    """How a client leaves."""

    DELETES = "deletes the session"
    VANISHES = "its sockets are gone without a goodbye"
    DROPS = "drops the event stream and deletes the session"
    CLOSES = "closes the event stream and its connection; nobody ends the session"


@dataclass(frozen=True)
class Usage:
    """What a process holds."""

    threads: int
    open_files: int
    resident_mib: float

    @classmethod
    def of(cls, process_id: int) -> "Usage":
        process = Path(f"/proc/{process_id}")
        status = dict(
            line.split(":", 1) for line in (process / "status").read_text().splitlines() if line
        )
        return cls(
            threads=int(status["Threads"]),
            open_files=len(list((process / "fd").iterdir())),
            resident_mib=int(status["VmRSS"].split()[0]) / 1024,
        )


class Churn:
    """Runs sessions against a server; ``count`` at a time, ``AT_ONCE`` of them side by side."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._numbers = itertools.count()

    async def run(self, count: int) -> None:
        """Raises what goes wrong in any of them."""
        numbers = list(itertools.islice(self._numbers, count))
        places = asyncio.Semaphore(AT_ONCE)
        async with httpx.AsyncClient(base_url=self._url, timeout=30) as client:

            async def one(number: int) -> None:
                async with places:
                    await self._live(client, number)

            async with asyncio.TaskGroup() as group:
                for number in numbers:
                    group.create_task(one(number))
            await self._until_all_ended(client)

    async def _until_all_ended(self, client: httpx.AsyncClient) -> None:
        ended = asyncio.Event()

        async def look() -> None:
            while (await client.get("/v1/sessions")).json()["sessions"]:
                await asyncio.sleep(0.1)
            ended.set()

        looking = asyncio.create_task(look())
        await until(ended.is_set, "every session ended")
        await looking

    async def _live(self, client: httpx.AsyncClient, number: int) -> None:
        ending = list(Ending)[number // CONNECTED_EVERY % len(Ending)]
        connects = number % CONNECTED_EVERY == 0
        session = await _started(client, None if connects else UNCONNECTED_S)
        stream = self._url.replace("http", "ws", 1) + session["urls"]["stream"]
        async with contextlib.AsyncExitStack() as stack:
            socket = await stack.enter_async_context(connect(stream, ping_interval=None))
            watcher = None
            if connects:
                watcher = await stack.enter_async_context(watching(client, session))
                await watcher.until(pictures=2)
            await _speak(client, session, socket, number)
            await _end(client, session, socket, watcher, ending)


async def _started(client: httpx.AsyncClient, idle_timeout_s: float | None) -> dict[str, Any]:
    """A session, as soon as there is a place."""
    body = {"avatar_id": "anna", "idle_timeout_s": idle_timeout_s}
    while True:
        answer = await client.post("/v1/sessions", json=body)
        if answer.status_code == 201:
            session: dict[str, Any] = answer.json()
            return session
        assert answer.json()["code"] == "at_capacity", answer.text
        await asyncio.sleep(0.2)


async def _speak(
    client: httpx.AsyncClient, session: dict[str, Any], socket: ClientConnection, number: int
) -> None:
    if number % 2:
        files = {"audio": ("tone.wav", SPEECH)}
        answer = await client.post(f"/v1/sessions/{session['id']}/speech", files=files)
        assert answer.status_code == 202, answer.text
        return
    await socket.send('{"type": "speech.start", "sample_rate": 16000}')
    await socket.send(STREAMED)  # left open: who ends the stream ends the speech


async def _end(
    client: httpx.AsyncClient,
    session: dict[str, Any],
    socket: ClientConnection,
    watcher: Watcher | None,
    ending: Ending,
) -> None:
    if ending in (Ending.DROPS, Ending.VANISHES):
        socket.transport.abort()
    if ending is Ending.VANISHES and watcher is not None:
        vanish(watcher.connection)
    if ending in (Ending.DELETES, Ending.DROPS):
        answer = await client.delete(f"/v1/sessions/{session['id']}")
        assert answer.status_code == 204, answer.text


def vanish(connection: RTCPeerConnection) -> None:
    """Its sockets are gone, and nobody says goodbye: the network's cable is pulled."""
    for transceiver in connection.getTransceivers():
        ice = transceiver.sender.transport.transport._connection
        for protocol in ice._protocols:
            protocol.transport.abort()
