"""Job tasks that take the renderer's place; light to import, for the sake of their processes."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from models.errors import NoFaceError
from server.jobs.task import Outcome, Report
from server.videos.render_job import RenderJob

CONTENT = b"made of " * 100


@dataclass(frozen=True)
class WritingTask:
    """A file with what it was made from."""

    job: RenderJob
    keeps_process: ClassVar[bool] = False

    def run(self, report: Report) -> Outcome:
        report(1, 2, "Rendering")
        self.job.out.write_bytes(CONTENT + Path(self.job.avatar).read_bytes())
        return Outcome((self.job.out,), "written")


@dataclass(frozen=True)
class SleepingTask:
    """Half done, and then nothing more."""

    job: RenderJob
    keeps_process: ClassVar[bool] = False

    def run(self, report: Report) -> Outcome:
        self.job.out.write_bytes(b"half")
        report(1, 2, "Rendering")
        time.sleep(600)
        raise AssertionError


@dataclass(frozen=True)
class RefusingTask:
    """What people can mend."""

    job: RenderJob
    keeps_process: ClassVar[bool] = False

    def run(self, report: Report) -> Outcome:
        del report
        raise NoFaceError("no face was found in the picture")


@dataclass(frozen=True)
class DyingTask:
    """As when the kernel takes the memory back."""

    job: RenderJob
    keeps_process: ClassVar[bool] = False

    def run(self, report: Report) -> Outcome:
        del report
        self.job.out.write_bytes(b"half")
        os.kill(os.getpid(), 9)
        raise AssertionError


@dataclass(frozen=True)
class DyingOnceTask:
    """Dies the first time."""

    job: RenderJob
    keeps_process: ClassVar[bool] = False

    def run(self, report: Report) -> Outcome:
        trace = self.job.out.parent.parent / "died"
        if not trace.exists():
            trace.touch()
            os.kill(os.getpid(), 9)
        return WritingTask(self.job).run(report)


@dataclass(frozen=True)
class SoundTask:
    """A file that is its sound."""

    job: RenderJob
    keeps_process: ClassVar[bool] = False

    def run(self, report: Report) -> Outcome:
        del report
        self.job.out.write_bytes(self.job.audio.read_bytes())
        return Outcome((self.job.out,), "copied")
