"""The server process is told to stop, or killed: what clients hear, and what is left behind."""

import asyncio
import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from server.bench.server_process import ServerProcess, running_server
from tests.fake_engine import write_config
from tests.fault_fixtures import listening, until

SHARED_MEMORY = Path("/dev/shm")


@dataclass(frozen=True)
class Traces:
    """What a server process has outside of itself."""

    children: list[int]
    shared_memory: list[Path]
    temporary: Path

    @classmethod
    def of(cls, server: ServerProcess, temporary: Path) -> "Traces":
        process = Path(f"/proc/{server.process.pid}")
        children = [
            int(child)
            for task in process.glob("task/*/children")
            for child in task.read_text().split()
        ]
        maps = (process / "maps").read_text()
        names = set(re.findall(rf"{SHARED_MEMORY}/(\S+)", maps))
        return cls(children, [SHARED_MEMORY / name for name in names], temporary)

    def left(self) -> list[str]:
        """What is still there."""
        alive = [f"process {child}" for child in self.children if _runs(child)]
        files = [*self.shared_memory, *self.temporary.glob("[!.]*")]  # ONNX Runtime leaves a .ses
        return [*alive, *(str(file) for file in files if file.exists())]


def _runs(process_id: int) -> bool:
    try:
        state = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@contextmanager
def a_server(folder: Path, drain_s: float) -> Iterator[tuple[ServerProcess, Traces]]:
    """A server around the fake engine, in a process of its own."""
    temporary = folder / "temporary"
    temporary.mkdir()
    with running_server(
        folder,
        VISAVIS_ENGINE=str(write_config(folder)),
        VISAVIS_LIMITS__DRAIN_S=str(drain_s),
        VISAVIS_STUDIO="on",
        TMPDIR=str(temporary),
    ) as server:
        traces = Traces.of(server, temporary)
        assert len(traces.children) >= 2  # the worker, and who looks after shared memory
        assert len(traces.shared_memory) == 1
        yield server, traces


async def new_session(client: httpx.AsyncClient) -> dict[str, Any]:
    answer = await client.post("/v1/sessions", json={"avatar_id": "anna"})
    assert answer.status_code == 201, answer.text
    session: dict[str, Any] = answer.json()
    return session


async def ended(server: ServerProcess, traces: Traces, limit_s: float = 20.0) -> int:
    """The exit code, once nothing is left of the server."""
    await until(lambda: server.process.poll() is not None, "the process ended", limit_s)
    await until(lambda: not traces.left(), f"nothing left of {traces.left()}", limit_s)
    return int(server.process.returncode)


async def test_sigterm_lets_sessions_come_to_their_end(tmp_path: Path) -> None:
    with a_server(tmp_path, drain_s=60) as (server, traces):
        async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
            session = await new_session(client)
            async with listening(server.url, session) as listener:
                await listener.until("session.ready")
                server.process.send_signal(signal.SIGTERM)
                warning = await listener.until("error")
                assert warning["code"] == "draining"
                assert "60 seconds" in warning["message"]

                refused = await client.post("/v1/sessions", json={"avatar_id": "anna"})
                assert (refused.status_code, refused.json()["code"]) == (503, "draining")
                assert int(refused.headers["Retry-After"]) > 0
                ready = await client.get("/readyz")
                assert (ready.status_code, ready.json()["code"]) == (503, "draining")
                assert (await client.get("/livez")).status_code == 200

                await listener.until("stats", len(listener.heard("stats")) + 2)
                await client.delete(f"/v1/sessions/{session['id']}")
                assert (await listener.until("session.ended"))["reason"] == "deleted"
        assert await ended(server, traces) == 0


async def test_a_drain_has_an_end(tmp_path: Path) -> None:
    with a_server(tmp_path, drain_s=0.5) as (server, traces):
        async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
            session = await new_session(client)
            async with listening(server.url, session) as listener:
                await listener.until("session.ready")
                server.process.send_signal(signal.SIGTERM)
                assert (await listener.until("session.ended"))["reason"] == "server_stopping"
                await until(lambda: listener.close_code == 1000, "the stream closed")
        assert await ended(server, traces) == 0


async def test_a_second_sigterm_ends_a_drain_at_once(tmp_path: Path) -> None:
    with a_server(tmp_path, drain_s=600) as (server, traces):
        async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
            session = await new_session(client)
            async with listening(server.url, session) as listener:
                await listener.until("session.ready")
                os.kill(traces.children[0], signal.SIGTERM)  # service managers signal every process
                server.process.send_signal(signal.SIGTERM)
                await listener.until("error")
                await asyncio.sleep(0.5)
                assert not listener.heard("session.ended")
                server.process.send_signal(signal.SIGTERM)
                assert (await listener.until("session.ended"))["reason"] == "server_stopping"
                assert listener.codes() == ["draining"]  # the engine was there to the end
        assert await ended(server, traces) == 0


async def test_a_killed_server_leaves_nothing_behind(tmp_path: Path) -> None:
    with a_server(tmp_path, drain_s=0) as (server, traces):
        async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
            await new_session(client)
        os.kill(server.process.pid, signal.SIGKILL)
        assert (
            await ended(server, Traces(traces.children, traces.shared_memory, tmp_path / "x")) < 0
        )
