"""Carry motion over to a source: which keypoints make the source's picture move.

Source: ``execute`` in the official ``src/live_portrait_pipeline.py``, whose results on seeded
networks are reproduced case by case.
"""

from liveportrait.animation.carry import absolute_to_video, relative_to_video
from liveportrait.animation.corrections import retargeted, source_delta, stitched, strengthened
from liveportrait.animation.image_driver import ImageDriver
from liveportrait.animation.motion_template import MotionTemplate
from liveportrait.animation.options import AnimationOptions
from liveportrait.animation.retargeters import Retargeters
from liveportrait.animation.source_motion import DrivenKeypoints, SourceMotion

__all__ = ["DrivenKeypoints", "SourceMotion", "drive"]


def drive(
    source: SourceMotion,
    template: MotionTemplate,
    options: AnimationOptions,
    retargeters: Retargeters,
) -> DrivenKeypoints:
    """Keypoints of every frame that comes of a source and a driver; the arguments stay as they are.

    A photograph gives as many frames as the driver has; a video as many as the shorter of the two,
    or all of its own when one picture drives. Raises ValueError for a driver without frames,
    ConfigError when an option asks for what source or template do not have.
    """
    if not source.is_video:
        driver = ImageDriver(source, options, retargeters, from_video=len(template) > 1)
        return driver.advance(template)
    if len(template) > 1:
        frames = slice(min(len(source), len(template)))
        return _drive_video(source[frames], template[frames], options, retargeters)
    return _drive_video(source, template, options, retargeters)


def _drive_video(
    source: SourceMotion,
    motion: MotionTemplate,
    options: AnimationOptions,
    retargeters: Retargeters,
) -> DrivenKeypoints:
    """``motion`` has as many frames as the source, or one for all of them."""
    if not len(motion):
        raise ValueError("there is no frame to drive with")
    x_s = source.info.keypoints()
    carry = relative_to_video if options.relative else absolute_to_video
    x_d = carry(source.info, motion, options).keypoints(source.info.kp)
    if options.eye_retargeting or options.lip_retargeting:
        x_d = retargeted(source, motion, x_s, x_d, options, retargeters)
    else:
        delta = source_delta(source, x_s, options, retargeters)
        x_d = stitched(x_s, x_d, delta, options, retargeters)
    return DrivenKeypoints(x_s, strengthened(x_s, x_d, options.driving_multiplier))
