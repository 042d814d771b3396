"""The engine worker's loop in virtual time: motion and pictures cost what a test says."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing import Pipe
from typing import Any

import numpy as np

from models.motion import Motion
from models.shapes import FloatArray, Image
from models.timing import SAMPLES_PER_FRAME
from server.engine.config import Engine, Mode, MotionLevels
from server.engine.degradation import Degradation
from server.engine.frame_ring import RENDER_LEAD, FrameRing
from server.engine.messages import (
    CloseSession,
    DegradationChanged,
    FeedSession,
    FramesReady,
    OpenSession,
    PicturesRepeated,
)
from server.engine.worker import EngineWorker
from tests.fake_engine import FakeGenerator, FakePortrait, FakeRenderer, FakeStream

TICK_S = 0.02
PACKET = SAMPLES_PER_FRAME // 2
AHEAD_PACKETS = 26  # of voice before its picture: hop and look-ahead of 400 ms, and 120 to spare


@dataclass
class Costs:
    """Virtual seconds of the one thread that the worker has, and its clock."""

    hop_s: float
    hurried_hop_s: float
    picture_s: float
    now_s: float = 0.0


class SlowStream(FakeStream):
    """Takes its time for every hop."""

    def __init__(self, mode: Mode, controls: MotionLevels, costs: Costs) -> None:
        super().__init__(mode, controls)
        self._costs = costs

    def push(self, samples: FloatArray) -> Motion:
        motion = super().push(samples)
        costs = self._costs
        hops = len(motion) // self.hop_frames
        costs.now_s += hops * (costs.hurried_hop_s if self.hurried else costs.hop_s)
        return motion


@dataclass
class SlowGenerator(FakeGenerator):
    """Starts slow streams."""

    costs: Costs

    def start(self, *, mode: Mode, seed: int, controls: Any) -> SlowStream:
        del seed
        return SlowStream(mode, controls, self.costs)


@dataclass
class SlowRenderer(FakeRenderer):
    """Takes its time for every picture."""

    costs: Costs

    def render(self, portraits: Sequence[FakePortrait], motions: Motion) -> list[Image]:
        self.costs.now_s += len(portraits) * self.costs.picture_s
        return super().render(portraits, motions)


@dataclass
class Playing:
    """One session as its clock sees it."""

    lane: int
    opened_s: float
    speaks: bool
    ticks: int | None = None  # since its clock started; None before
    there: set[int] = field(default_factory=set)
    seen: Counter[str] = field(default_factory=Counter)  # drawn, repeated, late


class VirtualWorker:
    """Sessions tick every 20 ms of virtual time; the worker works in between."""

    def __init__(self, costs: Costs) -> None:
        self.costs = costs
        self.levels: list[tuple[float, Degradation]] = []
        self.playing: dict[str, Playing] = {}
        self._ours, theirs = Pipe()
        self._ring = FrameRing(4)
        engine = Engine("fake", SlowGenerator(costs), SlowRenderer(costs), lambda levels: levels)
        self._worker = EngineWorker(engine, self._ring, theirs, 2, lambda: costs.now_s)
        self._worker._portraits["anna"] = FakePortrait()
        self._next_tick_s = 0.0

    @property
    def level(self) -> Degradation:
        return self._worker._ladder.level

    def open(self, name: str, *, speaks: bool = False) -> None:
        """A session begins, its first silence with it."""
        lane = len(self.playing)
        self.playing[name] = Playing(lane, self.costs.now_s, speaks)
        self._worker._handle(OpenSession(name, "anna", lane, 0, 0, "live", 0, MotionLevels()))
        self._feed(name, AHEAD_PACKETS, 0)

    def end(self, name: str) -> None:
        self._worker._handle(CloseSession(name))
        del self.playing[name]

    def run(self, seconds: float) -> None:
        """Let the time pass."""
        end_s = self.costs.now_s + seconds
        while self.costs.now_s < end_s:
            while self._next_tick_s <= self.costs.now_s:
                self._next_tick_s += TICK_S
                for name in self.playing:
                    self._tick(name)
            before_s = self.costs.now_s
            self._worker.work()
            self._read()
            if self.costs.now_s == before_s and not self._has_work():
                self.costs.now_s = max(before_s, self._next_tick_s)

    def close(self) -> None:
        self._ring.close()

    def _has_work(self) -> bool:
        return any(s.voice or s.renderable for s in self._worker._sessions.values())

    def _tick(self, name: str) -> None:
        one = self.playing[name]
        if one.ticks is None and 0 not in one.there:
            return  # the clock waits for the first picture
        one.ticks = 0 if one.ticks is None else one.ticks + 1
        frame, half = divmod(one.ticks, 2)
        self._feed(name, 1, frame)
        if not half and frame not in one.there:
            one.seen["late"] += 1

    def _feed(self, name: str, packets: int, frame: int) -> None:
        level = 0.1 if self.playing[name].speaks else 0.0
        voice = np.full(packets * PACKET, level, np.float32)
        self._worker._handle(FeedSession(name, voice, frame, frame + RENDER_LEAD))

    def _read(self) -> None:
        while self._ours.poll():
            reply = self._ours.recv()
            if isinstance(reply, DegradationChanged):
                self.levels.append((self.costs.now_s, reply.level))
            elif isinstance(reply, FramesReady | PicturesRepeated):
                kind = "drawn" if isinstance(reply, FramesReady) else "repeated"
                for rendered in reply.frames:
                    one = self.playing[rendered.session_id]
                    one.there.add(rendered.frame)
                    one.seen[kind] += 1
