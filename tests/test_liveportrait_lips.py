"""Lips and lids: shut means shut, nothing crosses, and outer points follow."""

import numpy as np
import pytest

from liveportrait.lite.eyes import lid_openness, move_lids
from liveportrait.lite.lips import colour_places, settle_lips
from liveportrait.lite.mesh import LOWER_LIDS, UPPER_LIDS
from models.face_keypoints import (
    LOWER_INNER_LIP,
    LOWER_OUTER_LIP,
    UPPER_INNER_LIP,
    UPPER_OUTER_LIP,
    landmarks_to_motion,
)
from models.face_landmarks import MediaPipeDetector
from models.images import decode_image
from models.shapes import FloatArray
from tests.conftest import ROOT


def mesh_of(name: str) -> FloatArray:
    detector = MediaPipeDetector(ROOT / "weights/face_landmarker.task")
    picture = decode_image((ROOT / f"server/avatars/{name}.jpg").read_bytes())
    return detector.detect(picture)[0].points


@pytest.fixture(scope="module")
def head() -> FloatArray:
    """A canonical head [L, 3], lips shut."""
    return landmarks_to_motion(mesh_of("p06")[None])[1]


def asking_for(gap: float) -> FloatArray:
    expression = np.zeros((21, 3), np.float32)
    expression[5, 1], expression[4, 1] = 0.8 * gap, -0.2 * gap
    return expression


def column_gaps(head: FloatArray) -> FloatArray:
    gaps: FloatArray = head[LOWER_INNER_LIP, 1] - head[UPPER_INNER_LIP, 1]
    return gaps


def test_crossed_lips_are_parted_until_they_touch(head: FloatArray) -> None:
    crossed = head.copy()
    crossed[UPPER_INNER_LIP[1:-1], 1] += 3
    crossed[LOWER_INNER_LIP[1:-1], 1] -= 2
    settle_lips(crossed, asking_for(0.0))
    np.testing.assert_allclose(column_gaps(crossed), 0.0, atol=1e-4)


def test_lips_that_should_be_shut_are_shut_and_keep_their_shape(head: FloatArray) -> None:
    ajar = head.copy()
    ajar[LOWER_INNER_LIP[1:-1], 1] += 4
    ajar[LOWER_OUTER_LIP[1:-1], 1] += 4
    before = ajar.copy()
    settle_lips(ajar, asking_for(0.3))
    np.testing.assert_allclose(column_gaps(ajar)[1:-1], 0.0, atol=1e-4)
    for inner, outer in ((UPPER_INNER_LIP, UPPER_OUTER_LIP), (LOWER_INNER_LIP, LOWER_OUTER_LIP)):
        height = (ajar[outer] - ajar[inner])[1:-1, 1]
        np.testing.assert_allclose(height, (before[outer] - before[inner])[1:-1, 1], atol=1e-3)


def test_the_middle_of_an_open_mouth_has_the_gap_asked_for(head: FloatArray) -> None:
    wide = head.copy()
    wide[LOWER_INNER_LIP[1:-1], 1] += 9
    settle_lips(wide, asking_for(12.4))
    assert column_gaps(wide)[5] == pytest.approx(12.0, abs=0.6)
    assert column_gaps(wide).min() >= 0


def test_colours_of_open_inner_lips_come_from_inside_the_lip() -> None:
    smiling, shut = mesh_of("p02"), mesh_of("p04")
    moved = colour_places(smiling) - smiling[:, :2]
    assert (moved[UPPER_INNER_LIP[3:8], 1] < -1).all()
    assert (moved[LOWER_INNER_LIP[3:8], 1] > 1).all()
    others = np.setdiff1d(np.arange(478), np.concatenate([UPPER_INNER_LIP, LOWER_INNER_LIP]))
    np.testing.assert_array_equal(moved[others], 0.0)
    height = np.linalg.norm(shut[0, :2] - shut[13, :2])
    assert np.abs(colour_places(shut) - shut[:, :2]).max() < 0.25 * height


def blinking(down: float) -> FloatArray:
    offsets = np.zeros((21, 3), np.float32)
    offsets[[14, 16], 1] = down
    return offsets


def test_openness_falls_from_one_to_shut_and_is_limited_above() -> None:
    np.testing.assert_allclose(lid_openness(blinking(0), 10.0), 1.0)
    np.testing.assert_allclose(lid_openness(blinking(8), 10.0), 0.0)
    assert 0.3 < lid_openness(blinking(4), 10.0)[0] < 0.6
    assert lid_openness(blinking(-20), 10.0).max() <= 1.1


@pytest.mark.parametrize("openness", [0.0, 0.5, 1.0])
def test_lids_close_by_what_is_asked_the_upper_doing_most(
    head: FloatArray, openness: float
) -> None:
    moved = head.copy()
    move_lids(moved, head, np.full(2, openness, np.float32))
    for eye in range(2):
        upper, lower = UPPER_LIDS[eye, 1:-1], LOWER_LIDS[eye, 1:-1]
        gap, own = moved[lower] - moved[upper], head[lower] - head[upper]
        np.testing.assert_allclose(gap, openness * own, atol=1e-4)
        down = (moved[upper] - head[upper])[:, 1]
        up = (head[lower] - moved[lower])[:, 1]
        assert (down >= 5 * up - 1e-4).all()
