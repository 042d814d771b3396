"""Tasks that a job's process runs in tests."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from models.errors import NoFaceError
from server.jobs.task import Outcome, Report

LONG_S = 600
_children: list["subprocess.Popen[bytes]"] = []  # of this process


@dataclass(frozen=True)
class CountTask:
    """Three steps, then a file with the process's niceness."""

    out: Path
    keeps_process: ClassVar[bool] = False

    def run(self, report: Report) -> Outcome:
        for step in range(1, 4):
            report(step, 3, "Counting")
        self.out.write_text(str(os.nice(0)))
        return Outcome((self.out,), "counted")


@dataclass(frozen=True)
class KeepingTask:
    """Its file gets the numbers of its process and of one that the first such task starts."""

    out: Path
    fails: bool = False
    keeps_process: ClassVar[bool] = True

    def run(self, report: Report) -> Outcome:
        del report
        if not _children:
            _children.append(subprocess.Popen(["sleep", str(LONG_S)]))
        self.out.write_text(f"{os.getpid()} {_children[0].pid}")
        if self.fails:
            raise NoFaceError("no face was found in the picture")
        return Outcome((self.out,), "told")


@dataclass(frozen=True)
class RefusingTask:
    """What a picture without a face does."""

    keeps_process: ClassVar[bool] = False

    def run(self, report: Report) -> Outcome:
        del report
        raise NoFaceError("no face was found in the picture")


@dataclass(frozen=True)
class FullDiskTask:
    """A file that has no room: PyAV's errors are OSErrors, too."""

    keeps_process: ClassVar[bool] = False

    def run(self, report: Report) -> Outcome:
        del report
        import av

        with av.open("/dev/full", "w", "wav") as container:
            stream = container.add_stream("pcm_s16le", rate=48_000, layout="mono")
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 480_000), np.int16), "s16", "mono")
            silence.sample_rate = 48_000
            container.mux(stream.encode(silence))
        raise AssertionError


@dataclass(frozen=True)
class DyingTask:
    """What the kernel does when memory is short."""

    keeps_process: ClassVar[bool] = False

    def run(self, report: Report) -> Outcome:
        del report
        os.kill(os.getpid(), 9)
        raise AssertionError


@dataclass(frozen=True)
class LongTask:
    """Starts a process of its own and waits."""

    keeps_process: ClassVar[bool] = False

    def run(self, report: Report) -> Outcome:
        child = subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({LONG_S})"])
        report(child.pid, 0, "Sleeping")
        time.sleep(LONG_S)
        raise AssertionError
