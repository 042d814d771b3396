"""The frames that every row draws: a real source and a real driver, prepared once."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from liveportrait.animate.animation import Steps
from liveportrait.animate.job import AnimateJob
from liveportrait.animate.neural import driven_keypoints
from liveportrait.animate.neural_driver import Driver, driver_template
from liveportrait.animate.neural_source import prepare_source
from liveportrait.animation.template import load_template
from liveportrait.bench.job import BenchJob
from liveportrait.runtime.decoder import FrameDecoder
from liveportrait.source.paste_back import PasteMask, prepare_mask
from models.errors import ConfigError
from models.shapes import FloatArray, Image


@dataclass(frozen=True, slots=True)
class BenchFrames:
    """A photograph, its crop, and N pairs of keypoints."""

    photo: Image  # [H, W, 3]
    crop_256: Image  # [256, 256, 3]
    to_photo: FloatArray  # [3, 3]
    mask: PasteMask
    x_s: FloatArray  # [N, K, 3]
    x_d: FloatArray  # [N, K, 3]

    def __len__(self) -> int:
        return len(self.x_d)

    def part(self, frames: slice) -> "BenchFrames":
        """Some of the pairs."""
        return BenchFrames(
            self.photo, self.crop_256, self.to_photo, self.mask, self.x_s[frames], self.x_d[frames]
        )

    def batches(self, size: int) -> Iterator["BenchFrames"]:
        """All pairs, ``size`` at a time."""
        for start in range(0, len(self), size):
            yield self.part(slice(start, start + size))


def prepare_frames(job: BenchJob, decoder: FrameDecoder) -> BenchFrames:
    """Crop the source, look at the driver, and carry its motion over, as ``animate`` does.

    A driver with too few frames begins again. Raises what ``animate`` raises, and ConfigError when
    the source is a video.
    """
    steps = Steps(lambda _done, _all: None)
    animate = AnimateJob(
        job.source,
        job.driving,
        job.out / "bench.mp4",  # a name to be checked, never written
        engine="liveportrait",
        max_frames=job.real_frames,
        weights=job.weights,
        seeded_weights=job.seeded_weights,
        workers=job.workers,
        batch=1,
    )
    if animate.source_is_video:
        raise ConfigError("the benchmark's source is a photograph")
    source = prepare_source(animate, decoder, steps)
    if animate.driven_by_template:
        template = load_template(job.driving)[: job.real_frames]
    else:
        driver = Driver(
            job.driving, ratios=False, max_frames=job.real_frames, batch=1, weights=job.weights
        )
        template = driver_template(driver, decoder, steps)
    driven = driven_keypoints(animate, source, template, decoder)
    order = np.arange(job.real_frames) % len(driven)
    return BenchFrames(
        photo=next(source.pictures()),
        crop_256=source.crops_256[0],
        to_photo=source.to_photo[0],
        mask=prepare_mask(source.to_photo[0], source.size),
        x_s=driven.x_s[order % len(driven.x_s)],
        x_d=driven.x_d[order],
    )
