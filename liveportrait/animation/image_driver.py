"""Drive a photograph, a few frames at a time or all at once."""

from dataclasses import dataclass, field

import numpy as np

from liveportrait.animation.carry import absolute_to_image, relative_to_image
from liveportrait.animation.corrections import retargeted, source_delta, stitched, strengthened
from liveportrait.animation.hull import motion_multiplier
from liveportrait.animation.motion_template import MotionTemplate
from liveportrait.animation.options import AnimationOptions
from liveportrait.animation.retargeters import Retargeters
from liveportrait.animation.source_motion import DrivenKeypoints, SourceMotion
from models.shapes import FloatArray


@dataclass(slots=True)
class ImageDriver:
    """Carries one driver's motion over to a photograph; made on start, dropped on stop.

    It remembers the driver's first frame, with which relative motion compares all others, so
    frames may come in pieces of any size. ``from_video`` False: the driver is one picture.
    Raises ValueError when the source is a video, ConfigError when an option asks for what source
    or template do not have.
    """

    source: SourceMotion
    options: AnimationOptions
    retargeters: Retargeters
    from_video: bool = True
    x_s: FloatArray = field(init=False)  # [1, K, 3]
    _delta: FloatArray | None = field(init=False)  # [1, K, 3]
    _first: MotionTemplate | None = field(init=False, default=None)
    _first_x_d: FloatArray | None = field(init=False, default=None)  # [1, K, 3]
    _size_ratio: float = field(init=False, default=1.0)

    def __post_init__(self) -> None:
        if self.source.is_video:
            raise ValueError("ImageDriver drives a photograph; for a video there is drive()")
        self.x_s = self.source.info.keypoints()
        self._delta = source_delta(self.source, self.x_s, self.options, self.retargeters)

    def advance(self, motion: MotionTemplate) -> DrivenKeypoints:
        """The next T frames of the driver -> keypoints of T frames."""
        if not len(motion):
            raise ValueError("there is no frame to drive with")
        x_d = self._carried(motion)
        if self.options.eye_retargeting or self.options.lip_retargeting:
            x_d = retargeted(self.source, motion, self.x_s, x_d, self.options, self.retargeters)
        else:
            x_d = stitched(self.x_s, x_d, self._delta, self.options, self.retargeters)
        x_d = strengthened(self.x_s, x_d, self.options.driving_multiplier)
        return DrivenKeypoints(np.repeat(self.x_s, len(x_d), axis=0), x_d)

    def _carried(self, motion: MotionTemplate) -> FloatArray:
        info, options = self.source.info, self.options
        if not options.relative:
            return absolute_to_image(info, motion, options).keypoints(info.kp)
        if self.from_video and self._first is None:
            self._first = motion[:1]
        x_d = relative_to_image(info, motion, self._first, options).keypoints(info.kp)
        if self.from_video and options.driving_option == "expression-friendly":
            return self._sized(x_d)
        return x_d

    def _sized(self, x_d: FloatArray) -> FloatArray:
        """Motion off the first frame, scaled by the sizes of the two faces."""
        if self._first_x_d is None:
            self._first_x_d = x_d[:1]
            self._size_ratio = motion_multiplier(self.x_s[0], x_d[0])
        return np.asarray(self.x_s + (x_d - self._first_x_d) * self._size_ratio, np.float32)
