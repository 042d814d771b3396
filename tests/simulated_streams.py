"""Streams that put work off, and do it in any order that their events allow.

What a GPU may do with the queues of ``liveportrait.runtime.streams`` is done here at random:
nothing that was queued happens before somebody waits or asks, one stream may run far ahead of the
other, and memory is read and written at the moment of the work, not of the call. Code that forgot
a dependency then gives wrong pictures for some seed.
"""

import random
from collections import deque
from collections.abc import Callable

import torch
from torch import Tensor

from liveportrait.runtime.streams import Event, Work


class SimulatedEvent:
    """Passed when its stream has come to it."""

    def __init__(self, streams: "SimulatedStreams") -> None:
        self._streams = streams
        self.passed = False

    def done(self) -> bool:
        self._streams.advance(self._streams.random.randrange(3))
        return self.passed

    def wait(self) -> None:
        self._streams.advance_until(lambda: self.passed)


class SimulatedStream:
    """A queue of work, events to pass and events to wait for."""

    def __init__(self, streams: "SimulatedStreams", name: str) -> None:
        self._streams = streams
        self.name = name
        self.queue: deque[tuple[str, Work | SimulatedEvent]] = deque()

    def run(self, work: Work) -> None:
        self.queue.append(("work", work))

    def record(self) -> Event:
        event = SimulatedEvent(self._streams)
        self.queue.append(("record", event))
        return event

    def wait_for(self, event: Event) -> None:
        assert isinstance(event, SimulatedEvent)
        if self.name not in self._streams.forgetful:
            self.queue.append(("wait", event))

    def step(self) -> bool:
        """Do the head of the queue; False when it is empty or must wait."""
        if not self.queue:
            return False
        kind, item = self.queue[0]
        if isinstance(item, SimulatedEvent):
            if kind == "wait" and not item.passed:
                return False
            item.passed = True
            self.queue.popleft()
        else:
            self.queue.popleft()
            self._streams.log.append(self.name)
            item()
        return True


class SimulatedStreams:
    """``DeviceStreams`` of a seed. The ``forgetful`` streams wait for nothing."""

    def __init__(self, seed: int, forgetful: tuple[str, ...] = ()) -> None:
        self.device = torch.device("cpu")
        self.random = random.Random(seed)
        self.forgetful = forgetful
        self.log: list[str] = []  # stream of each piece of work, as it was done
        self.compute = SimulatedStream(self, "compute")
        self.copy = SimulatedStream(self, "copy")

    def host_buffer(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        return torch.zeros(shape, dtype=dtype)

    def synchronize(self) -> None:
        self.advance_until(lambda: not self.compute.queue and not self.copy.queue)

    def advance(self, steps: int) -> bool:
        """Do so many steps, of either stream at random; False when both are stuck."""
        for _ in range(steps):
            first, second = self.random.sample([self.compute, self.copy], 2)
            if not first.step() and not second.step():
                return False
        return True

    def advance_until(self, condition: Callable[[], bool]) -> None:
        """Raises RuntimeError when the streams wait for each other."""
        while not condition():
            if not self.advance(1) and not condition():
                raise RuntimeError("deadlock: no stream can go on")
