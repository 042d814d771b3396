"""Face keypoints: meshes become motion and back, and head pose does not leak into expression."""

import numpy as np
import pytest

from models.face_keypoints import (
    FACE_HEIGHT_UNITS,
    KEYPOINT_INDICES,
    absolute_from_relative,
    angles_of,
    landmarks_to_motion,
    lip_gap,
    lip_width,
    median_pose,
    relative_to_rest,
)
from models.face_landmarks import MediaPipeDetector
from models.images import decode_image
from models.motion import Motion, driven_keypoints, rotation_matrix
from models.shapes import FloatArray
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def meshes() -> FloatArray:
    """[8, L, 3]: the faces of the shipped portraits."""
    detector = MediaPipeDetector(ROOT / "weights/face_landmarker.task")
    pictures = [decode_image(p.read_bytes()) for p in sorted(ROOT.glob("server/avatars/*.jpg"))]
    return np.stack([detector.detect(picture)[0].points for picture in pictures])


@pytest.fixture(scope="module")
def canonical(meshes: FloatArray) -> FloatArray:
    return landmarks_to_motion(meshes[:1])[1]


def moving_head(frames: int, seed: int) -> Motion:
    rng = np.random.default_rng(seed)
    pitch, yaw, roll = rng.uniform(-25, 25, (3, frames)).astype(np.float32)
    shift = rng.uniform(0, 500, (frames, 3)).astype(np.float32)
    scale = rng.uniform(0.5, 3, frames).astype(np.float32)
    return Motion(pitch, yaw, roll, shift, scale, np.zeros((frames, 21, 3), np.float32))


def test_canonical_head_is_upright_shut_and_240_units_high(meshes: FloatArray) -> None:
    for mesh in meshes:
        head = landmarks_to_motion(mesh[None])[1]
        np.testing.assert_allclose(
            np.linalg.norm(head[10] - head[152]), FACE_HEIGHT_UNITS, rtol=1e-4
        )
        assert lip_gap(head[None])[0] < 1e-5
        assert abs(head[10, 0] - head[152, 0]) < 12
        assert abs(head[33, 1] - head[263, 1]) < 8


def test_the_equation_gives_the_tracked_points_back(meshes: FloatArray) -> None:
    motion, canonical = landmarks_to_motion(meshes)
    again = driven_keypoints(canonical[KEYPOINT_INDICES], motion)
    np.testing.assert_allclose(again, meshes[:, KEYPOINT_INDICES], atol=1e-3)


def test_a_moved_head_gives_its_pose_back_and_no_expression(canonical: FloatArray) -> None:
    truth = moving_head(30, seed=3)
    turned = canonical @ rotation_matrix(truth.pitch, truth.yaw, truth.roll)
    moved = truth.scale[:, None, None] * turned + truth.t[:, None]
    motion, _ = landmarks_to_motion(moved.astype(np.float32), canonical)
    for name in ("pitch", "yaw", "roll", "t", "scale"):
        np.testing.assert_allclose(getattr(motion, name), getattr(truth, name), atol=0.02)
    np.testing.assert_allclose(motion.exp, 0.0, atol=0.01)


def test_an_opening_jaw_is_the_same_relative_expression_in_any_pose(canonical: FloatArray) -> None:
    opened = canonical.copy()
    lower_lip = [14, 17, 88, 318]
    opened[lower_lip, 1] += 10
    truth = moving_head(20, seed=4)
    turned = opened @ rotation_matrix(truth.pitch, truth.yaw, truth.roll)
    moved = (truth.scale[:, None, None] * turned + truth.t[:, None]).astype(np.float32)
    relative = relative_to_rest(landmarks_to_motion(moved, canonical)[0])
    expected = (opened - canonical)[KEYPOINT_INDICES]
    np.testing.assert_allclose(relative.exp, [expected] * 20, atol=0.02)


def test_relative_and_absolute_are_inverse(meshes: FloatArray) -> None:
    motion, _ = landmarks_to_motion(meshes)
    usual = median_pose(motion)
    again = absolute_from_relative(relative_to_rest(motion, usual), usual)
    for name in ("pitch", "yaw", "roll", "t", "scale", "exp"):
        np.testing.assert_allclose(getattr(again, name), getattr(motion, name), atol=1e-3)


def test_angles_undo_the_rotation() -> None:
    rng = np.random.default_rng(5)
    angles = rng.uniform(-60, 60, (3, 50)).astype(np.float32)
    np.testing.assert_allclose(angles_of(rotation_matrix(*angles)), angles, atol=1e-3)


def test_lip_measures_do_not_depend_on_size(meshes: FloatArray) -> None:
    np.testing.assert_allclose(lip_gap(3 * meshes), lip_gap(meshes), rtol=1e-4)
    np.testing.assert_allclose(lip_width(3 * meshes), lip_width(meshes), rtol=1e-4)
    assert (lip_width(meshes) > 2 * lip_gap(meshes)).all()


@pytest.mark.parametrize(
    "bad", [np.zeros((0, 478, 3)), np.zeros((478, 3)), np.full((1, 478, 3), np.nan)]
)
def test_bad_meshes_are_refused(bad: FloatArray) -> None:
    with pytest.raises(ValueError, match="meshes"):
        landmarks_to_motion(bad.astype(np.float32))
