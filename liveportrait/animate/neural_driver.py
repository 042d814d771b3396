"""What the networks are driven by: a video, a picture or a template, as a motion template."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from liveportrait.animate.animation import Steps
from liveportrait.animate.job import PICTURE_SUFFIXES
from liveportrait.animation.keypoints import KeypointInfo, concatenate
from liveportrait.animation.template import MotionTemplate, template_of
from liveportrait.pipeline import in_batches, in_parallel, read_ahead
from liveportrait.runtime.decoder import FrameDecoder
from liveportrait.source.driving_crop import (
    crop_needed,
    crop_to_box,
    driving_box,
    driving_input,
    track_faces,
)
from liveportrait.source.faces import choose_analyser
from liveportrait.source.media import VideoFrames, limit_size, read_frames, read_picture
from models.shapes import FloatArray, Image
from models.weights import WEIGHTS_DIR

PICTURE_FPS = 25.0  # of a video made from two pictures
_AHEAD = 4


@dataclass(frozen=True, slots=True)
class Driver:
    """A driving video or picture and how it is looked at."""

    path: Path
    crop: bool = False  # cut the face out; unasked where frames are not square
    ratios: bool = True  # of eyes and lips: needs the face to be found in every frame
    fps: float | None = None  # None: its own
    max_frames: int | None = None
    batch: int = 4
    workers: int = 2
    weights: Path = WEIGHTS_DIR


def driver_template(driver: Driver, decoder: FrameDecoder, steps: Steps) -> MotionTemplate:
    """Its motion, frame by frame; one frame for a picture.

    Raises what ``read_frames`` raises, and NoFaceError when its face is needed and not seen.
    """
    frames: VideoFrames | list[Image]
    if driver.path.suffix.lower() in PICTURE_SUFFIXES:
        frames, fps = [limit_size(read_picture(driver.path))], driver.fps or PICTURE_FPS
        size = frames[0].shape[1], frames[0].shape[0]
    else:
        frames = read_frames(driver.path, fps=driver.fps, max_frames=driver.max_frames)
        fps, size = frames.fps, frames.size
    crop = driver.crop or crop_needed(size)
    steps.expect(len(frames) * (2 + (crop or driver.ratios)))
    points = None
    if crop or driver.ratios:
        seen = _counted(read_ahead(frames, _AHEAD), steps)
        points = track_faces(seen, choose_analyser(driver.weights), driver.path.name).points
    inputs = _inputs(frames, points if crop else None, driver.workers)
    infos: list[KeypointInfo] = []
    for batch in in_batches(read_ahead(inputs, _AHEAD), driver.batch):
        infos.append(decoder.motion(np.stack(batch)))
        steps.advance(len(batch))
    return template_of(concatenate(infos), fps, points)


def _inputs(
    frames: Iterable[Image], crop_points: FloatArray | None, workers: int
) -> Iterator[Image]:
    """Frames [256, 256, 3] as the networks see them: whole, or the box around the face."""
    if crop_points is None:
        return in_parallel(frames, driving_input, workers)
    box = driving_box(crop_points)
    return in_parallel(frames, lambda frame: crop_to_box(frame, box).image_256, workers)


def _counted(frames: Iterable[Image], steps: Steps) -> Iterator[Image]:
    for frame in frames:
        yield frame
        steps.advance()
