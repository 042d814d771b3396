"""A portrait speaks a sound file: the job of the studio and of ``/v1/videos``."""

from dataclasses import dataclass

from server.jobs.task import Outcome, Report, rendered
from server.videos.render_job import RenderJob


@dataclass(frozen=True, slots=True)
class RenderTask:
    """Picklable, for a JobRunner."""

    job: RenderJob

    def run(self, report: Report) -> Outcome:
        """See ``server.videos.offline.render_file``."""
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
        return Outcome((self.job.out,), rendered(frames, time.monotonic() - started))
