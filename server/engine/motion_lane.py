"""Where motion is made: beside the drawing, in a thread of its own, or in between.

The networks and the drawing leave Python's lock while they work, so on a CPU one thread for motion
and one for pictures use two cores. One step is under way at a time.
"""

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection

from server.engine.config import Engine
from server.engine.priority import MOTION_NICENESS, lower_priority
from server.engine.worker_session import MadeMotion, MotionStep


def makes_motion_apart(engine: Engine) -> bool:
    """On a CPU, where drawing and motion are alike in length; a GPU has one stream of work."""
    return engine.device == "cpu"


@dataclass(frozen=True, slots=True)
class FinishedStep:
    """What became of a step; ``made`` is what went wrong when it failed."""

    step: MotionStep
    made: MadeMotion | Exception


class MotionLane:
    """``apart``: steps run in a thread; otherwise ``start`` returns when the step is done."""

    def __init__(self, engine: Engine, *, apart: bool) -> None:
        self._engine = engine
        self._thread = (
            ThreadPoolExecutor(1, "motion", lower_priority, (MOTION_NICENESS,)) if apart else None
        )
        self._running: tuple[MotionStep, Future[MadeMotion]] | None = None
        self.done: Connection  # readable when a step that ran apart is done
        self.done, self._tell = Pipe(duplex=False)

    @property
    def apart(self) -> bool:
        """Pictures can be drawn meanwhile."""
        return self._thread is not None

    @property
    def free(self) -> bool:
        """The next step may start."""
        return self._running is None

    def holds(self, session_id: str) -> bool:
        """A step of this session is under way, or done and not taken."""
        return self._running is not None and self._running[0].session.session_id == session_id

    def start(self, step: MotionStep) -> None:
        """The lane must be free."""
        assert self.free
        if self._thread is None:
            outcome: Future[MadeMotion] = Future()
            self._running = step, outcome
            try:
                outcome.set_result(step.run(self._engine))
            except Exception as error:
                outcome.set_exception(error)
            return
        outcome = self._thread.submit(step.run, self._engine)
        self._running = step, outcome
        outcome.add_done_callback(lambda _: self._tell.send_bytes(b"."))

    def take(self, *, wait: bool = False) -> FinishedStep | None:
        """The step that is done; ``wait`` until it is. None when there is none."""
        if self._running is None or not (wait or self._running[1].done()):
            return None
        step, outcome = self._running
        error = outcome.exception()
        self._running = None
        if self.apart:
            self.done.recv_bytes()
        if error is None:
            return FinishedStep(step, outcome.result())
        if not isinstance(error, Exception):
            raise error
        return FinishedStep(step, error)

    def close(self) -> None:
        """No more steps."""
        if self._thread is not None:
            self._thread.shutdown(wait=False, cancel_futures=True)
