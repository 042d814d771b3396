"""Drive: relative motion lands on the portrait, softly limited."""

import numpy as np
import pytest

from liveportrait.lite.drive import (
    NECK,
    drive_portrait,
    neck_shift,
    soft_limit,
    turned_about_neck,
)
from models.motion import Motion, rest, rotation_matrix


def source(yaw: float = 0.0) -> Motion:
    still = rest(1)
    shift = np.array([[256.0, 250.0, 0.0]], np.float32)
    return Motion(still.pitch + 5, still.yaw + yaw, still.roll, shift, still.scale * 1.4, still.exp)


def turned(pitch: float, yaw: float, roll: float) -> Motion:
    still = rest(1)
    return turned_about_neck(
        Motion(
            still.pitch + pitch, still.yaw + yaw, still.roll + roll, still.t, still.scale, still.exp
        )
    )


def test_rest_is_the_portraits_own_pose() -> None:
    own = source(yaw=7)
    driven = drive_portrait(own, rest(3), 1.0)
    for name in ("pitch", "yaw", "roll", "t", "scale"):
        np.testing.assert_allclose(getattr(driven, name), [getattr(own, name)[0]] * 3, atol=1e-4)
    np.testing.assert_array_equal(driven.exp, 0.0)


def test_small_turns_pass_unchanged() -> None:
    driven = drive_portrait(source(), turned(4, -6, 5), 1.0)
    np.testing.assert_allclose(
        [driven.pitch[0], driven.yaw[0], driven.roll[0]], [9, -6, 5], atol=1e-4
    )


@pytest.mark.parametrize(
    ("own_yaw", "turn", "most"),
    [(0, 60, 18), (14, -60, 8), (14, 60, 18), (-14, 60, 8), (35, -60, 4)],
)
def test_large_turns_are_limited_most_where_they_would_show_the_hidden_cheek(
    own_yaw: float, turn: float, most: float
) -> None:
    driven = drive_portrait(source(own_yaw), turned(0, turn, 0), 1.0)
    reached = abs(float(driven.yaw[0]) - own_yaw)
    assert 0.9 * most < reached <= most


def test_the_neck_stays_where_it_is_when_the_head_turns() -> None:
    pitch, yaw, roll = (np.array([angle], np.float32) for angle in (7, -9, 6))
    moved = NECK @ rotation_matrix(pitch, yaw, roll)[0] + neck_shift(pitch, yaw, roll)[0]
    np.testing.assert_allclose(moved, NECK, atol=1e-3)


def test_lip_motion_grows_with_the_mouth_within_limits() -> None:
    generated = rest(1)
    generated.exp[0, 5, 1] = 10.0
    for ratio, expected in ((1.1, 11.0), (3.0, 12.5), (0.2, 8.0)):
        driven = drive_portrait(source(), generated, ratio)
        head = driven.exp[0] @ rotation_matrix(driven.pitch, driven.yaw, driven.roll)[0].T
        np.testing.assert_allclose(head[5], (0, expected, 0), atol=1e-3)


def test_soft_limit_is_smooth_monotonous_and_never_beyond() -> None:
    values = np.linspace(-100, 100, 2001).astype(np.float32)
    limited = soft_limit(values, 10.0)
    near = np.abs(values) <= 6
    np.testing.assert_allclose(limited[near], values[near], atol=1e-5)
    assert np.abs(limited).max() <= 10.0
    steps = np.diff(limited)
    assert (steps >= 0).all()
    assert np.abs(np.diff(steps)).max() < 0.006
