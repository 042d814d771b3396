"""Lips that meet when they should and never pass through each other."""

import numpy as np

from models.face_keypoints import (
    LOWER_INNER_LIP,
    LOWER_OUTER_LIP,
    UPPER_INNER_LIP,
    UPPER_OUTER_LIP,
)
from models.shapes import FloatArray

_UPPER_SHARE = 0.25
_FULLEST = 1.25  # a column's gap over the middle's: lips are widest apart near their middle
_SLACK_UNITS = 0.4  # trackers see this much between lips that touch


def settle_lips(head: FloatArray, expression: FloatArray) -> None:
    """Bring the inner lips of ``head`` [L, 3] (head axes, canonical units) to the gap that the
    keypoints ``expression`` [K, 3] ask for, 0 = shut; outer lips follow. In place."""
    gap = max(float(expression[5, 1] - expression[4, 1]) - _SLACK_UNITS, 0.0)
    inside = slice(1, -1)
    upper, lower = UPPER_INNER_LIP[inside], LOWER_INNER_LIP[inside]
    apart = head[lower, 1] - head[upper, 1]  # [9]
    wanted = np.clip(apart, 0.0, _FULLEST * gap)
    if gap > 0.5:
        # the middle is known exactly, its neighbours by the linear map
        factor = np.clip(gap / max(float(apart[4]), 0.5), 0.5, 1.5)
        wanted = np.clip(apart * factor, 0.0, _FULLEST * gap)
    change = wanted - apart
    for points, share in (
        (upper, -_UPPER_SHARE),
        (UPPER_OUTER_LIP[inside], -_UPPER_SHARE),
        (lower, 1 - _UPPER_SHARE),
        (LOWER_OUTER_LIP[inside], 1 - _UPPER_SHARE),
    ):
        head[points, 1] += share * change
