"""Animate through the lite engine: the driver's face points move the source's own pixels."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from liveportrait.animate.animation import Animation, Steps
from liveportrait.animate.job import AnimateJob
from liveportrait.animate.lite_motion import (
    driven_keypoints_of,
    driver_motion,
    limited_to_region,
    multiplied,
    track_driver,
)
from liveportrait.animate.lite_template import template_motion
from liveportrait.animation.template import MotionTemplate, load_template
from liveportrait.lite.engine import LitePortrait, LiteRenderer
from liveportrait.pipeline import read_ahead
from liveportrait.source.media import (
    VideoFrames,
    limit_size,
    read_frames,
    read_picture,
    read_source,
)
from models.device import DevicePolicy
from models.errors import ConfigError, PortraitError
from models.face_landmarks import MediaPipeDetector
from models.motion import Motion, rotation_matrix
from models.shapes import KEYPOINTS, FloatArray, Image

_AHEAD = 4


@dataclass(frozen=True, slots=True)
class _Driver:
    """What moves the source: tracked meshes, or a template."""

    fps: float
    meshes: FloatArray | None = None  # [T, L, 3]
    template: MotionTemplate | None = None

    def motion(self, job: AnimateJob, own_pose: Motion) -> Motion:
        """T frames relative to the source's rest, as the job's options ask."""
        options = job.options
        if self.template is not None:
            motion = template_motion(
                self.template,
                relative=options.relative,
                region=options.animation_region,
                own_pose=own_pose,
            )
        else:
            assert self.meshes is not None
            motion = driver_motion(self.meshes, relative=options.relative, source=own_pose)
        motion = limited_to_region(motion, options.animation_region)
        return multiplied(motion, options.driving_multiplier)


@dataclass(frozen=True, slots=True)
class _Shot:
    """One frame: the source's picture, what it is taken apart into, and how that moves."""

    photo: Image
    portrait: LitePortrait | None  # None: no face in it, it stays as it is
    motion: Motion  # absolute, T == 1


def lite_animation(job: AnimateJob, steps: Steps) -> Animation:
    """Track the driver now; render while the pictures are taken.

    Raises PortraitError for a source without one clear face, NoFaceError for such a driver,
    ConfigError when a template cannot do what is asked.
    """
    renderer = LiteRenderer(DevicePolicy(), job.weights)
    source = read_source(job.source, max_frames=job.max_frames)
    fps = source.fps if isinstance(source, VideoFrames) else None
    driver = _read_driver(job, fps, steps)
    first = source if isinstance(source, np.ndarray) else next(iter(source))
    portrait = renderer.prepare_whole(first) if job.paste_back else renderer.prepare(first)
    motion = driver.motion(job, portrait.source)
    if isinstance(source, VideoFrames):
        if not job.paste_back:
            raise ConfigError(
                "the lite engine moves a source video inside its own pictures: leave "
                "--no-paste-back out, or use --engine liveportrait"
            )
        shots = _video_shots(renderer, source, motion, job)
        frames = len(source) if len(motion) == 1 else min(len(source), len(motion))
    else:
        shots = _photo_shots(renderer, source, portrait, motion, job)
        frames = len(motion)
    steps.expect(frames)
    pictures = (_rendered(renderer, shot) for shot in shots)
    return Animation(driver.fps, frames, portrait.size, read_ahead(pictures, _AHEAD))


def _read_driver(job: AnimateJob, fps: float | None, steps: Steps) -> _Driver:
    if job.driven_by_template:
        template = load_template(job.driving)[: job.max_frames]
        return _Driver(fps or template.fps, template=template)
    detector = MediaPipeDetector(job.weights / "face_landmarker.task")
    if job.driven_by_picture:
        picture = limit_size(read_picture(job.driving))
        return _Driver(fps or 25.0, track_driver([picture], detector))
    video = read_frames(job.driving, fps=fps, max_frames=job.max_frames)
    steps.expect(2 * len(video))  # each is tracked, and gives a picture
    meshes = track_driver(_counted(read_ahead(video, _AHEAD), steps), detector)
    return _Driver(video.fps, meshes)


def _counted(frames: Iterable[Image], steps: Steps) -> Iterator[Image]:
    for frame in frames:
        yield frame
        steps.advance()


def _photo_shots(
    renderer: LiteRenderer, photo: Image, portrait: LitePortrait, motion: Motion, job: AnimateJob
) -> Iterator[_Shot]:
    driven = _driven(renderer, portrait, motion, job.options.animation_region)
    for frame in range(len(driven)):
        yield _Shot(photo, portrait, driven[frame : frame + 1])


def _video_shots(
    renderer: LiteRenderer, video: VideoFrames, motion: Motion, job: AnimateJob
) -> Iterator[_Shot]:
    """Every frame is a portrait of its own; the driver's motion adds to the one it shows. Frames
    that cannot be portraits stay as they are."""
    for frame, photo in enumerate(video):
        if len(motion) > 1 and frame == len(motion):
            return
        at = frame if len(motion) > 1 else 0
        moved = motion[at : at + 1]
        try:
            portrait = renderer.prepare_whole(photo)
        except PortraitError:
            yield _Shot(photo, None, moved)
        else:
            region = job.options.animation_region
            yield _Shot(photo, portrait, _driven(renderer, portrait, moved, region))


def _driven(renderer: LiteRenderer, portrait: LitePortrait, motion: Motion, region: str) -> Motion:
    """Absolute motion [T]; what lies outside the region keeps the photograph's own expression."""
    driven = renderer.drive(portrait, motion)
    kept = np.setdiff1d(np.arange(KEYPOINTS), driven_keypoints_of(region))
    turn = rotation_matrix(driven.pitch, driven.yaw, driven.roll)
    driven.exp[:, kept] = portrait.own_exp[kept] @ turn
    return driven


def _rendered(renderer: LiteRenderer, shot: _Shot) -> Image:
    if shot.portrait is None:
        return shot.photo
    return renderer.render([shot.portrait], shot.motion)[0]
