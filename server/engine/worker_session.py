"""One session inside the engine worker: voice that waits, motion that waits for pictures."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from models.motion import Motion
from models.shapes import FloatArray
from models.timing import FRAME_MS, SAMPLES_PER_FRAME
from server.engine.config import Engine, MotionLevels, MotionStream
from server.engine.degradation import Degradation
from server.engine.messages import FeedSession, OpenSession, RewindSession

STEP_SAMPLES = 5 * SAMPLES_PER_FRAME  # voice per push: other sessions get their turn in between
MOST_CATCH_UP_FRAMES = 12  # half a second: who draws more slowly cannot be in time at all
STILL_SHOWN_S = 0.02  # of a frame's 40 ms: begun by then, a picture is there before the next is due
START_S = 0.4  # a session may take this long to show its first picture before it counts as late
QUIET_RMS = 0.003  # -50 dBFS: below it nobody speaks
IDLE_AFTER_FRAMES = 12  # from a voice's end until the mouth is at rest for certain
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
    now_s: Callable[[], float] = time.monotonic
    opened_s: float = 0.0
    played_s: float = 0.0  # when ``played_frame`` began to be shown
    drawn_frame: int = -1  # the newest frame with a picture of its own
    loud_frame: int = -IDLE_AFTER_FRAMES  # of the stream: the newest with a voice in it
    due_pictures: int = 0  # since ``take_lateness``
    late_pictures: int = 0
    catch_up_frames: int = 0  # beyond the playout, while it is behind
    aimed_frame: int = -1  # the picture that is to be in time again
    driven: dict[int, Motion] = field(default_factory=dict)  # by frame, T = 1, what was not played

    @classmethod
    def open(
        cls,
        engine: Engine,
        portrait: Any,
        command: OpenSession,
        now_s: Callable[[], float] = time.monotonic,
    ) -> "WorkerSession":
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
            now_s=now_s,
            opened_s=now_s(),
            played_s=now_s(),
        )

    def feed(self, command: FeedSession) -> None:
        """Take voice and leave to render."""
        if len(command.voice):
            self.voice.append(command.voice)
        if command.played_frame > self.played_frame:
            self._play_on(command.played_frame)
        self.render_until = command.render_until
        for played in [frame for frame in self.driven if frame < self.played_frame]:
            del self.driven[played]

    def _play_on(self, frame: int) -> None:
        """The playout point has come to ``frame``: count what was due and not there."""
        passed = frame - self.played_frame
        self.due_pictures += passed
        self.late_pictures += min(passed, max(0, frame + 1 - self.next_frame))
        self.played_frame, self.played_s = frame, self.now_s()

    def take_lateness(self) -> tuple[int, int]:
        """Pictures due, and late among them, since the last call."""
        taken = self.due_pictures, self.late_pictures
        self.due_pictures = self.late_pictures = 0
        return taken

    def skip_late(self) -> None:
        """A machine too slow for every picture shows fewer, instead of all of them too late.

        The next picture of a session that fell behind is the one that is played now, where it can
        still be shown for a while, or the one after it: more would be a jump that is seen. If that
        is too late as well, it goes further ahead.
        """
        if self.next_frame >= self.played_frame:
            if self.next_frame > self.aimed_frame:
                self.catch_up_frames = 0
            return
        if not self.motions:
            return
        first = self.catch_up_frames == 0 and self.now_s() - self.played_s < STILL_SHOWN_S
        self.catch_up_frames = min(self.catch_up_frames + 1, MOST_CATCH_UP_FRAMES)
        end = self.played_frame + (0 if first else self.catch_up_frames)
        while self.motions and self.next_frame < end:
            self.late_pictures += int(self.next_frame > self.played_frame)
            self.pass_frame()
        self.aimed_frame = self.next_frame

    def pass_frame(self) -> None:
        """The next frame's motion has been drawn, or never will be."""
        self.motions.popleft()
        self.next_frame += 1

    def due_s(self, frame: int) -> float:
        """When ``frame`` must be there. Before the clock has started nobody sees that it is late:
        a session that begins must not take the time of those that play."""
        if self.played_frame > self.start_frame:
            return self.played_s + (frame - self.played_frame) * FRAME_MS / 1000
        return self.opened_s + START_S + (frame - self.start_frame) * FRAME_MS / 1000

    @property
    def motion_due_s(self) -> float:
        """When the first frame without motion must be there."""
        return self.due_s(self.next_frame + len(self.motions))

    def is_idle(self, frame: int) -> bool:
        """Nobody speaks around this frame."""
        return frame - self.start_frame >= self.loud_frame + IDLE_AFTER_FRAMES

    def shows_again(self, level: Degradation) -> bool:
        """The next frame shows the picture before it once more."""
        frame = self.next_frame
        if level == "none" or frame % 2 == 0 or self.drawn_frame != frame - 1:
            return False
        return level == "lower_rate" or self.is_idle(frame)

    def step(self, engine: Engine, level: Degradation = "none") -> int:
        """Push at most STEP_SAMPLES of voice; returns the frames this committed."""
        return self._push(engine, STEP_SAMPLES, level)

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
        self.loud_frame = min(self.loud_frame, frame)
        if frame > grid:
            self.voice.append(np.zeros((frame - grid) * SAMPLES_PER_FRAME, np.float32))
        self._forget_motion(command.frame, command.to_rest)
        self.revision = command.revision

    def _forget_motion(self, frame: int, to_rest: bool) -> None:
        while self.motions and self.next_frame + len(self.motions) > frame:
            self.motions.pop()
        self.next_frame = min(self.next_frame, frame)
        self.drawn_frame = min(self.drawn_frame, frame - 1)
        held = self.driven.get(frame - 1)
        self.joint = Joint(frame, held, to_rest) if held is not None else None
        self.driven = {kept: self.driven[kept] for kept in self.driven if kept < frame}

    def _push(self, engine: Engine, room: int, level: Degradation = "none") -> int:
        step = self.begin_step(room, level)
        made = step.run(engine)
        self.end_step(step, made)
        return made.frames

    def begin_step(self, room: int = STEP_SAMPLES, level: Degradation = "none") -> "MotionStep":
        """Take at most ``room`` samples of the voice that waits. Until ``end_step`` nobody else may
        touch the stream."""
        voice: list[FloatArray] = []
        while room > 0 and self.voice:
            part = self.voice.popleft()
            if len(part) > room:
                self.voice.appendleft(part[room:])
                part = part[:room]
            voice.append(part)
            room -= len(part)
            self.pushed_samples += len(part)
        heard = np.concatenate(voice)
        self._listen(heard)
        first = self.start_frame + self.stream.committed_frames
        # a stream that went back to its grid gives frames again that are there already
        skipped = max(0, self.next_frame + len(self.motions) - first)
        hurried = level != "none" and self.is_idle(first)
        return MotionStep(self, heard, first, skipped, hurried)

    def end_step(self, step: "MotionStep", made: "MadeMotion") -> None:
        """Take the motion that a step has made."""
        for place in range(len(made.driven)):
            self._add(step.first + step.skipped + place, made.driven[place : place + 1])

    def _listen(self, voice: FloatArray) -> None:
        """Remember where a voice was heard last; ``voice`` [n] ends at ``pushed_samples``."""
        if len(voice) and float(np.sqrt(np.mean(np.square(voice)))) > QUIET_RMS:
            self.loud_frame = self.pushed_samples // SAMPLES_PER_FRAME

    def _add(self, frame: int, motion: Motion) -> None:
        if self.joint is not None:
            motion = self.joint.blend(frame, motion)
        self.motions.append(motion)
        self.driven[frame] = motion

    def set_levels(self, engine: Engine, levels: MotionLevels) -> None:
        """Motion committed from now on has these levels."""
        self.stream.controls = engine.make_controls(levels)

    @property
    def renderable(self) -> range:
        """Frames that wait and for which the ring has room."""
        end = min(self.next_frame + len(self.motions), self.render_until + 1)
        return range(self.next_frame, max(self.next_frame, end))


@dataclass(frozen=True, slots=True)
class MadeMotion:
    """What a step came to."""

    frames: int  # committed by the stream
    driven: Motion  # of those that were not there yet
    features_ms: float
    rest_ms: float


@dataclass(frozen=True, slots=True)
class MotionStep:
    """A session's next stretch of voice [n] at 16 kHz, on its way through the stream."""

    session: WorkerSession
    heard: FloatArray
    first: int  # the frame that the stream commits next
    skipped: int
    hurried: bool

    def run(self, engine: Engine) -> MadeMotion:
        """The long part; it touches the session's stream alone, so another thread may do it."""
        stream = self.session.stream
        began, features_s = time.perf_counter(), stream.features_s
        stream.hurried = self.hurried
        generated = stream.push(self.heard)
        driven = generated[self.skipped :]
        if len(driven):
            driven = engine.renderer.drive(self.session.portrait, driven)
        features_ms = (stream.features_s - features_s) * 1000
        rest_ms = (time.perf_counter() - began) * 1000 - features_ms
        return MadeMotion(len(generated), driven, features_ms, rest_ms)
