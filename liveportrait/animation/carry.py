"""Four ways to carry motion over: relative or absolute, to a photograph or to a video.

Each takes the source's KeypointInfo and a driver's motion and gives the head pose, expression,
scale and shift that the source's canonical keypoints get. Source: ``execute`` in the official
``src/live_portrait_pipeline.py``.
"""

from dataclasses import dataclass

import numpy as np

from liveportrait.animation.keypoints import KeypointInfo, transform
from liveportrait.animation.motion_template import MotionTemplate
from liveportrait.animation.options import AnimationOptions, AnimationRegion
from liveportrait.animation.regions import added, copied
from liveportrait.animation.rest_expression import REST_EXPRESSION
from liveportrait.animation.smoothing import smooth
from models.shapes import FloatArray


@dataclass(frozen=True, slots=True)
class CarriedMotion:
    """Parameters of the keypoint equation for T frames; arrays of one frame hold for all."""

    rotation: FloatArray  # [T, 3, 3]
    exp: FloatArray  # [T, K, 3]
    scale: FloatArray  # [T]
    t: FloatArray  # [T, 3]

    def keypoints(self, kp: FloatArray) -> FloatArray:
        """Canonical keypoints [T, K, 3] -> x_d [T, K, 3]."""
        return transform(kp, self.rotation, self.exp, self.scale, self.t)


def relative_to_image(
    source: KeypointInfo,
    motion: MotionTemplate,
    first: MotionTemplate | None,
    options: AnimationOptions,
) -> CarriedMotion:
    """Add the driver's change to a photograph's motion.

    ``first``: the first frame of the driving video; None when one picture drives.
    """
    region = options.animation_region
    rest = _rest_of_picture(region) if first is None else first.exp
    exp = added(source.exp, source.exp + (motion.exp - rest), region)
    start = motion[:1] if first is None else first
    rotation, t, scale = source.rotation, source.t, source.scale
    if options.moves_head:
        rotation = _turned_since(motion.rotation, start.rotation, source.rotation)
        t = t + (motion.t - start.t)
    if region == "all":
        scale = scale * (motion.scale / start.scale)
    return CarriedMotion(rotation, exp, scale, t)


def absolute_to_image(
    source: KeypointInfo, motion: MotionTemplate, options: AnimationOptions
) -> CarriedMotion:
    """Copy the driver's motion; the source keeps its scale."""
    exp = copied(source.exp, motion.exp, options.animation_region)
    if not options.moves_head:
        return CarriedMotion(source.rotation, exp, source.scale, source.t)
    return CarriedMotion(motion.rotation, exp, source.scale, motion.t)


def relative_to_video(
    source: KeypointInfo, motion: MotionTemplate, options: AnimationOptions
) -> CarriedMotion:
    """Add the driver's change to every frame of a video, smoothed; shift and scale stay its own.

    A driver of one frame changes the expression alone, and nothing is smoothed.
    """
    rotation = source.rotation
    if len(motion) > 1:
        exp = _smoothed(source.exp + motion.exp - motion.exp[:1], options)
        if options.moves_head:
            turned = _turned_since(motion.rotation, motion.rotation[:1], rotation)
            rotation = _smoothed(turned, options)
    else:
        exp = source.exp + (motion.exp - REST_EXPRESSION)
    exp = copied(source.exp, exp, options.animation_region)
    return CarriedMotion(rotation, exp, source.scale, source.t)


def absolute_to_video(
    source: KeypointInfo, motion: MotionTemplate, options: AnimationOptions
) -> CarriedMotion:
    """Copy the driver's motion, expression and head pose smoothed, onto every frame of a video."""
    several = len(motion) > 1
    exp = _smoothed(motion.exp, options) if several else motion.exp
    exp = copied(source.exp, exp, options.animation_region)
    if not options.moves_head:
        return CarriedMotion(source.rotation, exp, source.scale, source.t)
    rotation = _smoothed(motion.rotation, options) if several else motion.rotation
    return CarriedMotion(rotation, exp, source.scale, motion.t)


def _rest_of_picture(region: AnimationRegion) -> FloatArray:
    """What a driving picture's expression is compared with [K, 3]; for eyes alone: nothing."""
    return np.zeros_like(REST_EXPRESSION) if region == "eyes" else REST_EXPRESSION


def _turned_since(rotation: FloatArray, first: FloatArray, own: FloatArray) -> FloatArray:
    """The head turn since ``first`` on top of the source's ``own``: R_d R_d0^T R_s [T, 3, 3]."""
    return np.asarray(rotation @ first.transpose(0, 2, 1) @ own, np.float32)


def _smoothed(values: FloatArray, options: AnimationOptions) -> FloatArray:
    """Rotations are smoothed number by number and, as in the official code, stay a bit skewed."""
    return np.asarray(smooth(values, options.smooth_variance), np.float32)
