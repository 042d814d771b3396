"""Animate through LivePortrait's networks: the official steps, each batched or in parallel.

source frames -> crops -> features, keypoints      driver -> (crop) -> keypoints, ratios = template
both -> driving keypoints -> warping and generator in batches -> paste-back by several threads
"""

from collections.abc import Iterator, Sequence

import numpy as np

from liveportrait.animate.animation import Animation, Steps
from liveportrait.animate.job import AnimateJob
from liveportrait.animate.neural_driver import Driver, driver_template
from liveportrait.animate.neural_source import NeuralSource, prepare_source
from liveportrait.animation.animal import drive_animal
from liveportrait.animation.driving import DrivenKeypoints, drive
from liveportrait.animation.template import MotionTemplate, load_template, save_template
from liveportrait.neural.engine import networks_of
from liveportrait.pipeline import read_ahead
from liveportrait.runtime.decoder import FrameDecoder, load_decoder
from liveportrait.source.paste_back import PasteBackPool, PasteJob, prepare_mask
from models.device import DevicePolicy
from models.shapes import Image

SIDE_PX = 512
_AHEAD = 4


def neural_animation(job: AnimateJob, steps: Steps) -> Animation:
    """Prepare the source and the driver now; draw while the pictures are taken.

    Raises MissingWeightsError (which names the command that fetches them), PortraitError,
    NoFaceError, ConfigError, TemplateError, VideoError.
    """
    decoder = load_job_decoder(job)
    source = prepare_source(job, decoder, steps)
    template = _job_template(job, source.fps, decoder, steps)
    if job.template_out is not None:
        save_template(template, job.template_out)
    driven = driven_keypoints(job, source, template, decoder)
    steps.expect(len(driven))
    frames = draw(decoder, source.crops_256, driven, job.batch)
    if job.paste_back:
        pictures, size = pasted(source, read_ahead(frames, 2 * job.batch), job.workers), source.size
    else:
        pictures, size = frames, (SIDE_PX, SIDE_PX)
    fps = source.fps or template.fps
    return Animation(fps, len(driven), size, read_ahead(pictures, _AHEAD))


def load_job_decoder(job: AnimateJob) -> FrameDecoder:
    """The networks that a job asks for, on this machine's best device."""
    networks = networks_of(job.weights, seeded=job.seeded_weights, animal=job.animal)
    return load_decoder(networks, DevicePolicy.for_this_machine(), job.quality)


def _job_template(
    job: AnimateJob, fps: float | None, decoder: FrameDecoder, steps: Steps
) -> MotionTemplate:
    if job.driven_by_template:
        return load_template(job.driving)[: job.max_frames]
    options = job.options
    driver = Driver(
        job.driving,
        crop=job.crop_driving,
        ratios=options.eye_retargeting or options.lip_retargeting or job.template_out is not None,
        fps=fps,
        max_frames=job.max_frames,
        batch=job.batch,
        workers=job.workers,
        weights=job.weights,
    )
    return driver_template(driver, decoder, steps)


def driven_keypoints(
    job: AnimateJob, source: NeuralSource, template: MotionTemplate, decoder: FrameDecoder
) -> DrivenKeypoints:
    """Source and driving keypoints of every picture, as the job's options ask."""
    carry = drive_animal if job.animal else drive
    return carry(source.motion, template, job.options, decoder.retargeters)


def draw(
    decoder: FrameDecoder, crops_256: Sequence[Image], driven: DrivenKeypoints, batch: int
) -> Iterator[Image]:
    """The animated crops [512, 512, 3], ``batch`` of them per call of the networks.

    ``crops_256``: the source's, one for each frame or one for all.
    """
    shared = decoder.features(crops_256[0][None]) if len(crops_256) == 1 else None
    for start in range(0, len(driven), batch):
        part = slice(start, min(start + batch, len(driven)))
        features = shared or decoder.features(np.stack(crops_256[part]))
        yield from decoder.decode(features, driven.x_s[part], driven.x_d[part])


def pasted(source: NeuralSource, frames: Iterator[Image], workers: int) -> Iterator[Image]:
    """The source's pictures with the animated crops in them."""
    return PasteBackPool(workers).run(_paste_jobs(source, frames))


def _paste_jobs(source: NeuralSource, frames: Iterator[Image]) -> Iterator[PasteJob]:
    if len(source.to_photo) == 1:  # one place, one mask
        matrix = source.to_photo[0]
        mask = prepare_mask(matrix, source.size)
        for frame, photo in zip(frames, source.pictures(), strict=False):
            yield PasteJob(frame, matrix, photo, mask)
        return
    for frame, photo, matrix in zip(frames, source.pictures(), source.to_photo, strict=False):
        yield PasteJob(frame, matrix, photo)
