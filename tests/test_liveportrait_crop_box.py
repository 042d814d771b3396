"""The face box against the official numbers, for every landmark set."""

import numpy as np
import pytest

from liveportrait.source.crop_box import LANDMARK_SETS, face_axis, face_box
from tests.liveportrait_fixtures import golden_arrays

SETS = (
    *("pt203_up", "pt203_roll", "pt203_negroll", "pt203_edge"),
    *("pt106", "pt101", "pt68", "pt9_animal", "pt5"),
)
LANDMARKS = golden_arrays("landmarks")
CROP = golden_arrays("crop")


@pytest.mark.parametrize("name", SETS)
def test_axis_is_the_official_one(name: str) -> None:
    for use_lip in (True, False):
        axis = face_axis(LANDMARKS[name], use_lip=use_lip)
        np.testing.assert_allclose(axis, CROP[f"{name}/pt2_uselip{use_lip:d}"], atol=5e-4)


@pytest.mark.parametrize("name", SETS)
def test_boxes_are_the_official_ones(name: str) -> None:
    for prefix, scale, vy_ratio in (("rect", 2.3, -0.125), ("drv", 2.2, -0.1)):
        box = face_box(LANDMARKS[name], scale=scale, vy_ratio=vy_ratio)
        key = f"{name}/{prefix}_"
        np.testing.assert_allclose(box.center, CROP[key + "center"], atol=5e-4)
        np.testing.assert_allclose([box.size] * 2, CROP[key + "size"], atol=5e-4)
        assert box.angle == pytest.approx(float(CROP[key + "angle"]), abs=1e-6)
    np.testing.assert_allclose(box.corners(), CROP[f"{name}/drv_bbox"], atol=5e-4)
    np.testing.assert_allclose(box.rotated_corners(), CROP[f"{name}/drv_bbox_rot"], atol=5e-4)


def test_every_known_set_is_compared() -> None:
    assert {len(LANDMARKS[name]) for name in SETS} == set(LANDMARK_SETS)


def test_the_box_follows_the_face_when_the_picture_turns() -> None:
    points = LANDMARKS["pt203_up"]
    upright = face_box(points, scale=2.3, vy_ratio=-0.125)
    for angle in (0.5, 2.0, -3.0):
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        turned = face_box(points @ turn, scale=2.3, vy_ratio=-0.125)
        assert turned.size == pytest.approx(upright.size, rel=1e-4)
        np.testing.assert_allclose(turned.center, upright.center @ turn, atol=1e-2)
        apart = (turned.angle - upright.angle - angle + np.pi) % (2 * np.pi) - np.pi
        assert abs(apart) < 1e-4


def test_a_face_without_an_axis_is_taken_as_upright() -> None:
    points = np.full((5, 2), 40, np.float32)
    points[2] = (60, 90)  # the nose: not part of the axis
    box = face_box(points, scale=2, vy_ratio=0)
    assert (box.angle, box.size) == (0, 100)
    np.testing.assert_allclose(box.center, (50, 65))


@pytest.mark.parametrize("shape", [(7, 2), (203, 3), (203,), (0, 2)])
def test_unknown_sets_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="203"):
        face_box(np.zeros(shape, np.float32), scale=2, vy_ratio=0)


def test_larger_unknown_sets_begin_with_the_101() -> None:
    points = np.concatenate([LANDMARKS["pt101"], LANDMARKS["pt5"]])
    np.testing.assert_array_equal(face_axis(points[:104]), face_axis(LANDMARKS["pt101"]))
