"""The closed-form smoother against pykalman's results, and what smoothing must mean."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveportrait.animation.smoothing import smooth
from tests.animation_fixtures import furthest
from tests.liveportrait_fixtures import golden_arrays


@pytest.mark.parametrize(("name", "variance"), [("3em07", 3e-7), ("1em05", 1e-5), ("1em04", 1e-4)])
def test_expressions_are_smoothed_as_by_the_official_filter(name: str, variance: float) -> None:
    exp = golden_arrays("motion_template")["exp"][:, 0]
    official = golden_arrays("geometry")[f"smooth_exp_obsvar_{name}"]
    assert furthest(smooth(exp, variance), official) < 1e-6


def test_rotations_are_smoothed_as_by_the_official_filter() -> None:
    turns = golden_arrays("motion_template")["R"][:, 0]
    official = golden_arrays("geometry")["smooth_R_obsvar_3em07"]
    assert furthest(smooth(turns), official) < 1e-6


def test_more_variance_is_smoother() -> None:
    exp = golden_arrays("motion_template")["exp"][:, 0]
    steps = [np.abs(np.diff(smooth(exp, v), axis=0)).sum() for v in (1e-12, 1e-6, 1e-4, 1e-2)]
    assert steps == sorted(steps, reverse=True)
    assert steps[-1] < 0.5 * steps[0]


@settings(max_examples=25, deadline=None)
@given(frames=st.integers(1, 20), level=st.floats(-5, 5), variance=st.floats(1e-9, 1e-2))
def test_what_does_not_move_stays_and_nothing_leaves_the_range(
    frames: int, level: float, variance: float
) -> None:
    still = np.full((frames, 2), level)
    assert np.allclose(smooth(still, variance), still)
    noisy = level + np.random.default_rng(frames).normal(size=(frames, 2))
    smoothed = smooth(noisy, variance)
    assert (smoothed <= noisy.max(0) + 1e-9).all()
    assert (smoothed >= noisy.min(0) - 1e-9).all()


def test_the_argument_stays_as_it_is() -> None:
    values = np.arange(6.0).reshape(3, 2) ** 2
    before = values.copy()
    smooth(values, 1e-3)
    smooth(values[:1], 1e-3)[:] = 7
    assert np.array_equal(values, before)
