"""A whole server around the fake engine, in a thread of the test process, and peers for it."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import uvicorn
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av import AudioFrame, VideoFrame

from models.shapes import PcmArray
from server.api.http_limits import http_config
from server.app import create_app
from server.config.security import Rates, Security
from server.config.settings import Limits, Settings
from server.config.speech import SpeechSettings
from server.config.storage import StorageSettings
from tests.fake_engine import write_config

READY_LIMIT_S = 120.0
STOP_LIMIT_S = 30.0
KEY = "a-key-for-tests"
UNLIMITED = Rates(
    requests_per_minute=0, sessions_per_minute=0, uploads_per_minute=0, wrong_keys_per_minute=0
)


@dataclass(frozen=True)
class FakeServer:
    """Where it listens; ``app.state.context`` has its parts, for looking only."""

    url: str
    app: Any
    loop: asyncio.AbstractEventLoop

    def client(self, key: str = KEY) -> httpx.AsyncClient:
        """An API client with a key."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx.AsyncClient(base_url=self.url, headers=headers, timeout=30)


def make_settings(folder: Path, **changes: Any) -> Settings:
    """Settings around the fake engine."""
    values: dict[str, Any] = {
        "engine": str(write_config(folder)),
        "port": 0,
        "api_keys": [KEY],
        "storage": StorageSettings(folder=folder / "storage"),
        "limits": Limits(max_sessions=3, lost_client_grace_s=0.5, max_uploaded_avatars=3),
        "security": Security(rates=UNLIMITED),
        "speech": SpeechSettings(preload=False),
    }
    return Settings(**(values | changes))


@contextlib.contextmanager
def run_fake_server(settings: Settings) -> Iterator[FakeServer]:
    """Start, wait until the engine is ready, stop."""
    app = create_app(settings)
    config = http_config(app)
    config.port = 0
    server = uvicorn.Server(config)
    # a server that does not stop must fail its test, not keep the whole run from ending
    thread = threading.Thread(target=server.run, name="fake-server", daemon=True)
    thread.start()
    try:
        pause = threading.Event()
        for _ in range(int(READY_LIMIT_S / 0.05)):
            if server.started and app.state.context.pool.client.ready:
                break
            pause.wait(0.05)
        else:
            pytest.fail("the fake server did not get ready")
        port = server.servers[0].sockets[0].getsockname()[1]
        yield FakeServer(f"http://127.0.0.1:{port}", app, server.servers[0].get_loop())
    finally:
        server.should_exit = True
        thread.join(timeout=STOP_LIMIT_S)
        if thread.is_alive():
            pytest.fail(f"the server did not stop: {_waiting_tasks(server)}")


def _waiting_tasks(server: uvicorn.Server) -> str:
    loop = server.servers[0].get_loop()
    return "\n".join(str(task) for task in asyncio.all_tasks(loop))


@pytest.fixture(scope="session")
def fake_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeServer]:
    """One server for all tests that leave it as they found it."""
    with run_fake_server(make_settings(tmp_path_factory.mktemp("engine"))) as server:
        yield server


@contextlib.asynccontextmanager
async def started_session(
    server: FakeServer, **body: Any
) -> AsyncIterator[tuple[httpx.AsyncClient, dict[str, Any]]]:
    """A session of its own, ended afterwards."""
    async with server.client() as client:
        answer = await client.post("/v1/sessions", json={"avatar_id": "anna"} | body)
        assert answer.status_code == 201, answer.text
        session = answer.json()
        try:
            yield client, session
        finally:
            await client.delete(f"/v1/sessions/{session['id']}")


@dataclass
class Watcher:
    """An aiortc client that keeps what it receives."""

    connection: RTCPeerConnection
    pictures: list[VideoFrame] = field(default_factory=list)
    sounds: list[AudioFrame] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    tasks: list["asyncio.Task[None]"] = field(default_factory=list)

    def take(self, track: MediaStreamTrack) -> None:
        """Read a received track to its end."""
        self.tasks.append(asyncio.get_running_loop().create_task(self._read(track)))

    async def _read(self, track: MediaStreamTrack) -> None:
        kept: list[Any] = self.pictures if track.kind == "video" else self.sounds
        with contextlib.suppress(MediaStreamError):
            while True:
                kept.append(await track.recv())
                self.news.set()

    async def close(self) -> None:
        """Hang up."""
        await self.connection.close()
        for task in self.tasks:
            task.cancel()  # tracks that never got anything do not end by themselves
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def until(self, pictures: int, limit_s: float = 30.0) -> None:
        """Wait for so many pictures."""
        async with asyncio.timeout(limit_s):
            while len(self.pictures) < pictures:
                self.news.clear()
                await self.news.wait()


@contextlib.asynccontextmanager
async def watching(
    client: httpx.AsyncClient, session: dict[str, Any], microphone: MediaStreamTrack | None = None
) -> AsyncIterator[Watcher]:
    """Connect to a session, with a microphone or without."""
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    watcher = Watcher(connection)
    connection.on("track", watcher.take)
    connection.addTransceiver("video", direction="recvonly")
    if microphone is None:
        connection.addTransceiver("audio", direction="recvonly")
    else:
        connection.addTrack(microphone)
    await connection.setLocalDescription(await connection.createOffer())
    offer = {"sdp": connection.localDescription.sdp, "type": "offer"}
    answer = await client.post(session["urls"]["offer"], json=offer)
    assert answer.status_code == 200, answer.text
    description = RTCSessionDescription(answer.json()["sdp"], "answer")
    await connection.setRemoteDescription(description)
    try:
        yield watcher
    finally:
        await watcher.close()


def tone(seconds: float, level: float = 0.3, rate_hz: int = 48_000) -> PcmArray:
    """A 440 Hz tone [n] int16."""
    time_s = np.arange(int(seconds * rate_hz)) / rate_hz
    wave: PcmArray = (level * 32767 * np.sin(2 * np.pi * 440 * time_s)).astype(np.int16)
    return wave
