"""Edit a photograph by sliders: head pose, openness of eyes and lips, seventeen in all.

Source: ``execute_image_retargeting`` and the ``update_delta_new_*`` functions of the official
``src/gradio_pipeline.py``; the ranges are those of its ``app.py``.
"""

import math
from dataclasses import dataclass, fields

import numpy as np

from liveportrait.animation.keypoints import KeypointInfo
from liveportrait.animation.ratios import (
    combined_eye_ratios,
    combined_lip_ratios,
    eye_ratios,
    lip_ratios,
)
from liveportrait.animation.retargeters import Retargeters
from models.errors import ConfigError
from models.motion import rotation_matrix
from models.shapes import FloatArray

_Gains = tuple[tuple[int, int, float], ...]  # keypoint, axis (x, y, z), change for a slider at 1


@dataclass(frozen=True, slots=True)
class SliderRange:
    """What a slider goes through, and the official name of its argument."""

    official: str
    low: float
    high: float
    step: float


SLIDER_RANGES: dict[str, SliderRange] = {
    "eye_ratio": SliderRange("input_eye_ratio", 0.0, 0.8, 0.01),
    "lip_ratio": SliderRange("input_lip_ratio", 0.0, 0.8, 0.01),
    "pitch": SliderRange("input_head_pitch_variation", -15.0, 15.0, 1.0),
    "yaw": SliderRange("input_head_yaw_variation", -25.0, 25.0, 1.0),
    "roll": SliderRange("input_head_roll_variation", -15.0, 15.0, 1.0),
    "move_x": SliderRange("mov_x", -0.19, 0.19, 0.01),
    "move_y": SliderRange("mov_y", -0.19, 0.19, 0.01),
    "zoom": SliderRange("mov_z", 0.9, 1.2, 0.01),
    "pout": SliderRange("lip_variation_zero", -0.09, 0.09, 0.01),
    "purse": SliderRange("lip_variation_one", -20.0, 15.0, 0.01),
    "grin": SliderRange("lip_variation_two", 0.0, 15.0, 0.01),
    "lips_open": SliderRange("lip_variation_three", -90.0, 120.0, 1.0),
    "smile": SliderRange("smile", -0.3, 1.3, 0.01),
    "wink": SliderRange("wink", 0.0, 39.0, 0.01),
    "eyebrow": SliderRange("eyebrow", -30.0, 30.0, 0.01),
    "gaze_x": SliderRange("eyeball_direction_x", -30.0, 30.0, 0.01),
    "gaze_y": SliderRange("eyeball_direction_y", -63.0, 63.0, 0.01),
}


@dataclass(frozen=True, slots=True)
class SliderSettings:
    """Where the sliders stand; by default nothing changes.

    Raises ConfigError for a value outside ``SLIDER_RANGES``.
    """

    eye_ratio: float | None = None
    """Openness of both eyes (height over width); None, or the photograph's own: as they are."""
    lip_ratio: float | None = None
    """Openness of the lips; None, or the photograph's own: as they are."""
    pitch: float = 0.0
    """Degrees more than the photograph's, as yaw and roll."""
    yaw: float = 0.0
    roll: float = 0.0
    move_x: float = 0.0
    move_y: float = 0.0
    zoom: float = 1.0
    pout: float = 0.0
    purse: float = 0.0
    grin: float = 0.0
    lips_open: float = 0.0
    smile: float = 0.0
    wink: float = 0.0
    eyebrow: float = 0.0
    gaze_x: float = 0.0
    gaze_y: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value, limits = getattr(self, field.name), SLIDER_RANGES[field.name]
            if value is None:
                continue
            if not (math.isfinite(value) and limits.low <= value <= limits.high):
                raise ConfigError(
                    f"{field.name} is {value}; accepted: {limits.low:g} to {limits.high:g}"
                )


