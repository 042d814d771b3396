"""How open eyes and lips are."""

import numpy as np
import pytest

from liveportrait.animation.ratios import (
    combined_eye_ratios,
    combined_lip_ratios,
    eye_ratios,
    lip_ratios,
)
from tests.animation_fixtures import furthest
from tests.liveportrait_fixtures import golden_arrays


@pytest.mark.parametrize("name", ["pt203_up", "pt203_roll", "pt203_negroll", "pt203_edge"])
def test_ratios_are_the_official_ones(name: str) -> None:
    points = golden_arrays("landmarks")[name][None]
    official = golden_arrays("ratios")
    assert furthest(eye_ratios(points), official[f"{name}/eye"]) < 1e-6
    assert furthest(lip_ratios(points), official[f"{name}/lip"]) < 1e-6
    with_target = combined_eye_ratios(points, 0.2)
    assert furthest(with_target, official[f"{name}/eye_with_target"]) < 1e-6
    assert furthest(combined_eye_ratios(points, 0.22), official[f"{name}/combined_eye"]) < 1e-6
    assert furthest(combined_lip_ratios(points, 0.11), official[f"{name}/combined_lip"]) < 1e-6


def test_ratios_do_not_depend_on_size_place_and_turn() -> None:
    points = golden_arrays("landmarks")["pt203_up"][None].astype(np.float64)
    turn = np.array([[0.8, 0.6], [-0.6, 0.8]])
    assert furthest(eye_ratios(points @ turn * 3 + 40), eye_ratios(points)) < 1e-5


def test_one_source_serves_several_wishes_and_one_wish_several_frames() -> None:
    points = golden_arrays("landmarks")["pt203_up"][None]
    wishes = combined_lip_ratios(points, np.array([0.1, 0.3], np.float32))
    assert wishes.shape == (2, 2)
    assert wishes[:, 1].tolist() == pytest.approx([0.1, 0.3])
    assert combined_eye_ratios(np.repeat(points, 3, axis=0), 0.2).shape == (3, 3)


def test_points_in_one_place_are_no_division_by_zero() -> None:
    assert eye_ratios(np.zeros((1, 203, 2), np.float32)).tolist() == [[0.0, 0.0]]


def test_other_landmark_sets_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\[T, 203, 2\]"):
        lip_ratios(np.zeros((1, 106, 2), np.float32))
