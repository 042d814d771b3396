"""An event loop whose clock jumps to the next thing to do, so that seconds pass in no time."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any


class _JumpingSelector(selectors.DefaultSelector):
    """Waits for nobody: what it was asked to wait is added to the clock."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        if not events and timeout:
            self.now += timeout
        return events


class VirtualLoop(asyncio.SelectorEventLoop):
    """``time`` is virtual; ``stall`` is a step that blocks the loop for a while."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now

    def stall(self, seconds: float) -> None:
        self._jumping.now += seconds


def run_virtually(work: Coroutine[Any, Any, None], loop: VirtualLoop) -> None:
    """Run to the end."""
    try:
        loop.run_until_complete(work)
    finally:
        loop.close()
