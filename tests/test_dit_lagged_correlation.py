"""The best lag is found within two frames and not beyond."""

import numpy as np
import pytest

from dit.lagged_correlation import lagged_pearson, pearson

SERIES = np.random.default_rng(0).standard_normal(200, np.float32)


@pytest.mark.parametrize("lag", [-2, -1, 0, 1, 2])
def test_a_lag_within_two_frames_is_forgiven_and_told(lag: int) -> None:
    found = lagged_pearson(np.roll(SERIES, lag), SERIES)
    assert found.r > 0.99
    assert found.lag_frames == lag  # positive: the first series is late


def test_a_longer_lag_is_not() -> None:
    assert pearson(np.roll(SERIES, 4), SERIES) < 0.3


def test_a_constant_agrees_with_nothing_and_has_no_lag() -> None:
    found = lagged_pearson(np.zeros(200, np.float32), SERIES)
    assert (found.r, found.lag_frames) == (0.0, 0)


def test_r_is_numpys_own() -> None:
    other = SERIES + np.random.default_rng(1).standard_normal(200, np.float32)
    assert pearson(SERIES, other, most_lag=0) == pytest.approx(np.corrcoef(SERIES, other)[0, 1])
