"""One session inside the engine worker: voice that waits, motion that waits for pictures."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from models.motion import Motion
from models.shapes import FloatArray
from models.timing import SAMPLES_PER_FRAME
from server.engine import Engine, MotionLevels, MotionStream
from server.engine_messages import FeedSession, OpenSession, RewindSession

STEP_SAMPLES = 5 * SAMPLES_PER_FRAME  # voice per push: other sessions get their turn in between
CATCH_UP_FRAMES = 3  # after falling behind: far enough ahead that the next picture is in time


@dataclass(slots=True)
class WorkerSession:
    """``motions`` holds committed frames not yet rendered, the first being ``next_frame``."""

    session_id: str
    lane: int
    start_frame: int
    revision: int
    portrait: Any
    stream: MotionStream
    voice: deque[FloatArray] = field(default_factory=deque)
    motions: deque[Motion] = field(default_factory=deque)  # T = 1 each
    next_frame: int = 0
    played_frame: int = 0
    render_until: int = -1

    @classmethod
    def open(cls, engine: Engine, portrait: Any, command: OpenSession) -> "WorkerSession":
        """Start the motion stream."""
        stream = engine.generator.start(
            mode=command.mode, seed=command.seed, controls=engine.make_controls(command.levels)
        )
        return cls(
            session_id=command.session_id,
            lane=command.lane,
            start_frame=command.start_frame,
            revision=command.revision,
            portrait=portrait,
            stream=stream,
            next_frame=command.start_frame,
            played_frame=command.start_frame,
        )

    def feed(self, command: FeedSession) -> None:
        """Take voice and leave to render."""
        if len(command.voice):
            self.voice.append(command.voice)
        self.played_frame = command.played_frame
        self.render_until = command.render_until

    def skip_late(self) -> None:
        """A machine too slow for every picture shows fewer, instead of all of them too late."""
        if self.next_frame >= self.played_frame:
            return
        while self.motions and self.next_frame < self.played_frame + CATCH_UP_FRAMES:
            self.motions.popleft()
            self.next_frame += 1

    def step(self, engine: Engine) -> int:
        """Push at most STEP_SAMPLES of voice; returns the frames this committed."""
        voice: list[FloatArray] = []
        room = STEP_SAMPLES
        while room > 0 and self.voice:
            part = self.voice.popleft()
            if len(part) > room:
                self.voice.appendleft(part[room:])
                part = part[:room]
            voice.append(part)
            room -= len(part)
        generated = self.stream.push(np.concatenate(voice))
        frames = len(generated)
        if frames:
            driven = engine.renderer.drive(self.portrait, generated)
            self.motions.extend(driven[i : i + 1] for i in range(frames))
        return frames

    def rewind(self, engine: Engine, command: RewindSession) -> None:
        """Forget voice and motion from a frame on; what is before it stays due."""
        frame = command.frame - self.start_frame
        while self.voice:  # it may hold voice before the frame
            self.step(engine)
        if command.to_rest:
            self.stream.interrupt(frame)
        else:
            self.stream.rewind(frame)
        self.revision = command.revision
        keep = max(0, command.frame - self.next_frame)
        while len(self.motions) > keep:
            self.motions.pop()
        self.next_frame = min(self.next_frame, command.frame)

    def set_levels(self, engine: Engine, levels: MotionLevels) -> None:
        """Motion committed from now on has these levels."""
        self.stream.controls = engine.make_controls(levels)

    @property
    def renderable_frames(self) -> int:
        """Frames that wait and for which the ring has room."""
        return max(0, min(len(self.motions), self.render_until + 1 - self.next_frame))

    @property
    def slack_frames(self) -> int:
        """Frames until the next one is due; the smaller, the more urgent."""
        return self.next_frame - self.played_frame
