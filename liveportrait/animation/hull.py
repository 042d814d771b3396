"""Sizes of keypoint clouds: how much one face has to move to look like another.

Source: ``calc_motion_multiplier`` of the official ``src/utils/helper.py``.
"""

import numpy as np

from models.shapes import FloatArray


def hull_volume(points: FloatArray) -> float:
    """Volume of the convex hull of points [K, 3]; 0 where they span none or are not finite."""
    from scipy.spatial import ConvexHull, QhullError

    if not np.isfinite(points).all():
        return 0.0
    try:
        return float(ConvexHull(points).volume)
    except QhullError:  # fewer than four points, or all in a plane
        return 0.0


def motion_multiplier(x_s: FloatArray, x_d_first: FloatArray) -> float:
    """Square root of the ratio of the hulls of source and first driving keypoints [K, 3].

    1 when either spans no volume: then sizes say nothing.
    """
    source, driving = hull_volume(x_s), hull_volume(x_d_first)
    if source <= 0.0 or driving <= 0.0:
        return 1.0
    return float(np.sqrt(source) / np.sqrt(driving))
