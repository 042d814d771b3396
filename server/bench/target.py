"""The server that is measured: one started for it, or one that runs."""

import asyncio
from dataclasses import dataclass
from typing import Any

import httpx

from models.errors import VisavisError
from models.shapes import FloatArray
from server.bench.usage import Buckets, ProcessUsage, processes_of, read_stages


class BenchError(VisavisError):
    """The server cannot be measured."""

    code = "bench_failed"


@dataclass(frozen=True, slots=True)
class Target:
    """A server and what its sessions are asked for."""

    client: httpx.AsyncClient
    process_id: int | None  # of a server on this machine that the bench has started
    session: dict[str, Any]  # body of POST /v1/sessions
    wave: FloatArray  # [n] at 48 kHz: what is said
    audio: bytes  # the same as a sound file

    async def open_session(self, **changes: Any) -> dict[str, Any]:
        """A new session's JSON. Raises BenchError with the server's own words."""
        answer = await self.client.post("/v1/sessions", json={**self.session, **changes})
        if answer.is_error:
            raise BenchError(f"no session: {answer.status_code} {answer.text[:300]}")
        created: dict[str, Any] = answer.json()
        return created

    async def end_session(self, created: dict[str, Any]) -> None:
        """Give the place back."""
        await self.client.delete(f"/v1/sessions/{created['id']}")

    async def figures(self, created: dict[str, Any]) -> dict[str, Any]:
        """The session's ``stats``. Raises BenchError when the server has ended it meanwhile."""
        answer = await self.client.get(f"/v1/sessions/{created['id']}")
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise BenchError("a session ended before it was measured; the server's log says why")
        stats: dict[str, Any] = answer.raise_for_status().json()["stats"]
        return stats

    async def stages(self) -> Buckets:
        """The server's histograms so far."""
        return read_stages((await self.client.get("/metrics")).raise_for_status().text)

    async def processes(self) -> dict[str, ProcessUsage]:
        """Nothing for a server that somebody else runs."""
        if self.process_id is None:
            return {}
        return await asyncio.to_thread(processes_of, self.process_id)
