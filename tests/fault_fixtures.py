"""What the tests of faults share: listeners that keep every event, faults, waiting."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

LIMIT_S = 40.0
_STEP_S = 0.01


async def until(true: Callable[[], bool], what: str, limit_s: float = LIMIT_S) -> None:
    """Wait until something is so. Raises AssertionError, which says what was not."""
    try:
        async with asyncio.timeout(limit_s):
            while not true():
                await asyncio.sleep(_STEP_S)
    except TimeoutError:
        raise AssertionError(f"not within {limit_s:g} s: {what}") from None


@contextmanager
def switched_on(fault: Path) -> Iterator[None]:
    """A fault of tests/faulty_engine.py, for a while."""
    fault.touch()
    try:
        yield
    finally:
        fault.unlink()


@dataclass
class Listener:
    """An open event stream; ``events`` keeps all that came, ``close_code`` how it ended."""

    socket: ClientConnection
    events: list[dict[str, Any]] = field(default_factory=list)
    close_code: int | None = None

    async def read(self) -> None:
        """To the end of the stream."""
        try:
            while True:
                self.events.append(json.loads(await self.socket.recv()))
        except ConnectionClosed as closed:
            self.close_code = closed.rcvd.code if closed.rcvd else 1006

    async def tell(self, kind: str, **fields: object) -> None:
        """Send an event."""
        await self.socket.send(json.dumps({"type": kind, **fields}))

    def heard(self, kind: str) -> list[dict[str, Any]]:
        """All events of a kind so far."""
        return [event for event in self.events if event["type"] == kind]

    def codes(self) -> list[str]:
        """The codes of all errors so far."""
        return [event["code"] for event in self.heard("error")]

    async def until(self, kind: str, count: int = 1, limit_s: float = LIMIT_S) -> dict[str, Any]:
        """The ``count``-th event of a kind, waited for."""
        await until(lambda: len(self.heard(kind)) >= count, f"event {kind}", limit_s)
        return self.heard(kind)[count - 1]


@asynccontextmanager
async def listening(url: str, session: dict[str, Any]) -> AsyncIterator[Listener]:
    """A session's event stream at the server ``url``."""
    async with connect(url.replace("http", "ws", 1) + session["urls"]["stream"]) as socket:
        listener = Listener(socket)
        reading = asyncio.create_task(listener.read())
        try:
            yield listener
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            with contextlib.suppress(ConnectionClosed):
                await socket.close()
