"""Mesh: its triangles close every hole, and its rings fade into stillness."""

import itertools

import numpy as np
import pytest

from liveportrait.lite.keypoint_map import load_keypoint_map
from liveportrait.lite.mesh import RING_VERTICES, face_triangles, move_rings, place_rings
from models.face_keypoints import FACE_OVAL, fit_pose, landmarks_to_motion
from models.face_landmarks import MediaPipeDetector
from models.images import decode_image
from models.shapes import FloatArray
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def points() -> FloatArray:
    detector = MediaPipeDetector(ROOT / "weights/face_landmarker.task")
    return detector.detect(decode_image((ROOT / "server/avatars/p04.jpg").read_bytes()))[0].points


def test_triangles_cover_the_face_and_leave_only_the_outer_ring_open() -> None:
    triangles = face_triangles(
        load_keypoint_map(ROOT / "weights/lite/keypoint_map.safetensors").triangles
    )
    assert len(triangles) == 852 + 28 + 18 + 216
    edges = np.sort(
        np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    )
    unique, counts = np.unique(edges, axis=0, return_counts=True)
    assert counts.max() == 2
    open_edges = unique[counts == 1]
    assert len(open_edges) == 36
    assert open_edges.min() >= 478 + 72  # the third ring


def test_rings_keep_still_at_rest_and_the_third_always(points: FloatArray) -> None:
    canonical = landmarks_to_motion(points[None])[1]
    scale, turn, shift = (part[0] for part in fit_pose(points[None], canonical))
    rings = place_rings(points, scale, turn, shift)
    assert rings.points.shape == (RING_VERTICES, 3)
    here = scale * (rings.head @ turn) + shift
    none = np.zeros((len(FACE_OVAL), 3), np.float32)
    np.testing.assert_allclose(move_rings(rings, here, none), rings.points, atol=0.01)
    moved = move_rings(rings, here + 20, none + 5) - rings.points
    np.testing.assert_array_equal(moved[72:], 0.0)
    first, second = moved[:36, 0], moved[36:72, 0]
    assert (first > second).all()
    assert first.max() < 25


def test_rings_lie_around_and_behind_the_face(points: FloatArray) -> None:
    canonical = landmarks_to_motion(points[None])[1]
    scale, turn, shift = (part[0] for part in fit_pose(points[None], canonical))
    rings = place_rings(points, scale, turn, shift).points.reshape(3, 36, 3)
    centre = points[FACE_OVAL].mean(0)
    radius = [np.linalg.norm((p - centre)[:, :2], axis=1) for p in (points[FACE_OVAL], *rings)]
    assert all((outer > inner).all() for inner, outer in itertools.pairwise(radius))
    assert (rings[0, :, 2] > points[FACE_OVAL, 2]).all()


def test_a_photographs_upper_edge_never_comes_down_into_the_picture(points: FloatArray) -> None:
    canonical = landmarks_to_motion(points[None])[1]
    scale, turn, shift = (part[0] for part in fit_pose(points[None], canonical))
    forehead = float(points[FACE_OVAL, 1].min())
    edge = forehead - 20  # hair is cut off
    rings = place_rings(points, scale, turn, shift, edge)
    free = place_rings(points, scale, turn, shift)
    here = scale * (rings.head @ turn) + shift
    none = np.zeros((len(FACE_OVAL), 3), np.float32)
    sunk = move_rings(rings, here + np.array([0, 30, 0]), none) - rings.points
    above = rings.points[:, 1] <= edge + 0.01
    assert above.any()
    np.testing.assert_array_equal(sunk[above, 1], 0.0)
    # no triangle may cross the edge: every spoke that crosses it has a vertex upon it
    crossing = (free.points.reshape(3, 36, 3)[:, :, 1] < edge).any(0)
    reached = rings.points.reshape(3, 36, 3)[:, :, 1]
    distance = np.abs(reached[:, crossing] - edge).min(0)
    assert np.median(distance) < 0.01
    risen = move_rings(rings, here - np.array([0, 30, 0]), none) - rings.points
    assert risen[above, 1].min() < -10  # up and out of sight it moves as ever
    np.testing.assert_allclose(sunk[rings.points[:, 1] > 300, 1].max(), 30 * 1.0, rtol=0.5)
