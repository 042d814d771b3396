"""Carry motion over to an animal.

Source: ``execute`` in the official ``src/live_portrait_pipeline_animal.py``: head pose and the
whole expression are the driver's, and what moves is the change since its first frame, scaled by
the sizes of the two faces.
"""

import numpy as np

from liveportrait.animation.corrections import strengthened
from liveportrait.animation.hull import motion_multiplier
from liveportrait.animation.keypoints import transform
from liveportrait.animation.motion_template import MotionTemplate
from liveportrait.animation.options import AnimationOptions
from liveportrait.animation.retargeters import Retargeters
from liveportrait.animation.source_motion import DrivenKeypoints, SourceMotion


def drive_animal(
    source: SourceMotion,
    template: MotionTemplate,
    options: AnimationOptions,
    retargeters: Retargeters,
) -> DrivenKeypoints:
    """Keypoints of every frame of the driver.

    Of the options ``stitching`` and ``driving_multiplier`` count. Raises ValueError when the
    source is a video or the driver has no frames.
    """
    if source.is_video:
        raise ValueError("the source of an animal animation is a photograph")
    if not len(template):
        raise ValueError("there is no frame to drive with")
    info = source.info
    x_s = info.keypoints()
    x_d = transform(info.kp, template.rotation, template.exp, info.scale, template.t)
    x_d = x_s + (x_d - x_d[:1]) * np.float32(motion_multiplier(x_s[0], x_d[0]))
    if options.stitching:
        x_d = retargeters.stitch(x_s, x_d)
    x_d = strengthened(x_s, x_d, options.driving_multiplier)
    return DrivenKeypoints(np.repeat(x_s, len(x_d), axis=0), x_d)
