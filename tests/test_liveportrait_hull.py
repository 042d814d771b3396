"""Sizes of keypoint clouds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveportrait.animation.hull import hull_volume, motion_multiplier
from tests.liveportrait_fixtures import golden_arrays


def test_the_multiplier_is_the_official_one() -> None:
    arrays = golden_arrays("geometry")
    source, driving = arrays["motion_multiplier_src"][0], arrays["motion_multiplier_drv"][0]
    official = float(arrays["motion_multiplier"])
    assert motion_multiplier(source, driving) == pytest.approx(official, abs=1e-7)


def test_a_cube_has_its_volume() -> None:
    corners = np.stack(np.meshgrid([0, 2], [0, 2], [0, 2]), -1).reshape(-1, 3).astype(np.float32)
    assert hull_volume(corners) == pytest.approx(8.0)


@settings(max_examples=25, deadline=None)
@given(st.floats(0.1, 10))
def test_the_multiplier_goes_with_size_to_the_power_of_three_halves(size: float) -> None:
    points = np.random.default_rng(0).normal(size=(21, 3)).astype(np.float32)
    assert motion_multiplier(points * np.float32(size), points) == pytest.approx(size**1.5, 1e-4)


def flat() -> list[np.ndarray]:
    points = np.random.default_rng(1).normal(size=(21, 3)).astype(np.float32)
    plane, line, hole = points.copy(), points.copy(), points.copy()
    plane[:, 2] = 0.5
    line[:, 1:] = 0
    hole[3, 1] = np.nan
    return [plane, line, np.zeros_like(points), hole, np.full_like(points, np.inf), points[:3]]


@pytest.mark.parametrize("points", flat())
def test_what_has_no_volume_changes_nothing(points: np.ndarray) -> None:
    solid = np.random.default_rng(2).normal(size=(21, 3)).astype(np.float32)
    assert hull_volume(points) == 0.0
    assert motion_multiplier(points, solid) == motion_multiplier(solid, points) == 1.0
