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

_TEETH_SHOW_PX = 1.5  # inner lips further apart than this show teeth between them
_INTO_LIP_SHARE = 0.22  # of a lip's height: trackers put the inner edge on the teeth


def colour_places(points: FloatArray) -> FloatArray:
    """Where each vertex of a face [L, 3] in pixels takes its colour: [L, 2].

    Its own place, but for the inner lips of an open mouth, which take theirs a little inside the
    lip: else shut lips would keep a line of teeth between them.
    """
    places = points[:, :2].copy()
    inside = slice(1, -1)
    upper, lower = UPPER_INNER_LIP[inside], LOWER_INNER_LIP[inside]
    apart = np.linalg.norm(points[lower, :2] - points[upper, :2], axis=1)
    share = _INTO_LIP_SHARE * np.clip(apart / _TEETH_SHOW_PX - 0.5, 0, 1)[:, None]
    places[upper] += share * (points[UPPER_OUTER_LIP[inside], :2] - places[upper])
    places[lower] += share * (points[LOWER_OUTER_LIP[inside], :2] - places[lower])
    return places.astype(np.float32)


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
