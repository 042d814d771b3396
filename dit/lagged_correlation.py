"""Pearson's r of two series that may be a few frames apart: the one score of lips against truth."""

from dataclasses import dataclass

from models.shapes import FloatArray

MOST_LAG_FRAMES = 2


@dataclass(frozen=True, slots=True)
class LaggedCorrelation:
    """The best r, and by how many frames the first series is then late (negative: early)."""

    r: float
    lag_frames: int


def lagged_pearson(
    one: FloatArray, other: FloatArray, most_lag: int = MOST_LAG_FRAMES
) -> LaggedCorrelation:
    """Pearson r of two series [T] at the best lag within ``most_lag`` frames; 0 for a constant."""
    # ties go to the shortest lag: a constant is neither early nor late
    lags = sorted(range(-most_lag, most_lag + 1), key=abs)
    scores = [LaggedCorrelation(_pearson_at(one, other, lag), lag) for lag in lags]
    return max(scores, key=lambda score: score.r)


def pearson(one: FloatArray, other: FloatArray, most_lag: int = MOST_LAG_FRAMES) -> float:
    """``lagged_pearson`` without the lag."""
    return lagged_pearson(one, other, most_lag).r


def _pearson_at(one: FloatArray, other: FloatArray, lag: int) -> float:
    a = one[max(0, lag) : len(one) + min(0, lag)]
    b = other[max(0, -lag) : len(other) + min(0, -lag)]
    a, b = a - a.mean(), b - b.mean()
    spread = a.std() * b.std()
    return float((a * b).mean() / spread) if min(a.std(), b.std()) > 1e-9 else 0.0
