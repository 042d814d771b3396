"""The engine worker's session code without its process: replies come when the test asks."""

from dataclasses import dataclass, field
from typing import Any

import cv2

from models.shapes import FloatArray, Image
from server.engine.config import Engine, Mode, MotionLevels
from server.engine.degradation import Degradation
from server.engine.messages import FeedSession, OpenSession, RewindSession
from server.engine.worker_session import WorkerSession
from server.sessions.session import Session
from tests.fake_engine import FakePortrait


@dataclass
class InlineEngine:
    """A session.EngineLink. ``work`` does what the worker's loop would do until it is idle."""

    engine: Engine
    mode: Mode = "live"
    seed: int = 0
    session: Session | None = None
    worker: WorkerSession | None = None
    pictures: dict[int, Image] = field(default_factory=dict)
    rewinds: list[tuple[int, bool]] = field(default_factory=list)
    degraded: Degradation = "none"
    levels: list[MotionLevels] = field(default_factory=list)
    portrait: Any = field(default_factory=FakePortrait)
    i420: bool = False  # as the ring holds them; RGB is easier to look at

    def open(self, start_frame: int, revision: int, levels: MotionLevels) -> None:
        command = OpenSession("s", "a", 0, start_frame, revision, self.mode, self.seed, levels)
        self.worker = WorkerSession.open(self.engine, self.portrait, command)

    def feed(self, voice: FloatArray, played_frame: int, render_until: int) -> None:
        if self.worker is not None:
            self.worker.feed(FeedSession("s", voice, played_frame, render_until))

    def rewind(self, frame: int, revision: int, *, to_rest: bool) -> None:
        self.rewinds.append((frame, to_rest))
        if self.worker is not None:
            self.worker.rewind(self.engine, RewindSession("s", frame, revision, to_rest))

    def set_levels(self, levels: MotionLevels) -> None:
        self.levels.append(levels)
        if self.worker is not None:
            self.worker.set_levels(self.engine, levels)

    def picture(self, frame: int) -> Image:
        picture = self.pictures[frame]
        return cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_I420) if self.i420 else picture

    def work(self) -> None:
        """Motion for all voice, pictures for all frames that may be rendered."""
        assert self.session is not None
        worker = self.worker
        while worker is not None and (worker.voice or worker.renderable):
            if worker.voice:
                worker.step(self.engine)
            for _ in worker.renderable:
                motion = worker.motions.popleft()
                self.pictures[worker.next_frame] = self.engine.renderer.render(
                    [worker.portrait], motion
                )[0]
                self.session.frame_rendered(worker.next_frame, worker.revision)
                worker.next_frame += 1
