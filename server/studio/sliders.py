"""The retargeting sliders on the page, and what they do to a portrait of the lite engine.

The liveportrait engine moves its implicit keypoints by the official amounts
(``liveportrait.animation.sliders``); the lite engine has explicit face points, so here every
slider is the movement that its name says.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from liveportrait.animation.sliders import SliderSettings
from liveportrait.lite.drive import turned_about_neck
from liveportrait.lite.sheet import gaze, mouth
from models.motion import Motion, rest
from models.shapes import FloatArray
from server.studio.own_ratios import OwnRatios

Group = Literal["eyes", "lips", "pose", "more"]

_WIDEST_GAP = 26.0  # canonical units between the inner lips; beyond, the face tears
_SHIFT_UNITS = 70.0  # canonical units of a head that moves by 1 of the official sliders
_LEFT_LIDS, _RIGHT_LIDS = (16, 17), (14, 15)  # upper, lower, of the person's left and right eye
_CORNERS = (0, 1)  # of the mouth, the picture's left one first


@dataclass(frozen=True, slots=True)
class Slider:
    """One slider of the page; its range is that of ``SLIDER_RANGES[name]``."""

    name: str
    label: str
    group: Group
    step: float
    rest: float = 0.0


SLIDERS = (
    Slider("eye_ratio", "Eyes open", "eyes", 0.01, 0.35),
    Slider("lip_ratio", "Lips open", "lips", 0.01),
    Slider("pitch", "Nod", "pose", 0.5),
    Slider("yaw", "Turn", "pose", 0.5),
    Slider("roll", "Tilt", "pose", 0.5),
    Slider("smile", "Smile", "more", 0.02),
    Slider("wink", "Wink", "more", 0.5),
    Slider("eyebrow", "Brows", "more", 0.5),
    Slider("gaze_x", "Look across", "more", 0.5),
    Slider("gaze_y", "Look up", "more", 1.0),
    Slider("pout", "Pout", "more", 0.01),
    Slider("purse", "Purse", "more", 0.5),
    Slider("grin", "Grin", "more", 0.5),
    Slider("lips_open", "Jaw", "more", 1.0),
    Slider("move_x", "Move across", "more", 0.01),
    Slider("move_y", "Move down", "more", 0.01),
    Slider("zoom", "Nearer", "more", 0.01, 1.0),
)


def at_rest(own: OwnRatios) -> list[float]:
    """Every slider where it leaves the portrait as it is, in the order of SLIDERS."""
    ratios = {"eye_ratio": own.eyes, "lip_ratio": own.lips}
    return [ratios.get(slider.name, slider.rest) for slider in SLIDERS]


def settings_of(values: Sequence[float]) -> SliderSettings:
    """Values in the order of SLIDERS. Raises ConfigError for one out of its range."""
    return SliderSettings(
        **{slider.name: value for slider, value in zip(SLIDERS, values, strict=True)}
    )


def lite_motion(
    settings: SliderSettings, own: OwnRatios, mouth_width: float, eye_gap: float
) -> Motion:
    """Slider settings -> motion relative to rest, T == 1.

    mouth_width: the portrait's, in canonical units; eye_gap: the keypoint map's lid gap.
    """
    still = rest(1)
    exp = still.exp[0]
    _open_eyes(exp, settings, own, eye_gap)
    _shape_mouth(exp, settings, own, mouth_width)
    exp[[18, 19], 1] -= settings.eyebrow * 0.25
    gaze(settings.gaze_x * 0.18, -settings.gaze_y * 0.07)(exp)
    pitch, yaw, roll = np.array([[settings.pitch], [settings.yaw], [settings.roll]], np.float32)
    scale = np.array([settings.zoom], np.float32)
    turned = turned_about_neck(Motion(pitch, yaw, roll, still.t, scale, still.exp))
    shift = np.array([[settings.move_x, settings.move_y, 0.0]], np.float32) * _SHIFT_UNITS
    return replace(turned, t=turned.t + shift)


def _open_eyes(exp: FloatArray, settings: SliderSettings, own: OwnRatios, eye_gap: float) -> None:
    ratio = own.eyes if settings.eye_ratio is None else settings.eye_ratio
    shut = 1.0 - ratio / max(own.eyes, 0.05)
    wink = min(settings.wink / 30.0, 1.0)
    for (upper, lower), closed in (
        (_RIGHT_LIDS, shut),
        (_LEFT_LIDS, min(1.0, shut + wink)),
    ):
        exp[upper, 1] += 0.88 * closed * eye_gap
        exp[lower, 1] -= 0.12 * closed * eye_gap


def _shape_mouth(
    exp: FloatArray, settings: SliderSettings, own: OwnRatios, mouth_width: float
) -> None:
    ratio = own.lips if settings.lip_ratio is None else settings.lip_ratio
    smile, grin = settings.smile, settings.grin / 15.0
    pout, purse = settings.pout / 0.09, settings.purse / 15.0
    gap = ratio * mouth_width + settings.lips_open / 6.0
    wider = 5.0 * smile + 6.0 * grin - 7.0 * max(pout, 0.0) - 5.0 * purse
    forward = 5.0 * pout + 2.0 * purse
    mouth(min(max(gap, 0.0), _WIDEST_GAP) + 3.0 * grin, wider, forward)(exp)
    exp[list(_CORNERS), 1] -= 6.0 * smile + 2.0 * grin
    exp[[6, 7, 8, 9], 1] -= 2.0 * smile  # the lips between corners and middle follow