# What one unit of each slider adds to the expression; eyebrows and gaze differ by direction.
_GAINS: dict[str, _Gains] = {
    "move_x": ((5, 0, -1.0),),
    "move_y": ((5, 1, 1.0),),
    "pout": ((19, 0, 1.0),),
    "purse": ((14, 1, 0.001), (3, 1, -0.0005), (7, 1, -0.0005), (17, 2, -0.0005)),
    "grin": ((20, 2, -0.001), (20, 1, -0.001), (14, 1, -0.001)),
    "lips_open": ((19, 1, 0.001), (19, 2, 0.0001), (17, 1, -0.0001)),
    "smile": (
        *((20, 1, -0.01), (14, 1, -0.02), (17, 1, 0.0065), (17, 2, 0.003)),
        *((13, 1, -0.00275), (16, 1, -0.00275), (3, 1, -0.0035), (7, 1, -0.0035)),
    ),
    "wink": (
        *((11, 1, 0.001), (13, 1, -0.0003), (17, 0, 0.0003), (17, 1, 0.0003), (3, 1, -0.0003)),
    ),
    "gaze_y": ((11, 1, -0.0005), (13, 1, -0.00015), (15, 1, -0.0005), (16, 1, -0.00015)),
}
_EYEBROW_UP: _Gains = ((1, 1, 0.001), (2, 1, -0.001))
_EYEBROW_DOWN: _Gains = ((1, 0, -0.001), (2, 0, 0.001), (1, 1, 0.0003), (2, 1, -0.0003))
_GAZE_RIGHT: _Gains = ((11, 0, 0.0007), (15, 0, 0.001))
_GAZE_LEFT: _Gains = ((11, 0, 0.001), (15, 0, 0.0007))


def source_ratios(landmarks: FloatArray) -> tuple[float, float]:
    """Where the eye and lip sliders start for landmarks [1, 203, 2]: two decimals."""
    eyes, lips = float(eye_ratios(landmarks).mean()), float(lip_ratios(landmarks)[0, 0])
    return round(eyes, 2), round(lips, 2)


def slider_expression(exp: FloatArray, settings: SliderSettings) -> FloatArray:
    """The expression [T, K, 3] with what the sliders add to it."""
    changed = exp.astype(np.float64)
    gains = {
        **_GAINS,
        "eyebrow": _EYEBROW_UP if settings.eyebrow > 0 else _EYEBROW_DOWN,
        "gaze_x": _GAZE_RIGHT if settings.gaze_x > 0 else _GAZE_LEFT,
    }
    for name, parts in gains.items():
        for point, axis, gain in parts:
            changed[:, point, axis] += gain * getattr(settings, name)
    return np.asarray(changed, np.float32)


def retarget_sliders(
    source: KeypointInfo,
    landmarks: FloatArray | None,
    settings: SliderSettings,
    retargeters: Retargeters,
    stitching: bool = True,
) -> FloatArray:
    """Driving keypoints [1, K, 3] of a photograph with the sliders where they stand.

    source: one frame; landmarks [1, 203, 2]: needed only for ``eye_ratio`` and ``lip_ratio``, else
    None. Raises ConfigError when they are needed and missing, ValueError for several frames.
    """
    if len(source) != 1:
        raise ValueError(f"sliders edit one photograph, not {len(source)} frames")
    x_s = source.keypoints()
    rotation = rotation_matrix(
        source.pitch + np.float32(settings.pitch),
        source.yaw + np.float32(settings.yaw),
        source.roll + np.float32(settings.roll),
    )
    exp = slider_expression(source.exp, settings)
    scale = np.float32(settings.zoom) * source.scale
    # unlike driven motion, the depth of t is kept here: the official sliders do
    x_d = scale[:, None, None] * (source.kp @ rotation + exp) + source.t[:, None]
    x_d = x_d + _openness(x_s, landmarks, settings, retargeters)
    return np.asarray(retargeters.stitch(x_s, x_d) if stitching else x_d, np.float32)


def _openness(
    x_s: FloatArray,
    landmarks: FloatArray | None,
    settings: SliderSettings,
    retargeters: Retargeters,
) -> FloatArray:
    """What eyes and lips of another openness add to the keypoints [1, K, 3]."""
    delta = np.zeros_like(x_s)
    if settings.eye_ratio is None and settings.lip_ratio is None:
        return delta
    if landmarks is None:
        raise ConfigError("eye_ratio and lip_ratio need the photograph's 203 face landmarks")
    own_eyes, own_lips = source_ratios(landmarks)
    if settings.eye_ratio not in (None, own_eyes):
        ratios = combined_eye_ratios(landmarks, settings.eye_ratio)
        delta = delta + retargeters.eye_delta(x_s, ratios)
    if settings.lip_ratio not in (None, own_lips):
        ratios = combined_lip_ratios(landmarks, settings.lip_ratio)
        delta = delta + retargeters.lip_delta(x_s, ratios)
    return delta
