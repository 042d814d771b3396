"""How motion is carried over to a source: the official options, with the command line's defaults.

Official names and defaults: ``src/config/argument_config.py``; the class defaults of
``inference_config.py`` differ (normalize_lip, driving_option) and are not what users get.
"""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from models.errors import ConfigError

DrivingOption = Literal["expression-friendly", "pose-friendly"]
AnimationRegion = Literal["all", "exp", "pose", "lip", "eyes"]

OFFICIAL_NAMES = {
    "relative": "flag_relative_motion",
    "driving_option": "driving_option",
    "animation_region": "animation_region",
    "driving_multiplier": "driving_multiplier",
    "stitching": "flag_stitching",
    "normalize_lip": "flag_normalize_lip",
    "eye_retargeting": "flag_eye_retargeting",
    "lip_retargeting": "flag_lip_retargeting",
    "source_video_eye_retargeting": "flag_source_video_eye_retargeting",
    "smooth_variance": "driving_smooth_observation_variance",
    "lip_normalize_threshold": "lip_normalize_threshold",
    "source_video_eye_threshold": "source_video_eye_retargeting_threshold",
}
"""Our names -> the official ones."""


@dataclass(frozen=True, slots=True)
class AnimationOptions:
    """What moves, and how. Raises ConfigError for a value out of its range."""

    relative: bool = True
    """Add the driver's change since its first frame (else: copy the driver's motion)."""
    driving_option: DrivingOption = "expression-friendly"
    """expression-friendly scales motion by the size of the two faces; pose-friendly does not.

    As in the official code they differ by rounding alone: a driver's first frame gives the
    photograph back, and that is the size it is compared by. (Animals: ``animal.py``.)
    """
    animation_region: AnimationRegion = "all"
    """What is carried over: everything, expression, head pose, lips or eyes."""
    driving_multiplier: float = 1.0
    """Strength of the result against the source, applied last."""
    stitching: bool = True
    """Let the stitching network keep the shoulders where they are."""
    normalize_lip: bool = False
    """Relative only: close the source's lips first if they are open (lip_normalize_threshold)."""
    eye_retargeting: bool = False
    """Eyes as open as the driver's. In relative mode the driver's other motion is dropped."""
    lip_retargeting: bool = False
    """Lips as open as the driver's. In relative mode the driver's other motion is dropped."""
    source_video_eye_retargeting: bool = False
    """Source videos: eyes in every frame as open as in the first."""
    smooth_variance: float = 3e-7
    """Source videos: observation variance of the smoother; more is smoother."""
    lip_normalize_threshold: float = 0.03
    source_video_eye_threshold: float = 0.18
    """A first frame with eyes less open than this counts as a blink ..."""
    source_video_eye_fallback: float = 0.39
    """... and this openness is the aim instead."""

    def __post_init__(self) -> None:
        _one_of("driving_option", self.driving_option, get_args(DrivingOption))
        _one_of("animation_region", self.animation_region, get_args(AnimationRegion))
        _in_range("driving_multiplier", self.driving_multiplier, -10.0, 10.0)
        _in_range("smooth_variance", self.smooth_variance, 1e-12, 1.0)
        _in_range("lip_normalize_threshold", self.lip_normalize_threshold, 0.0, 10.0)
        _in_range("source_video_eye_threshold", self.source_video_eye_threshold, 0.0, 10.0)
        _in_range("source_video_eye_fallback", self.source_video_eye_fallback, 0.0, 10.0)

    @property
    def moves_head(self) -> bool:
        """Whether rotation and shift are carried over."""
        return self.animation_region in ("all", "pose")


def _one_of(name: str, value: str, accepted: tuple[str, ...]) -> None:
    if value not in accepted:
        raise ConfigError(f"{name} is {value!r}; accepted: {', '.join(accepted)}")


def _in_range(name: str, value: float, low: float, high: float) -> None:
    if not (math.isfinite(value) and low <= value <= high):
        raise ConfigError(f"{name} is {value}; accepted: {low:g} to {high:g}")
