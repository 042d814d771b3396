"""Studio jobs: one at a time, each in a process of its own that gives way to live sessions."""

import contextlib
import multiprocessing
import os
import secrets
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import structlog

from models.errors import VisavisError
from server.studio.tasks import Outcome, Report, Task

log = structlog.get_logger(__name__)

NICENESS = 10  # live sessions keep the cores
_POLL_S = 0.2
_END_WITHIN_S = 4.0


class JobFailedError(VisavisError):
    """A job said no; ``code`` is that of the error raised in its process."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class JobCancelledError(VisavisError):
    """A job was ended before it was done."""

    code = "cancelled"


@dataclass(frozen=True, slots=True)
class _Running:
    owner: str
    process: BaseProcess
    cancelled: threading.Event


class JobRunner:
    """Runs tasks one after the other. ``folder``: where their files go. Thread-safe."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._turn = threading.Lock()
        self._guard = threading.Lock()
        self._running: _Running | None = None
        self._closed = False

    def new_folder(self) -> Path:
        """An empty folder for the files of one job."""
        folder = self.folder / secrets.token_hex(8)
        folder.mkdir(parents=True)
        return folder

    def run(self, owner: str, task: Task, report: Report) -> Outcome:
        """Waits for its turn, then for the task's end; ``report`` is called in this thread.

        Raises JobFailedError and JobCancelledError.
        """
        with self._turn:
            return self._run(owner, task, report)

    def cancel(self, owner: str) -> bool:
        """Ends the owner's running job, if there is one."""
        with self._guard:
            running = self._running
            if running is None or running.owner != owner:
                return False
            running.cancelled.set()
        end_process(running.process)
        return True

    def close(self) -> None:
        """Ends what runs; nothing runs afterwards."""
        with self._guard:
            self._closed = True
            running = self._running
        if running is not None:
            running.cancelled.set()
            end_process(running.process)

    def _run(self, owner: str, task: Task, report: Report) -> Outcome:
        with self._guard:
            if self._closed:
                raise JobCancelledError("the server is stopping")
            process, connection = start_process(_job_process, "visavis-studio-job", task)
            running = _Running(owner, process, threading.Event())
            self._running = running
        try:
            outcome = self._follow(running, connection, report)
            process.join(_END_WITHIN_S)
            return outcome
        finally:
            with self._guard:
                self._running = None
            end_process(process)
            connection.close()

    def _follow(self, running: _Running, connection: Connection, report: Report) -> Outcome:
        while True:
            if running.cancelled.is_set():
                raise JobCancelledError("cancelled")
            try:
                if not connection.poll(_POLL_S):
                    continue
                kind, *content = connection.recv()
            except (EOFError, OSError):
                if running.cancelled.is_set():
                    raise JobCancelledError("cancelled") from None
                running.process.join(_END_WITHIN_S)
                raise JobFailedError(
                    "internal",
                    f"the job's process ended unexpectedly (exit code {running.process.exitcode})",
                ) from None
            if kind == "progress":
                report(*content)
            elif kind == "done":
                outcome: Outcome = content[0]
                return outcome
            else:
                raise JobFailedError(*content)


def start_process(
    target: Callable[..., None], name: str, *arguments: object
) -> tuple[BaseProcess, Connection]:
    """A spawned process and the near end of the pipe that it gets as its first argument."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=target, args=(theirs, *arguments), name=name)
    process.start()
    theirs.close()
    return process, ours


def end_process(process: BaseProcess) -> None:
    """Asks the process to end, then ends it together with all that it started."""
    if process.pid is None:
        return
    if process.is_alive():
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGTERM)  # it takes down its engine worker in order
    process.join(_END_WITHIN_S)
    if process.exitcode != 0:  # it ended early, or not at all: what it started may still be there
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.join(_END_WITHIN_S)


def give_way() -> None:
    """For a child process: its own group, low priority, and never without its server."""
    os.setsid()
    os.nice(NICENESS)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's to handle
    signal.signal(signal.SIGTERM, _exit_in_order)
    parent = multiprocessing.parent_process()
    assert parent is not None
    threading.Thread(target=_die_with, args=(parent,), daemon=True).start()


def _exit_in_order(signum: int, frame: Any) -> None:
    del frame
    signal.signal(signum, signal.SIG_IGN)  # once is enough: what ends now is not disturbed
    raise SystemExit(1)


def _die_with(parent: Any) -> None:
    parent.join()
    os.killpg(0, signal.SIGKILL)


def _job_process(connection: Connection, task: Task) -> None:
    from server.logs import configure_logs

    give_way()
    configure_logs("console", "warning")

    def report(done: int, total: int, what: str) -> None:
        connection.send(("progress", done, total, what))

    try:
        connection.send(("done", task.run(report)))
    except VisavisError as error:
        connection.send(("failed", error.code, str(error)))
    except Exception as error:
        log.exception("studio_job_crashed")
        connection.send(("failed", "internal", f"{type(error).__name__}: {error}"))
    connection.close()
    os._exit(0)  # the visitor waits: what torch tidies up at an interpreter's end takes seconds
