"""The square around a face, upright in the face's own axes, from sparse landmarks.

The y axis runs from between the eyes to the middle of the mouth; the box is the square of the
extent of all points in that frame, enlarged and shifted towards the forehead.
Source: ``src/utils/crop.py`` of the official implementation, ``parse_rect_from_landmark``.
"""

import math
from dataclasses import dataclass

import numpy as np

from models.shapes import AnyArray, FloatArray

_Indices = tuple[int, ...]
# number of points -> one eye, the other eye, the middle of the mouth: means of these points.
# 9 is the animal detector's set, whose "left" eye is the animal's own.
_AXIS_POINTS: dict[int, tuple[_Indices, _Indices, _Indices]] = {
    203: ((0, 6, 12, 18), (24, 30, 36, 42), (48, 66)),
    106: ((33, 35, 40, 39), (87, 89, 94, 93), (52, 61)),
    101: ((39, 42, 45, 48), (51, 54, 57, 60), (75, 81)),
    68: ((36, 39), (42, 45), (48, 54)),
    9: ((2, 3), (0, 1), (5, 6)),
    5: ((0,), (1,), (3, 4)),
}
LANDMARK_SETS = tuple(sorted(_AXIS_POINTS))
_SHORTEST_AXIS_PX = 1e-3


@dataclass(frozen=True, slots=True)
class FaceBox:
    """A square: ``center`` [2] (x, y) and ``size`` in pixels, ``angle`` in radians, clockwise."""

    center: FloatArray
    size: float
    angle: float

    def corners(self) -> FloatArray:
        """Left top, right top, right bottom, left bottom [4, 2], without the angle."""
        half = np.float32(self.size) / 2
        signs = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32)
        return np.asarray(self.center + signs * half, np.float32)

    def rotated_corners(self) -> FloatArray:
        """The same corners turned about the centre by the angle [4, 2]."""
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        turn = np.array([[cos, -sin], [sin, cos]], np.float32)
        return np.asarray((self.corners() - self.center) @ turn.T + self.center, np.float32)


def face_axis(landmarks: AnyArray, *, use_lip: bool = True) -> FloatArray:
    """Two points [2, 2] whose difference is the face's y axis, from landmarks [n, 2].

    From between the eyes to the mouth; without the lips, from one eye along the line of the eyes
    turned by 90 degrees. Raises ValueError when n is no set whose eyes and mouth are known.
    """
    one, other, mouth = (_mean(landmarks, group) for group in _groups(landmarks))
    if use_lip:
        return np.stack([(one + other) / 2, mouth])
    along = other - one
    return np.stack([one, one + np.array([-along[1], along[0]], along.dtype)])


def face_box(
    landmarks: AnyArray, *, scale: float, vy_ratio: float, use_lip: bool = True
) -> FaceBox:
    """The box of landmarks [n, 2]: ``scale`` times their extent, moved by ``vy_ratio`` of its size
    along the face's y axis (negative: towards the forehead).

    Raises ValueError as ``face_axis`` does.
    """
    points = np.asarray(landmarks, np.float32)
    top, bottom = face_axis(points, use_lip=use_lip)
    down = bottom - top
    length = float(np.linalg.norm(down))
    down = np.array([0, 1], np.float32) if length <= _SHORTEST_AXIS_PX else down / length
    right = np.array([down[1], -down[0]], np.float32)
    angle = math.copysign(math.acos(float(np.clip(right[0], -1, 1))), float(right[1]))
    middle = points.mean(0)
    upright = (points - middle) @ np.stack([right, down]).T
    low, high = upright.min(0), upright.max(0)
    size = (high - low).max() * np.float32(scale)
    offset = (low + high) / 2
    center = middle + right * offset[0] + down * offset[1] + down * (np.float32(vy_ratio) * size)
    return FaceBox(np.asarray(center, np.float32), float(size), angle)


def _groups(landmarks: AnyArray) -> tuple[_Indices, _Indices, _Indices]:
    if landmarks.ndim == 2 and landmarks.shape[1] == 2:
        count = len(landmarks)
        # a set that is larger than 101 and unknown is taken to begin with the 101
        groups = _AXIS_POINTS.get(count, _AXIS_POINTS[101] if count > 101 else None)
        if groups is not None:
            return groups
    raise ValueError(
        f"landmarks have shape {landmarks.shape}; accepted: [n, 2] with n of {LANDMARK_SETS}"
    )


def _mean(landmarks: AnyArray, group: _Indices) -> FloatArray:
    return np.asarray(landmarks[list(group)].mean(axis=0), np.float32)
