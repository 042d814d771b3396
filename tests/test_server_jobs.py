"""Jobs: one at a time, in processes that give way, and never a process left behind."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.jobs.process import NICENESS
from server.jobs.runner import JobCancelledError, JobCrashedError, JobFailedError, JobRunner
from server.jobs.task import Report, Task
from tests.job_tasks import (
    CountTask,
    DyingTask,
    FullDiskTask,
    KeepingTask,
    LongTask,
    RefusingTask,
)


def ignore(done: int, total: int, what: str) -> None:
    del done, total, what


def alive(pid: int) -> bool:
    """Or about to end: the first thread may be gone before the others."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0]
        return state != "Z" or len(list(Path(f"/proc/{pid}/task").iterdir())) > 1
    except FileNotFoundError:
        return False


def wait_until_gone(*pids: int) -> None:
    """The kernel's doing, after the signal."""
    limit_s = time.monotonic() + 10
    while any(alive(pid) for pid in pids) and time.monotonic() < limit_s:
        time.sleep(0.02)
    assert not any(alive(pid) for pid in pids)


@pytest.fixture
def jobs() -> Iterator[JobRunner]:
    runner = JobRunner()
    yield runner
    runner.close()


def test_a_job_reports_its_steps_and_gives_way(jobs: JobRunner, tmp_path: Path) -> None:
    steps: list[tuple[int, int, str]] = []
    out = tmp_path / "count.txt"
    outcome = jobs.run("me", CountTask(out), lambda *step: steps.append(step))
    assert steps == [(1, 3, "Counting"), (2, 3, "Counting"), (3, 3, "Counting")]
    assert outcome.files == (out,)
    assert int(out.read_text()) == min(19, os.nice(0) + NICENESS)


def test_a_named_error_keeps_code_and_text(jobs: JobRunner) -> None:
    with pytest.raises(JobFailedError, match="no face was found in the picture") as caught:
        jobs.run("me", RefusingTask(), ignore)
    assert caught.value.code == "no_face"


def test_a_full_disk_has_a_name(jobs: JobRunner) -> None:
    with pytest.raises(JobFailedError, match="disk is full") as caught:
        jobs.run("me", FullDiskTask(), ignore)
    assert caught.value.code == "storage_full"


def test_a_job_whose_process_dies_is_told_and_the_next_one_runs(
    jobs: JobRunner, tmp_path: Path
) -> None:
    with pytest.raises(JobCrashedError, match="exit code -9"):
        jobs.run("me", DyingTask(), ignore)
    assert jobs.run("me", CountTask(tmp_path / "count.txt"), ignore).summary == "counted"


def test_cancelling_ends_the_process_and_all_it_started(jobs: JobRunner) -> None:
    started, pids = threading.Event(), []

    def report(pid: int, total: int, what: str) -> None:
        del total, what
        pids.append(pid)
        started.set()

    def cancel_both() -> None:
        started.wait(60)
        others.append(jobs.cancel("somebody else"))
        assert alive(pids[0])
        others.append(jobs.cancel("me"))

    others: list[bool] = []
    canceller = threading.Thread(target=cancel_both)
    canceller.start()
    with pytest.raises(JobCancelledError):
        jobs.run("me", LongTask(), report)
    canceller.join()
    assert others == [False, True]
    wait_until_gone(pids[0])


def test_a_job_that_waits_for_its_turn_can_be_cancelled_and_never_runs(
    jobs: JobRunner, tmp_path: Path
) -> None:
    started = threading.Event()
    ended: list[str] = []

    def run(owner: str, task: Task, report: Report) -> None:
        with pytest.raises(JobCancelledError):
            jobs.run(owner, task, report)
        ended.append(owner)

    first = threading.Thread(target=run, args=("first", LongTask(), lambda *_: started.set()))
    first.start()
    assert started.wait(60)
    count = tmp_path / "count.txt"
    second = threading.Thread(target=run, args=("second", CountTask(count), ignore))
    second.start()
    while not jobs.cancel("second"):
        started.wait(0.01)
    jobs.cancel("first")
    for thread in (first, second):
        thread.join(60)
    assert sorted(ended) == ["first", "second"]
    assert not count.exists()


def test_a_process_is_kept_for_the_next_task_that_can_use_it(tmp_path: Path) -> None:
    def pids(task: KeepingTask) -> list[int]:
        refused = pytest.raises(JobFailedError, match="no face")
        with refused if task.fails else contextlib.nullcontext():
            runner.run("me", task, ignore)
        return [int(pid) for pid in task.out.read_text().split()]

    runner = JobRunner()
    try:
        first = pids(KeepingTask(tmp_path / "1"))
        assert pids(KeepingTask(tmp_path / "2", fails=True)) == first
        assert pids(KeepingTask(tmp_path / "3")) == first
        runner.run("me", CountTask(tmp_path / "count"), ignore)  # loads something else
        assert not any(alive(pid) for pid in first)
        second = pids(KeepingTask(tmp_path / "4"))
        os.kill(second[0], signal.SIGKILL)
        wait_until_gone(second[0])
        assert pids(KeepingTask(tmp_path / "5")) != second
        third = pids(KeepingTask(tmp_path / "6"))
    finally:
        runner.close()
    wait_until_gone(*third)


def test_nothing_runs_after_the_end(jobs: JobRunner) -> None:
    jobs.close()
    with pytest.raises(JobCancelledError, match="stopping"):
        jobs.run("me", RefusingTask(), ignore)
