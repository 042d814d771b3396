"""Motion: shapes are checked, and rotations are the official implementation's numbers."""

import numpy as np
import pytest

from models.motion import Motion, concatenate, driven_keypoints, rest, rotation_matrix
from models.shapes import KEYPOINTS
from tests.conftest import ROOT


def test_rotation_matrices_are_the_official_ones() -> None:
    golden = np.load(ROOT / "tests/golden/rotation.npz")  # pyr_deg [3, 6], R [6, 3, 3]
    ours = rotation_matrix(*golden["pyr_deg"])
    np.testing.assert_allclose(ours, golden["R"], atol=2e-6)


def test_positive_yaw_turns_the_nose_to_the_left_and_positive_pitch_lowers_it() -> None:
    nose = np.array([[0.0, 0.0, -1.0]], np.float32)  # towards the camera
    ten, zero = np.full(1, 10.0, np.float32), np.zeros(1, np.float32)
    assert (nose @ rotation_matrix(zero, ten, zero))[0, 0, 0] < -0.1
    assert (nose @ rotation_matrix(ten, zero, zero))[0, 0, 1] > 0.1


def test_rest_leaves_the_canonical_keypoints_where_they_are() -> None:
    canonical = np.random.default_rng(0).normal(size=(KEYPOINTS, 3)).astype(np.float32)
    np.testing.assert_allclose(driven_keypoints(canonical, rest(2)), [canonical] * 2, atol=1e-6)


def test_slices_and_joins_are_inverse() -> None:
    rng = np.random.default_rng(1)
    pitch, yaw, roll, scale = rng.normal(size=(4, 7)).astype(np.float32)
    shift = rng.normal(size=(7, 3)).astype(np.float32)
    exp = rng.normal(size=(7, KEYPOINTS, 3)).astype(np.float32)
    motion = Motion(pitch, yaw, roll, shift, scale, exp)
    joined = concatenate([motion[:3], motion[3:]])
    assert len(joined) == 7
    np.testing.assert_array_equal(joined.exp, motion.exp)


def test_arrays_of_different_lengths_are_refused() -> None:
    still = rest(2)
    with pytest.raises(ValueError, match=r"motion\.t has shape \(3, 3\)"):
        Motion(still.pitch, still.yaw, still.roll, rest(3).t, still.scale, still.exp)
