"""Offline smoothing of motion: a random walk seen through noise, one Kalman smoother a number.

Source: ``smooth`` of the official ``src/utils/filter.py``, which runs pykalman with diagonal
matrices. Then nothing couples the components, and the gains do not depend on the data: forward
filter and Rauch-Tung-Striebel pass are two scalar recursions shared by all components.
"""

import numpy as np

from models.shapes import AnyArray

PROCESS_VARIANCE = 1e-5
_PRIOR_VARIANCE = 1.0  # of the first state, whose prior mean is the first observation


def smooth(values: AnyArray, observation_variance: float = 3e-7) -> AnyArray:
    """Smooth each component of ``values`` [T, ...] over the frames; float64 of the same shape.

    ``observation_variance``: how noisy a frame is taken to be, in squared units of the values.
    """
    seen = np.asarray(values, np.float64)
    frames = len(seen)
    if frames < 2:
        return seen.copy()
    mean = np.empty_like(seen)  # after each frame's own observation
    variance = np.empty(frames)
    predicted, spread = seen[0], _PRIOR_VARIANCE
    for i in range(frames):
        gain = spread / (spread + observation_variance)
        mean[i] = predicted + gain * (seen[i] - predicted)
        variance[i] = (1 - gain) * spread
        predicted, spread = mean[i], variance[i] + PROCESS_VARIANCE
    for i in range(frames - 2, -1, -1):
        back = variance[i] / (variance[i] + PROCESS_VARIANCE)
        mean[i] += back * (mean[i + 1] - mean[i])
    return mean
