"""The engine's own process: takes voice, gives back pictures, batches across all sessions."""

import multiprocessing
import os
import signal
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from threading import Lock, Thread
from typing import Any

from liveportrait.output import OutputError
from models.errors import PortraitError, VisavisError
from models.images import decode_image
from models.motion import concatenate
from server.engine.config import Engine, EngineConfig, build_engine
from server.engine.frame_ring import FrameRing
from server.engine.messages import (
    CloseSession,
    Command,
    EngineReady,
    FeedSession,
    ForgetPortrait,
    FramesReady,
    Heartbeat,
    MotionReady,
    OpenSession,
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
    StartFailed,
)
from server.engine.warmup import warm_up
from server.engine.worker_session import WorkerSession

HEARTBEAT_S = 1.0
FAILURES_IN_A_ROW = 20  # of drawing, no picture in between: a device that is gone stays gone


@dataclass(frozen=True, slots=True)
class WorkerStart:
    """What the process is started with."""

    config: EngineConfig
    ring_name: str
    lanes: int
    warm_image: bytes  # a portrait to warm up with


def run_worker(connection: Connection, start: WorkerStart) -> None:
    """Body of the worker process: load, warm up, serve until told to stop or the server is gone."""
    belong_to_the_server()
    limit_library_threads(start.config.threads)
    try:
        engine = build_engine(start.config)
        info = warm_up(engine, start.config, start.warm_image)
        ring = FrameRing(start.lanes, start.ring_name)
    except VisavisError as error:
        connection.send(StartFailed(error.code, str(error)))
        return
    except Exception as error:
        connection.send(StartFailed("internal", f"{type(error).__name__}: {error}", final=False))
        raise
    worker = EngineWorker(engine, ring, connection, start.config.batch_on(engine.device))
    try:
        worker.send(EngineReady(info))
        worker.serve()
    except (EOFError, BrokenPipeError, ConnectionResetError):
        pass  # the server is gone, and so are the sessions
    finally:
        ring.close()


def belong_to_the_server() -> None:
    """End when the server says so or is gone, not by the signals that are meant for it: Ctrl-C and
    service managers signal every process, and running sessions may need the engine to the end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    server = multiprocessing.parent_process()
    assert server is not None

    def leave_with_it() -> None:
        server.join()
        os._exit(0)  # whatever is being loaded or drawn is for nobody

    Thread(target=leave_with_it, daemon=True).start()


def limit_library_threads(threads: int) -> None:
    """Sessions share the cores; thread pools of libraries would fight over them."""
    import cv2
    import torch

    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)


class EngineWorker:
    """The loop: commands first, then one step of motion, then one batch of pictures."""

    def __init__(
        self, engine: Engine, ring: FrameRing, connection: Connection, max_batch: int
    ) -> None:
        self._engine = engine
        self._ring = ring
        self._connection = connection
        self._max_batch = max_batch
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
            busy = any(s.voice or s.renderable_frames for s in self._sessions.values())
            wait_s = 0.0 if busy else HEARTBEAT_S
            while self._connection.poll(wait_s) and not self._stopping:
                self._handle(self._connection.recv())
                wait_s = 0.0
            self._step_most_urgent()
            self._render_batch()
            self._beat()

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
            session = WorkerSession.open(self._engine, portrait, command)
            self._sessions[command.session_id] = session
        except Exception as error:
            self._fail(command.session_id, error)

    def _prepare(self, command: PreparePortrait) -> None:
        """In a thread: finding a face takes several frames' time."""
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

    def _step_most_urgent(self) -> None:
        waiting = [s for s in self._sessions.values() if s.voice]
        if not waiting:
            return
        session = min(waiting, key=lambda s: s.slack_frames + len(s.motions))
        began = time.perf_counter()
        try:
            frames = session.step(self._engine)
        except Exception as error:
            self._fail(session.session_id, error)
            return
        if frames:
            elapsed_ms = (time.perf_counter() - began) * 1000
            self.send(MotionReady(session.session_id, frames, elapsed_ms))

    def _render_batch(self) -> None:
        """The most urgent frames of all sessions, in one call."""
        for session in self._sessions.values():
            session.skip_late()
        due = [
            (session.slack_frames + place, session, session.next_frame + place)
            for session in self._sessions.values()
            for place in range(session.renderable_frames)
        ]
        due.sort(key=lambda item: item[0])  # stable: a session's frames stay in their order
        taken = [(session, frame) for _, session, frame in due[: self._max_batch]]
        if taken:
            self._render(taken)

    def _render(self, taken: list[tuple[WorkerSession, int]]) -> None:
        """One session's trouble must not end the others: after a failure each is tried alone.

        Raises what went wrong when nothing can be drawn any more: the process is of no use then.
        """
        try:
            self._draw(taken)
        except Exception as error:
            names = {session.session_id for session, _ in taken}
            if len(names) > 1:
                for name in sorted(names):
                    self._render([pair for pair in taken if pair[0].session_id == name])
                return
            self._failures_in_a_row += 1
            if self._failures_in_a_row > FAILURES_IN_A_ROW:
                raise
            self._fail(taken[0][0].session_id, error)
        else:
            self._failures_in_a_row = 0

    def _draw(self, taken: list[tuple[WorkerSession, int]]) -> None:
        import cv2

        began = time.perf_counter()
        motions = concatenate([s.motions[frame - s.next_frame] for s, frame in taken])
        pictures = self._engine.renderer.render([s.portrait for s, _ in taken], motions)
        for (session, frame), picture in zip(taken, pictures, strict=True):
            slot = self._ring.slot(session.lane, frame, session.portrait.size)
            cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_I420, dst=slot)
        rendered = tuple(RenderedFrame(s.session_id, frame, s.revision) for s, frame in taken)
        for session, _ in taken:
            session.motions.popleft()
            session.next_frame += 1
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
