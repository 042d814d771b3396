"""How a server is asked to stop: by one signal gently, by another one at once."""

import asyncio
import signal
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager

import structlog

log = structlog.get_logger(__name__)


class StopRequest:
    """``gently``: sessions may come to their end. ``at_once``: nothing is waited for."""

    def __init__(self) -> None:
        self.gently = asyncio.Event()
        self.at_once = asyncio.Event()

    @contextmanager
    def heard_from_signals(self) -> Iterator[None]:
        """The first SIGTERM asks gently; a second one, and SIGINT (Ctrl-C), at once."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._terminate)
        loop.add_signal_handler(signal.SIGINT, self._interrupt)
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGTERM)
            loop.remove_signal_handler(signal.SIGINT)

    async def unless_at_once(self, work: Awaitable[None]) -> None:
        """Do the work; leave it as soon as the stop must be at once."""
        working = asyncio.ensure_future(work)
        hurried = asyncio.ensure_future(self.at_once.wait())
        try:
            await asyncio.wait({working, hurried}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (working, hurried):
                task.cancel()
            await asyncio.gather(working, hurried, return_exceptions=True)

    def _terminate(self) -> None:
        if self.gently.is_set():
            self._interrupt()
        else:
            log.info("server_draining")
            self.gently.set()

    def _interrupt(self) -> None:
        log.info("server_stopping")
        self.gently.set()
        self.at_once.set()
