"""A portrait speaks a sound file: the job of the studio and of ``/v1/videos``."""

from dataclasses import dataclass
from typing import ClassVar

from server.jobs.task import Outcome, Report, rendered
from server.videos.render_job import RenderJob


@dataclass(frozen=True, slots=True)
class RenderTask:
    """Picklable, for a JobRunner."""

    job: RenderJob
    keeps_process: ClassVar[bool] = True  # loading the engine takes longer than a short video

    def run(self, report: Report) -> Outcome:
        """See ``server.videos.offline.render_file``."""
        import time

        from server.videos.warm_engine import warm_engine

        started = time.monotonic()
        frames = 0

        def count(done: int, total: int) -> None:
            nonlocal frames
            frames = total
            report(done, total, "Rendering")

        engine = warm_engine()
        if not engine.is_loaded(self.job.engine):
            report(0, 0, "Loading the engine")
        engine.render(self.job, count)
        return Outcome((self.job.out,), rendered(frames, time.monotonic() - started))
