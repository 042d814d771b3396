"""How open eyes and lips are, from the 203 face landmarks, any unit.

Source: ``src/utils/retargeting_utils.py`` and ``calc_combined_*_ratio`` of the official wrapper.
"""

import numpy as np

from models.shapes import AnyArray, FloatArray

FACE_POINTS = 203
_LEFT_EYE = (6, 18, 0, 12)  # upper lid, lower lid, corner, corner
_RIGHT_EYE = (30, 42, 24, 36)
_LIPS = (90, 102, 48, 66)  # upper inner lip, lower inner lip, corner, corner
_EPSILON = 1e-6


def eye_ratios(landmarks: AnyArray) -> FloatArray:
    """Height over width of the left and right eye of landmarks [T, 203, 2]: [T, 2]."""
    return np.stack([_ratio(landmarks, _LEFT_EYE), _ratio(landmarks, _RIGHT_EYE)], axis=1)


def lip_ratios(landmarks: AnyArray) -> FloatArray:
    """Height over width of the inner lips of landmarks [T, 203, 2]: [T, 1]."""
    return _ratio(landmarks, _LIPS)[:, None]


def combined_eye_ratios(landmarks: AnyArray, wanted: AnyArray | float) -> FloatArray:
    """What the eye network is given [T, 3]: both eyes of the source, and the wanted openness.

    landmarks: [T, 203, 2] of the source; wanted: one number, or one per frame [T].
    """
    return _with_wanted(eye_ratios(landmarks), wanted)


def combined_lip_ratios(landmarks: AnyArray, wanted: AnyArray | float) -> FloatArray:
    """What the lip network is given [T, 2]: lips of the source, and the wanted openness."""
    return _with_wanted(lip_ratios(landmarks), wanted)


def _with_wanted(own: FloatArray, wanted: AnyArray | float) -> FloatArray:
    aim = np.asarray(wanted, np.float32).reshape(-1, 1)  # [1 or T, 1]
    frames = max(len(own), len(aim))
    return np.concatenate(
        [np.broadcast_to(own, (frames, own.shape[1])), np.broadcast_to(aim, (frames, 1))], axis=1
    )


def _ratio(landmarks: AnyArray, points: tuple[int, int, int, int]) -> FloatArray:
    if landmarks.ndim != 3 or landmarks.shape[1:] != (FACE_POINTS, 2):
        raise ValueError(f"landmarks are [T, {FACE_POINTS}, 2], not {landmarks.shape}")
    upper, lower, one, other = points
    height = np.linalg.norm(landmarks[:, upper] - landmarks[:, lower], axis=1)
    width = np.linalg.norm(landmarks[:, one] - landmarks[:, other], axis=1)
    return np.asarray(height / (width + _EPSILON), np.float32)
