"""Median and quartiles of a figure that was measured once per clip."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Quartiles:
    """Spread of a figure over ``count`` clips; NaN over none."""

    low: float
    median: float
    high: float
    count: int

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f})" if self.count else "-"


def quartiles(values: Iterable[float]) -> Quartiles:
    """Quartiles of the values that are numbers; NaN says that a clip has no such figure."""
    known = [float(v) for v in values if not np.isnan(v)]
    if not known:
        return Quartiles(float("nan"), float("nan"), float("nan"), 0)
    low, median, high = np.quantile(known, (0.25, 0.5, 0.75))
    return Quartiles(float(low), float(median), float(high), len(known))
