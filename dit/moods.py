"""Moods: what a face wears while it speaks and listens, added to whatever else it does.

Offsets of the lite engine's keypoints in canonical units (a face is 240 high; x to the picture's
right, y down, z away). No mood parts the lips: the inner lips' middles move together, so /p b m/
shut as ever. Implicit keypoints have no such places; engines that use them show no mood.
"""

import numpy as np

from dit.layout import FACE_PARTS
from models.shapes import KEYPOINTS, FloatArray

NEUTRAL = "neutral"
Offset = tuple[float, float, float]

# places in the list of keypoints (models/face_keypoints.py), the picture's left one first
_CORNERS, _UPPER_SIDES, _LOWER_SIDES = (0, 1), (6, 7), (8, 9)
_UPPER_MIDDLE, _LOWER_MIDDLE = (2, 4), (3, 5)  # outer and inner lip
_UPPER_LIDS, _LOWER_LIDS, _BROWS = (14, 16), (15, 17), (18, 19)


def _face(**parts: Offset) -> FloatArray:
    """[K, 3] from offsets of pairs; x is outwards, away from the middle of the face."""
    exp = np.zeros((KEYPOINTS, 3), np.float32)
    pairs = {
        "corners": _CORNERS,
        "upper_sides": _UPPER_SIDES,
        "lower_sides": _LOWER_SIDES,
        "upper_lids": _UPPER_LIDS,
        "lower_lids": _LOWER_LIDS,
        "brows": _BROWS,
    }
    for name, (outwards, down, back) in parts.items():
        if name == "lips":
            exp[[*_UPPER_MIDDLE, *_LOWER_MIDDLE]] = (0.0, down, back)
            continue
        left, right = pairs[name]
        exp[left], exp[right] = (-outwards, down, back), (outwards, down, back)
    return exp


# Sizes of smile, brows and lids as MediaPipe's blendshapes (mouthSmile, browDown, browOuterUp,
# eyeSquint) move these keypoints in 28 talking clips, by ridge regression; a happy face is a smile
# of 0.6 of the full one. No clip shows a frown: the mouths of "sad" and "stern" were chosen by eye.
MOODS: dict[str, FloatArray] = {
    "happy": _face(
        corners=(5.0, -4.3, 6.0),
        upper_sides=(3.5, -3.0, 4.5),
        lower_sides=(3.5, -1.4, 4.5),
        lips=(0.0, -1.2, 2.8),
        lower_lids=(0.0, -1.4, 0.0),
        brows=(0.0, -0.8, 0.0),
    ),
    "sad": _face(
        corners=(-1.5, 6.5, 0.0),
        upper_sides=(-0.6, 1.9, 0.0),
        lower_sides=(-0.6, 2.8, 0.0),
        lips=(0.0, -0.6, -0.8),
        upper_lids=(0.0, 1.2, 0.0),
        brows=(-2.6, -3.0, 0.0),
    ),
    "stern": _face(
        corners=(-2.2, 4.0, 0.0),
        upper_sides=(-0.8, 1.2, 0.0),
        lower_sides=(-0.8, 1.6, 0.0),
        upper_lids=(0.0, 0.6, 0.0),
        lower_lids=(0.0, -1.6, 0.0),
        brows=(-3.6, 6.5, -1.0),
    ),
    "surprised": _face(
        upper_lids=(0.0, -2.0, 0.0),
        lower_lids=(0.0, 0.3, 0.0),
        brows=(2.0, -6.5, 0.0),
    ),
}
MOOD_NAMES: tuple[str, ...] = (NEUTRAL, *MOODS)


def moods_of(engine: str) -> tuple[str, ...]:
    """The moods that an engine's faces can wear."""
    return MOOD_NAMES if FACE_PARTS[engine].irises else (NEUTRAL,)


def mood_expression(weights: FloatArray) -> FloatArray:
    """Weights [T, moods] in the order of ``MOODS`` -> exp [T, K, 3]."""
    exp: FloatArray = np.einsum("tm,mkx->tkx", weights, np.stack(list(MOODS.values())))
    return exp
