"""Which numbers of an expression belong to which region of the face.

Keypoints 0, 7 and 10 and some coordinates of 3, 4, 5, 8 and 9 hold more of a person's shape than
of an expression; wherever an expression is copied, the official code leaves the source's there.
"""

import numpy as np
import numpy.typing as npt

from liveportrait.animation.options import AnimationRegion
from models.shapes import KEYPOINTS, FloatArray

_LIPS = (6, 12, 14, 17, 19, 20)
_EYES = (11, 13, 15, 16, 18)
_WHOLE_POINTS = (1, 2, *_LIPS, *_EYES)
_SINGLE_AXES = ((3, 1), (4, 1), (5, 2), (8, 2), (9, 1), (9, 2))  # keypoint, axis (x, y, z)


def _mask(points: tuple[int, ...], axes: tuple[tuple[int, int], ...] = ()) -> npt.NDArray[np.bool_]:
    mask = np.zeros((KEYPOINTS, 3), np.bool_)
    mask[list(points)] = True
    for point, axis in axes:
        mask[point, axis] = True
    return mask


REGION_MASKS: dict[AnimationRegion, npt.NDArray[np.bool_]] = {
    "all": _mask(_WHOLE_POINTS, _SINGLE_AXES),
    "exp": _mask(_WHOLE_POINTS, _SINGLE_AXES),
    "pose": _mask(()),
    "lip": _mask(_LIPS),
    "eyes": _mask(_EYES),
}
"""Entries [K, 3] of an expression that are copied. 39 + 6 of the 63 make up the face."""


def copied(source: FloatArray, driven: FloatArray, region: AnimationRegion) -> FloatArray:
    """The source's expression [T, K, 3] with the region's entries of the driven one."""
    return np.where(REGION_MASKS[region], driven, source)


def added(source: FloatArray, driven: FloatArray, region: AnimationRegion) -> FloatArray:
    """Like ``copied``, where ``driven`` is the source's expression plus a change.

    A change says nothing about anybody's shape: for the whole face every entry is taken.
    """
    return driven if region in ("all", "exp") else copied(source, driven, region)
