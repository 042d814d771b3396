"""Faults of the engine worker, as clients of the real server see them."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from server.config.settings import Limits
from server.engine.pool import FAILURES
from tests.fault_fixtures import listening, switched_on, until
from tests.faulty_engine import NO_MEMORY_TO_RENDER, POOR_SIZE_PX, write_config
from tests.server_fixtures import (
    FakeServer,
    make_settings,
    run_fake_server,
    started_session,
    tone,
    watching,
)
from tests.test_server_api import wav_bytes

SILENCE_LIMIT_S = 2.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files in it are faults of the engine."""
    return tmp_path_factory.mktemp("faulty")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[FakeServer]:
    engine = write_config(folder, silence_limit_s=SILENCE_LIMIT_S)
    settings = make_settings(folder, engine=str(engine), limits=Limits(max_sessions=3))
    with run_fake_server(settings) as running:
        yield running


def client_of(server: FakeServer) -> Any:
    """The server's engine client, to look at and to find the worker."""
    return server.app.state.context.pool.client


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP], ids=["crash", "hang"])
async def test_a_session_outlives_its_engine(server: FakeServer, fault: signal.Signals) -> None:
    engine = client_of(server)
    await until(lambda: engine.ready, "an engine")
    async with (
        started_session(server) as (client, session),
        listening(server.url, session) as listener,
        watching(client, session) as watcher,
    ):
        await watcher.until(pictures=5)
        files = {"audio": ("long.wav", wav_bytes(tone(30.0)))}
        await client.post(f"/v1/sessions/{session['id']}/speech", files=files)
        await listener.until("speech.started")
        worker = engine.process_id
        os.kill(worker, fault)
        await until(lambda: not engine.ready, "the engine's death noticed")

        # in between: refusals that say when to try again
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()["code"]) == (503, "engine_starting")
        refused = await client.post("/v1/sessions", json={"avatar_id": "bruno"})
        assert (refused.status_code, refused.json()["code"]) == (503, "engine_starting")
        assert int(refused.headers["Retry-After"]) > 0
        assert (await listener.until("error"))["code"] == "engine_restarted"

        # afterwards: another worker, the same session; speech and pictures go on
        await until(lambda: engine.ready, "a new engine")
        assert engine.process_id != worker
        await watcher.until(pictures=len(watcher.pictures) + 25)
        described = (await client.get(f"/v1/sessions/{session['id']}")).json()
        assert described["state"] == "speaking"
        assert not listener.heard("speech.ended")
        assert listener.codes() == ["engine_restarted"]
        async with started_session(server, avatar_id="bruno") as (_, another):
            assert another["state"] == "idle"


async def test_a_session_without_memory_ends_and_the_others_go_on(
    server: FakeServer, folder: Path
) -> None:
    engine = client_of(server)
    await until(lambda: engine.ready, "an engine")
    worker = engine.process_id
    with switched_on(folder / NO_MEMORY_TO_RENDER):
        async with (
            started_session(server) as (client, healthy),
            listening(server.url, healthy) as healthy_listener,
            watching(client, healthy) as watcher,
            started_session(server, output={"size": POOR_SIZE_PX}) as (_, poor),
            listening(server.url, poor) as listener,
            watching(client, poor),
        ):
            ended = await listener.until("session.ended")
            assert ended["reason"] == "engine_error"
            assert 1 <= listener.codes().count("engine_restarted") <= FAILURES
            assert listener.codes()[-1] == "engine_error"
            await until(lambda: listener.close_code == 1000, "the stream closed")
            gone = await client.get(f"/v1/sessions/{poor['id']}")
            assert gone.json()["code"] == "not_found"
            await watcher.until(pictures=len(watcher.pictures) + 25)
            assert not healthy_listener.codes()
    assert engine.process_id == worker
