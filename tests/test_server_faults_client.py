"""Clients that vanish, are killed, or do not read."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.asyncio.client import connect

from server.config.settings import Limits
from server.sessions.events import QUEUED_EVENTS
from tests.churn_fixtures import vanish
from tests.fault_fixtures import listening, until
from tests.server_fixtures import (
    FakeServer,
    make_settings,
    run_fake_server,
    started_session,
    tone,
    watching,
)

GRACE_S = 0.5
KILLED_CLIENT = """
import asyncio, sys
from websockets.asyncio.client import connect

async def main():
    async with connect(sys.argv[1]) as socket:
        await socket.send('{"type": "speech.start", "sample_rate": 16000}')
        print("open", flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeServer]:
    folder = tmp_path_factory.mktemp("clients")
    limits = Limits(max_sessions=3, lost_client_grace_s=GRACE_S)
    with run_fake_server(make_settings(folder, limits=limits)) as running:
        yield running


def stream_of(server: FakeServer, session: dict[str, Any]) -> str:
    url: str = server.url.replace("http", "ws", 1) + session["urls"]["stream"]
    return url


async def test_a_client_whose_cable_is_pulled(server: FakeServer) -> None:
    context = server.app.state.context
    async with (
        started_session(server) as (client, session),
        listening(server.url, session) as listener,
        watching(client, session) as watcher,
    ):
        await watcher.until(pictures=5)
        vanish(watcher.connection)
        assert (await listener.until("session.ended"))["reason"] == "client_lost"
        answer = await client.get(f"/v1/sessions/{session['id']}")
        assert answer.json()["code"] == "not_found"
        await until(lambda: len(context.pool._free_lanes) == 3, "its place free again")
        assert not context.pool._links


async def test_a_killed_reader_ends_its_speech_and_not_the_session(server: FakeServer) -> None:
    async with started_session(server) as (client, session):
        live = server.app.state.context.sessions.get(session["id"])
        reader = subprocess.Popen(
            [sys.executable, "-c", KILLED_CLIENT, stream_of(server, session)],
            stdout=subprocess.PIPE,
        )
        assert reader.stdout is not None
        await asyncio.to_thread(reader.stdout.readline)
        await until(lambda: len(live.session.voice.queue) == 1, "an open speech")
        reader.send_signal(signal.SIGKILL)
        await until(lambda: live.session.events.listeners == 0, "nobody listens")
        await until(lambda: all(s.closed for s in live.session.voice.queue), "the speech closed")
        reader.wait()
        reader.stdout.close()
        assert (await client.get(f"/v1/sessions/{session['id']}")).status_code == 200


async def test_who_does_not_read_is_cut_off_and_the_others_are_not_delayed(
    server: FakeServer,
) -> None:
    async with (
        started_session(server) as (_, session),
        listening(server.url, session) as listener,
        connect(stream_of(server, session), max_queue=1, ping_interval=None) as deaf,
    ):
        live = server.app.state.context.sessions.get(session["id"])
        await until(lambda: live.session.events.listeners == 2, "both listen")
        ping = json.dumps({"type": "ping"})
        for _ in range(400):
            await asyncio.gather(*(deaf.send(ping) for _ in range(QUEUED_EVENTS)))
            if live.session.events.listeners == 1:
                break
        await until(lambda: live.session.events.listeners == 1, "the deaf one cut off")
        await listener.tell("ping")
        await listener.until("pong", limit_s=5.0)
        await listener.tell("speech.start", sample_rate=16_000)
        await listener.socket.send(tone(0.2, rate_hz=16_000).astype("<i2").tobytes())
        assert not listener.codes()
