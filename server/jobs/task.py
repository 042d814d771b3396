"""What a studio job does, in the process that was started for it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # a job's process imports what its own task needs
    from liveportrait.animate.job import AnimateJob
    from liveportrait.bench.job import BenchJob
    from server.videos.offline import RenderJob

Report = Callable[[int, int, str], None]
"""Steps done, steps in all (0: not known), what is being done."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Files that a job made, and a sentence about it."""

    files: tuple[Path, ...]
    summary: str


class Task(Protocol):
    """Picklable. ``run`` raises VisavisError for what people can mend."""

    def run(self, report: Report) -> Outcome:
        """Does the work; calls ``report`` as it goes."""
        ...


@dataclass(frozen=True, slots=True)
class SpeakTask:
    """A portrait speaks a sound file."""

    job: "RenderJob"

    def run(self, report: Report) -> Outcome:
        """See ``server.offline.render_file``."""
        import asyncio
        import time

        from server.videos.offline import render_file

        started = time.monotonic()
        frames = 0

        def count(done: int, total: int) -> None:
            nonlocal frames
            frames = total
            report(done, total, "Rendering")

        report(0, 0, "Loading the engine")
        asyncio.run(render_file(self.job, count))
        return Outcome((self.job.out,), _summary(frames, time.monotonic() - started))


@dataclass(frozen=True, slots=True)
class AnimateTask:
    """A source is moved by a driving file."""

    job: "AnimateJob"

    def run(self, report: Report) -> Outcome:
        """See ``liveportrait.animate.run.animate``."""
        from liveportrait.animate.run import animate

        report(0, 0, "Loading the engine")
        result = animate(self.job, lambda done, total: report(done, total, "Rendering"))
        files = [result.path]
        if self.job.template_out is not None and self.job.template_out.is_file():
            files.append(self.job.template_out)
        return Outcome(tuple(files), _summary(result.frames, result.seconds))


@dataclass(frozen=True, slots=True)
class BenchTask:
    """The benchmark of the LivePortrait networks; minutes on a CPU."""

    job: "BenchJob"

    def run(self, report: Report) -> Outcome:
        """See ``liveportrait.bench.run.run_bench``."""
        from liveportrait.bench.run import run_bench

        report(0, 0, "Loading the networks")
        result = run_bench(self.job, lambda done, total: report(done, total, "Measuring"))
        return Outcome((self.job.out / "bench.json",), f"{len(result.measured)} steps measured")


def _summary(frames: int, seconds: float) -> str:
    return f"{frames} frames in {seconds:.1f} s"
