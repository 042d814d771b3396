"""The best lag is found within two frames and not beyond."""

import numpy as np
import pytest

from dit.lagged_correlation import pearson

SERIES = np.random.default_rng(0).standard_normal(200, np.float32)


@pytest.mark.parametrize("lag", [-2, -1, 0, 1, 2])
def test_a_lag_within_two_frames_is_forgiven(lag: int) -> None:
    assert pearson(np.roll(SERIES, lag), SERIES) > 0.99


def test_a_longer_lag_is_not() -> None:
    assert pearson(np.roll(SERIES, 4), SERIES) < 0.3


def test_a_constant_agrees_with_nothing() -> None:
    assert pearson(np.zeros(200, np.float32), SERIES) == 0.0
