"""Runs jobs one at a time, each in a process of its own that gives way to live sessions."""

import contextlib
import os
import threading
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

import structlog

from models.errors import VisavisError
from server.jobs.process import END_WITHIN_S, end_process, give_way, start_process
from server.jobs.task import Outcome, Report, Task
from server.storage.errors import storage_error

log = structlog.get_logger(__name__)

KEPT_S = 60.0  # an idle process and what it has loaded
_POLL_S = 0.2


class JobFailedError(VisavisError):
    """A job said no; ``code`` is that of the error raised in its process."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class JobCrashedError(JobFailedError):
    """A job's process ended without a word: nothing says that another try must end like it."""

    def __init__(self, message: str) -> None:
        super().__init__("internal", message)


class JobCancelledError(VisavisError):
    """A job was ended before it was done."""

    code = "cancelled"


@dataclass(slots=True, eq=False)
class _Job:
    """``process``: None while it waits for its turn, or for its process."""

    owner: str
    process: BaseProcess | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class _Kept:
    process: BaseProcess
    connection: Connection
    since_s: float

    @property
    def is_fresh(self) -> bool:
        """It waits for a task, and will for long enough to get one."""
        young = time.monotonic() - self.since_s < KEPT_S / 2
        return young and self.process.is_alive() and not self.connection.poll()


class JobRunner:
    """Runs tasks one after the other: the studio's and the API's. Thread-safe."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._guard = threading.Lock()
        self._jobs: list[_Job] = []  # the one that runs, and those that wait
        self._kept: _Kept | None = None
        self._closed = False

    def run(self, owner: str, task: Task, report: Report) -> Outcome:
        """Waits for its turn, then for the task's end; ``report`` is called in this thread.

        Raises JobFailedError (JobCrashedError is one) and JobCancelledError.
        """
        job = _Job(owner)
        with self._guard:
            self._jobs.append(job)
        try:
            with self._turn:
                return self._run(job, task, report)
        finally:
            with self._guard:
                self._jobs.remove(job)

    def cancel(self, owner: str) -> bool:
        """Ends what the owner has running or waiting; whether there was anything."""
        with self._guard:
            ended = [job for job in self._jobs if job.owner == owner]
        self._end(ended)
        return bool(ended)

    def close(self) -> None:
        """Ends what runs; nothing runs afterwards."""
        with self._guard:
            self._closed = True
            ended = list(self._jobs)
        self._end(ended)
        self._end_kept()

    def _end(self, jobs: list[_Job]) -> None:
        for job in jobs:
            job.cancelled.set()
        with self._guard:  # who has no process by now gets none any more
            processes = [job.process for job in jobs if job.process is not None]
        for process in processes:
            end_process(process)

    def _run(self, job: _Job, task: Task, report: Report) -> Outcome:
        process, connection = self._begin(job, task)
        whole = False
        try:
            outcome = self._follow(job, process, connection, report)
            whole = True
            return outcome
        except JobCrashedError:
            raise
        except JobFailedError:
            whole = True  # the task said no; its process is as good as before
            raise
        finally:
            if whole and not task.keeps_process:
                process.join(END_WITHIN_S)
            self._finish(process, connection, keep=whole and task.keeps_process)

    def _begin(self, job: _Job, task: Task) -> tuple[BaseProcess, Connection]:
        if not (task.keeps_process and self._kept is not None and self._kept.is_fresh):
            self._end_kept()
        with self._guard:
            if self._closed:
                raise JobCancelledError("the server is stopping")
            if job.cancelled.is_set():
                raise JobCancelledError("cancelled")
            if self._kept is not None:
                process, connection = self._kept.process, self._kept.connection
                self._kept = None
            else:
                process, connection = start_process(_job_process, "visavis-job")
            job.process = process
        with contextlib.suppress(OSError):  # it died meanwhile: following it tells
            connection.send(task)
        return process, connection

    def _finish(self, process: BaseProcess, connection: Connection, *, keep: bool) -> None:
        with self._guard:
            if keep and not self._closed:
                self._kept = _Kept(process, connection, time.monotonic())
                return
        end_process(process)
        connection.close()

    def _end_kept(self) -> None:
        with self._guard:
            kept, self._kept = self._kept, None
        if kept is not None:
            end_process(kept.process)
            kept.connection.close()

    def _follow(
        self, job: _Job, process: BaseProcess, connection: Connection, report: Report
    ) -> Outcome:
        while True:
            if job.cancelled.is_set():
                raise JobCancelledError("cancelled")
            try:
                if not connection.poll(_POLL_S):
                    continue
                kind, *content = connection.recv()
            except (EOFError, OSError):
                if job.cancelled.is_set():
                    raise JobCancelledError("cancelled") from None
                process.join(END_WITHIN_S)
                raise JobCrashedError(
                    f"the job's process ended unexpectedly (exit code {process.exitcode})"
                ) from None
            if kind == "progress":
                report(*content)
            elif kind == "done":
                outcome: Outcome = content[0]
                return outcome
            else:
                raise JobFailedError(*content)


def _job_process(connection: Connection) -> None:
    from server.logs import configure_logs

    give_way()
    configure_logs("console", "warning")
    with contextlib.suppress(EOFError):
        while connection.poll(KEPT_S + _POLL_S):
            task: Task = connection.recv()
            connection.send(_answer(task, connection))
            if not task.keeps_process:
                connection.close()
                # somebody waits: what torch tidies up at an interpreter's end takes seconds
                os._exit(0)


def _answer(task: Task, connection: Connection) -> tuple[object, ...]:
    def report(done: int, total: int, what: str) -> None:
        connection.send(("progress", done, total, what))

    try:
        return "done", task.run(report)
    except VisavisError as error:
        return "failed", error.code, str(error)
    except Exception as error:
        if (full := storage_error(error)) is not None:
            return "failed", full.code, str(full)
        log.exception("job_crashed")
        return "failed", "internal", f"{type(error).__name__}: {error}"
