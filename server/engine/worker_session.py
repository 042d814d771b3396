"""One session inside the engine worker: voice that waits, motion that waits for pictures."""

from collections import deque
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from models.motion import Motion
from models.shapes import FloatArray
from models.timing import SAMPLES_PER_FRAME
from server.engine.config import Engine, MotionLevels, MotionStream
from server.engine.messages import FeedSession, OpenSession, RewindSession

STEP_SAMPLES = 5 * SAMPLES_PER_FRAME  # voice per push: other sessions get their turn in between
CATCH_UP_FRAMES = 3  # after falling behind: far enough ahead that the next picture is in time
BLEND_FRAMES = 4  # over which a new motion takes over from the one that was shown


@dataclass(frozen=True, slots=True)
class Joint:
    """Where a rewound motion takes over, and the motion (T = 1) shown just before."""

    frame: int
    held: Motion
    to_rest: bool

    def blend(self, frame: int, motion: Motion) -> Motion:
        """Motion (T = 1) of ``frame``, led over from the held one."""
        share = np.float32((frame - self.frame + 1) / (BLEND_FRAMES + 1))
        if not 0 < share < 1:
            return motion
        # new words must not be softened: only an interrupted face blends its expression, too
        names = [f.name for f in fields(Motion) if self.to_rest or f.name != "exp"]
        mixed = {
            name: (1 - share) * getattr(self.held, name) + share * getattr(motion, name)
            for name in names
        }
        return replace(motion, **mixed)


@dataclass(slots=True)
class WorkerSession:
    """``motions`` holds committed frames not yet rendered, the first being ``next_frame``.

    Frames are the media clock's; the stream counts its own from ``start_frame`` on.
    """

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
    pushed_samples: int = 0
    joint: Joint | None = None
    driven: dict[int, Motion] = field(default_factory=dict)  # by frame, T = 1, what was not played

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
        for played in [frame for frame in self.driven if frame < self.played_frame]:
            del self.driven[played]

    def skip_late(self) -> None:
        """A machine too slow for every picture shows fewer, instead of all of them too late."""
        if self.next_frame >= self.played_frame:
            return
        while self.motions and self.next_frame < self.played_frame + CATCH_UP_FRAMES:
            self.motions.popleft()
            self.next_frame += 1

    def step(self, engine: Engine) -> int:
        """Push at most STEP_SAMPLES of voice; returns the frames this committed."""
        return self._push(engine, STEP_SAMPLES)

    def rewind(self, engine: Engine, command: RewindSession) -> None:
        """Forget voice and motion from a frame on; what is before it stays due.

        The stream goes back to its grid, at or before that frame; up to the frame it is given
        silence, and its motion is not shown.
        """
        frame = command.frame - self.start_frame
        grid = frame // self.stream.grid_frames * self.stream.grid_frames
        while self.pushed_samples < grid * SAMPLES_PER_FRAME and self.voice:
            self._push(engine, grid * SAMPLES_PER_FRAME - self.pushed_samples)
        if command.to_rest and 0 < grid <= self.stream.committed_frames:
            self.stream.interrupt(grid)
        else:
            self.stream.rewind(grid)
        self.pushed_samples = grid * SAMPLES_PER_FRAME
        self.voice.clear()
        if frame > grid:
            self.voice.append(np.zeros((frame - grid) * SAMPLES_PER_FRAME, np.float32))
        self._forget_motion(command.frame, command.to_rest)
        self.revision = command.revision

    def _forget_motion(self, frame: int, to_rest: bool) -> None:
        while self.motions and self.next_frame + len(self.motions) > frame:
            self.motions.pop()
        self.next_frame = min(self.next_frame, frame)
        held = self.driven.get(frame - 1)
        self.joint = Joint(frame, held, to_rest) if held is not None else None
        self.driven = {kept: self.driven[kept] for kept in self.driven if kept < frame}

    def _push(self, engine: Engine, room: int) -> int:
        """Push at most ``room`` samples; returns the frames this committed."""
        voice: list[FloatArray] = []
        while room > 0 and self.voice:
            part = self.voice.popleft()
            if len(part) > room:
                self.voice.appendleft(part[room:])
                part = part[:room]
            voice.append(part)
            room -= len(part)
            self.pushed_samples += len(part)
        first = self.start_frame + self.stream.committed_frames
        generated = self.stream.push(np.concatenate(voice))
        # a stream that went back to its grid gives frames again that are there already
        skipped = max(0, self.next_frame + len(self.motions) - first)
        if len(generated) > skipped:
            driven = engine.renderer.drive(self.portrait, generated[skipped:])
            for place in range(len(driven)):
                self._add(first + skipped + place, driven[place : place + 1])
        return len(generated)

    def _add(self, frame: int, motion: Motion) -> None:
        if self.joint is not None:
            motion = self.joint.blend(frame, motion)
        self.motions.append(motion)
        self.driven[frame] = motion

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
