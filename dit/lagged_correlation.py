"""Pearson's r of two series that may be a few frames apart: the one score of lips against truth."""

import numpy as np

from models.shapes import FloatArray

MOST_LAG_FRAMES = 2


def pearson(one: FloatArray, other: FloatArray, most_lag: int = MOST_LAG_FRAMES) -> float:
    """Pearson r of two series [T] at the best lag within ``most_lag`` frames; 0 for a constant."""
    scores = []
    for lag in range(-most_lag, most_lag + 1):
        a = one[max(0, lag) : len(one) + min(0, lag)]
        b = other[max(0, -lag) : len(other) + min(0, -lag)]
        flat = a.std() < 1e-9 or b.std() < 1e-9
        scores.append(0.0 if flat else float(np.corrcoef(a, b)[0, 1]))
    return max(scores)
