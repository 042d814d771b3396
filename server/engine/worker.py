"""The engine's own process: takes voice, gives back pictures, batches across all sessions."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from threading import Lock, Thread
from typing import Any

from liveportrait.output import OutputError
from models.errors import PortraitError
from models.images import decode_image
from models.motion import concatenate
from server.engine.config import Engine
from server.engine.degradation import DegradationLadder
from server.engine.frame_ring import FrameRing
from server.engine.messages import (
    CloseSession,
    Command,
    DegradationChanged,
    FeedSession,
    ForgetPortrait,
    FramesReady,
    Heartbeat,
    MotionReady,
    OpenSession,
    PicturesRepeated,
    PortraitFacts,
    PortraitPrepared,
    PortraitRefused,
    PreparePortrait,
    RenderedFrame,
    Reply,
    RewindSession,
    SessionFailed,
    SetLevels,
    Shutdown,
)
from server.engine.motion_lane import MotionLane, makes_motion_apart
from server.engine.priority import BACKGROUND_NICENESS, lower_priority
from server.engine.worker_session import WorkerSession

HEARTBEAT_S = 1.0
FAILURES_IN_A_ROW = 20  # of drawing, no picture in between: a device that is gone stays gone


@dataclass(frozen=True, slots=True)
class _DuePicture:
    """One frame of a session that can be drawn, and when it must be there."""

    due_s: float
    session: WorkerSession
    frame: int


class EngineWorker:
    """The loop: commands first, then steps of motion and batches of pictures, as they are due."""

    def __init__(
        self,
        engine: Engine,
        ring: FrameRing,
        connection: Connection,
        max_batch: int,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._now_s = now_s
        self._ladder = DegradationLadder(now_s())
        self._ring = ring
        self._connection = connection
        self._max_batch = max_batch
        self._lane = MotionLane(engine, apart=makes_motion_apart(engine))
        self._sessions: dict[str, WorkerSession] = {}
        self._portraits: dict[str, Any] = {}
        self._send_lock = Lock()
        self._next_heartbeat = 0.0
        self._stopping = False
        self._failures_in_a_row = 0

    def send(self, reply: Reply) -> None:
        """To the server; the portrait threads send, too."""
        with self._send_lock:
            self._connection.send(reply)

    def serve(self) -> None:
        """Until Shutdown. Raises EOFError or an OSError when the server is gone."""
        while not self._stopping:
            wait([self._connection, self._lane.done], 0.0 if self._has_work() else HEARTBEAT_S)
            while self._connection.poll() and not self._stopping:
                self._handle(self._connection.recv())
            self.work()
            self._beat()
        self._lane.close()

    def work(self) -> None:
        """A step of motion and a batch of pictures: what is due first, of all sessions. Where
        motion is not made apart, one of the two."""
        began_s = self._now_s()
        self._take_motion()
        waiting = [s for s in self._sessions.values() if s.voice and self._lane.free]
        motion = min(waiting, key=lambda s: s.motion_due_s, default=None)
        pictures = self._due_pictures()
        pictures_first = pictures and (not motion or pictures[0].due_s < motion.motion_due_s)
        if motion and (self._lane.apart or not pictures_first):
            self._lane.start(motion.begin_step(level=self._ladder.level))
        if pictures and (self._lane.apart or pictures_first):
            self._render(pictures[: self._max_batch])
        self._take_motion()
        self._ladder.note_work(self._now_s() - began_s)
        self._watch_lag()

    def _has_work(self) -> bool:
        sessions = self._sessions.values()
        return any(s.renderable or (s.voice and self._lane.free) for s in sessions)

    def _watch_lag(self) -> None:
        for session in self._sessions.values():
            self._ladder.note_pictures(*session.take_lateness())
        if self._ladder.advance(self._now_s()):
            self.send(DegradationChanged(self._ladder.level))

    def _handle(self, command: Command) -> None:
        match command:
            case FeedSession() | RewindSession() | SetLevels():
                self._handle_for_session(command)
            case OpenSession():
                self._open(command)
            case CloseSession():
                self._sessions.pop(command.session_id, None)
            case PreparePortrait():
                Thread(target=self._prepare, args=(command,), daemon=True).start()
            case ForgetPortrait():
                self._portraits.pop(command.portrait_id, None)
            case Shutdown():
                self._stopping = True

    def _handle_for_session(self, command: FeedSession | RewindSession | SetLevels) -> None:
        if not isinstance(command, FeedSession) and self._lane.holds(command.session_id):
            self._take_motion(wait=True)  # what follows changes the stream
        session = self._sessions.get(command.session_id)
        if session is None:  # it failed here while the command was under way
            return
        try:
            match command:
                case FeedSession():
                    session.feed(command)
                case RewindSession():
                    session.rewind(self._engine, command)
                case SetLevels():
                    session.set_levels(self._engine, command.levels)
        except Exception as error:  # one session's trouble must not end the others
            self._fail(session.session_id, error)

    def _open(self, command: OpenSession) -> None:
        try:
            portrait = self._portraits[command.portrait_id]
            session = WorkerSession.open(self._engine, portrait, command, self._now_s)
            self._sessions[command.session_id] = session
        except Exception as error:
            self._fail(command.session_id, error)

    def _prepare(self, command: PreparePortrait) -> None:
        """In a thread: finding a face takes several frames' time, and those who play come first."""
        lower_priority(BACKGROUND_NICENESS)
        try:
            image = decode_image(command.image)
            portrait = self._engine.renderer.prepare(image, command.output)
            self._portraits[command.portrait_id] = portrait
        except (PortraitError, OutputError) as error:
            self.send(PortraitRefused(command.request_id, error.code, str(error)))
        except Exception as error:
            self.send(PortraitRefused(command.request_id, "internal", repr(error)))
        else:
            self.send(
                PortraitPrepared(
                    command.request_id, PortraitFacts(portrait.size, portrait.warnings)
                )
            )

    def _take_motion(self, *, wait: bool = False) -> None:
        """Of the step that is done, if its session is still there."""
        finished = self._lane.take(wait=wait)
        if finished is None:
            return
        session, made = finished.step.session, finished.made
        if self._sessions.get(session.session_id) is not session:
            return
        if isinstance(made, Exception):
            self._fail(session.session_id, made)
            return
        session.end_step(finished.step, made)
        if made.frames:
            name = session.session_id
            self.send(MotionReady(name, made.frames, made.features_ms, made.rest_ms))

    def _due_pictures(self) -> list["_DuePicture"]:
        """What can be drawn now, the most urgent first."""
        for session in self._sessions.values():
            session.skip_late()
            self._repeat_picture(session)
        # whether a second picture is drawn depends on the first one when pictures are saved
        most = None if self._ladder.level == "none" else 1
        due = [
            _DuePicture(session.due_s(frame), session, frame)
            for session in self._sessions.values()
            for frame in session.renderable[:most]
        ]
        due.sort(key=lambda picture: picture.due_s)  # stable: a session's stay in their order
        return due

    def _repeat_picture(self, session: WorkerSession) -> None:
        if session.renderable and session.shows_again(self._ladder.level):
            frame = RenderedFrame(session.session_id, session.next_frame, session.revision)
            session.pass_frame()
            self.send(PicturesRepeated((frame,)))

    def _render(self, taken: list["_DuePicture"]) -> None:
        """One session's trouble must not end the others: after a failure each is tried alone.

        Raises what went wrong when nothing can be drawn any more: the process is of no use then.
        """
        try:
            self._draw(taken)
        except Exception as error:
            names = {due.session.session_id for due in taken}
            if len(names) > 1:
                for name in sorted(names):
                    self._render([due for due in taken if due.session.session_id == name])
                return
            self._failures_in_a_row += 1
            if self._failures_in_a_row > FAILURES_IN_A_ROW:
                raise
            self._fail(taken[0].session.session_id, error)
        else:
            self._failures_in_a_row = 0

    def _draw(self, taken: list["_DuePicture"]) -> None:
        import cv2

        began = time.perf_counter()
        sessions = [due.session for due in taken]
        motions = concatenate([d.session.motions[d.frame - d.session.next_frame] for d in taken])
        pictures = self._engine.renderer.render([s.portrait for s in sessions], motions)
        for due, picture in zip(taken, pictures, strict=True):
            slot = self._ring.slot(due.session.lane, due.frame, due.session.portrait.size)
            cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_I420, dst=slot)
        rendered = tuple(
            RenderedFrame(d.session.session_id, d.frame, d.session.revision) for d in taken
        )
        for due in taken:
            due.session.pass_frame()
            due.session.drawn_frame = due.frame
        self.send(FramesReady(rendered, (time.perf_counter() - began) * 1000))

    def _fail(self, session_id: str, error: Exception) -> None:
        self._sessions.pop(session_id, None)
        self.send(SessionFailed(session_id, f"{type(error).__name__}: {error}"))

    def _beat(self) -> None:
        now = time.monotonic()
        if now >= self._next_heartbeat:
            self._next_heartbeat = now + HEARTBEAT_S
            waiting = sum(len(s.motions) for s in self._sessions.values())
            self.send(Heartbeat(len(self._sessions), waiting))
