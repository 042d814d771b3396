"""Motion made in a thread beside the drawing: the same pictures, and nobody waits for it."""

import threading
from collections.abc import Iterator
from multiprocessing import Pipe
from typing import Any

import numpy as np
import pytest

from models.motion import Motion
from models.shapes import FloatArray
from server.engine.config import Engine, Mode, MotionLevels
from server.engine.frame_ring import FrameRing
from server.engine.messages import (
    CloseSession,
    FeedSession,
    FramesReady,
    OpenSession,
    Reply,
    RewindSession,
    SessionFailed,
)
from server.engine.worker import EngineWorker
from tests.fake_engine import FakeGenerator, FakePortrait, FakeRenderer, FakeStream

PATIENCE_S = 10.0
WORD = np.full(640 * 20, 0.1, np.float32)


class HeldStream(FakeStream):
    """Waits in the middle of a step until the test lets it go."""

    def __init__(self, mode: Mode, controls: MotionLevels, gate: "Gate") -> None:
        super().__init__(mode, controls)
        self._gate = gate

    def push(self, samples: FloatArray) -> Motion:
        self._gate.threads.add(threading.current_thread().name)
        self._gate.entered.set()
        assert self._gate.open.wait(PATIENCE_S)
        if self._gate.broken:
            raise MemoryError("no room for this step")
        return super().push(samples)


class Gate(FakeGenerator):
    """Starts held streams; open at first."""

    def __init__(self) -> None:
        self.open, self.entered = threading.Event(), threading.Event()
        self.open.set()
        self.broken = False
        self.threads: set[str] = set()

    def start(self, *, mode: Mode, seed: int, controls: Any) -> HeldStream:
        del seed
        return HeldStream(mode, controls, self)


class Bench:
    """A worker of a CPU engine, worked by hand."""

    def __init__(self, gate: Gate, device: str) -> None:
        self._ours, theirs = Pipe()
        self.ring = FrameRing(2)
        engine = Engine(device, gate, FakeRenderer(), lambda levels: levels)
        self.worker = EngineWorker(engine, self.ring, theirs, 8)
        self.worker._portraits["anna"] = FakePortrait()
        self.replies: list[Reply] = []

    def open(self, name: str, lane: int) -> None:
        self.worker._handle(OpenSession(name, "anna", lane, 0, 0, "live", 0, MotionLevels()))

    def feed(self, name: str) -> None:
        self.worker._handle(FeedSession(name, WORD, 0, 100))

    def work(self) -> None:
        self.worker.work()
        while self._ours.poll():
            self.replies.append(self._ours.recv())

    def work_to_the_end(self) -> None:
        while self.worker._has_work() or not self.worker._lane.free:
            self.work()

    def drawn(self, name: str) -> list[int]:
        ready = [reply for reply in self.replies if isinstance(reply, FramesReady)]
        return [f.frame for reply in ready for f in reply.frames if f.session_id == name]


@pytest.fixture
def gate() -> Iterator[Gate]:
    made = Gate()
    yield made
    made.open.set()


def bench(gate: Gate, device: str = "cpu") -> Bench:
    made = Bench(gate, device)
    made.open("one", 0)
    made.open("two", 1)
    return made


@pytest.mark.parametrize(("device", "thread"), [("cpu", "motion_0"), ("cuda", "MainThread")])
def test_a_cpu_has_a_thread_for_motion_and_both_ways_draw_the_same(
    gate: Gate, device: str, thread: str
) -> None:
    desk = bench(gate, device)
    for name in ("one", "two"):
        desk.feed(name)
    desk.work_to_the_end()
    assert gate.threads == {thread}
    assert desk.drawn("one") == desk.drawn("two") == list(range(15))
    desk.ring.close()


def test_pictures_are_drawn_while_a_step_is_under_way(gate: Gate) -> None:
    desk = bench(gate)
    desk.feed("one")
    while len(desk.worker._sessions["one"].motions) < 5:
        desk.work()
    before = len(desk.drawn("one"))
    gate.open.clear()
    gate.entered.clear()
    desk.feed("two")
    desk.work()
    assert gate.entered.wait(PATIENCE_S)
    while desk.worker._sessions["one"].renderable:
        desk.work()
    assert len(desk.drawn("one")) > before
    assert desk.drawn("two") == []
    gate.open.set()
    desk.work_to_the_end()
    assert desk.drawn("two") == list(range(15))
    desk.ring.close()


def test_what_changes_a_stream_waits_for_its_step(gate: Gate) -> None:
    desk = bench(gate)
    desk.feed("one")
    desk.work_to_the_end()
    gate.open.clear()
    desk.feed("one")
    desk.work()
    threading.Timer(0.05, gate.open.set).start()
    desk.worker._handle(RewindSession("one", 5, 1, to_rest=False))
    assert desk.worker._lane.free
    desk.feed("one")
    desk.work_to_the_end()
    newest = [f for f in desk.drawn("one")[15:] if f >= 5]
    assert newest[:5] == [5, 6, 7, 8, 9]
    desk.ring.close()


def test_the_step_of_a_session_that_ended_is_for_nobody(gate: Gate) -> None:
    desk = bench(gate)
    gate.open.clear()
    desk.feed("one")
    desk.work()
    threading.Timer(0.05, gate.open.set).start()
    desk.worker._handle(CloseSession("one"))
    desk.feed("two")
    desk.work_to_the_end()
    assert desk.drawn("one") == []
    assert desk.drawn("two") == list(range(15))
    desk.ring.close()


def test_a_step_that_fails_ends_its_own_session_alone(gate: Gate) -> None:
    desk = bench(gate)
    gate.broken = True
    desk.feed("one")
    desk.work_to_the_end()
    gate.broken = False
    desk.feed("two")
    desk.work_to_the_end()
    failed = [reply for reply in desk.replies if isinstance(reply, SessionFailed)]
    assert [reply.session_id for reply in failed] == ["one"]
    assert "no room for this step" in failed[0].message
    assert desk.drawn("two") == list(range(15))
    desk.ring.close()
