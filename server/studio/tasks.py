"""What the studio's jobs do, in the processes that were started for them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from server.jobs.task import Outcome, Report, rendered

if TYPE_CHECKING:  # a job's process imports what its own task needs
    from liveportrait.animate.job import AnimateJob
    from liveportrait.bench.job import BenchJob


@dataclass(frozen=True, slots=True)
class AnimateTask:
    """A source is moved by a driving file."""

    job: "AnimateJob"
    keeps_process: ClassVar[bool] = False

    def run(self, report: Report) -> Outcome:
        """See ``liveportrait.animate.run.animate``."""
        from liveportrait.animate.run import animate

        report(0, 0, "Loading the engine")
        result = animate(self.job, lambda done, total: report(done, total, "Rendering"))
        files = [result.path]
        if self.job.template_out is not None and self.job.template_out.is_file():
            files.append(self.job.template_out)
        return Outcome(tuple(files), rendered(result.frames, result.seconds))


@dataclass(frozen=True, slots=True)
class BenchTask:
    """The benchmark of the LivePortrait networks; minutes on a CPU."""

    job: "BenchJob"
    keeps_process: ClassVar[bool] = False

    def run(self, report: Report) -> Outcome:
        """See ``liveportrait.bench.run.run_bench``."""
        from liveportrait.bench.run import run_bench

        report(0, 0, "Loading the networks")
        result = run_bench(self.job, lambda done, total: report(done, total, "Measuring"))
        return Outcome((self.job.out / "bench.json",), f"{len(result.measured)} steps measured")
