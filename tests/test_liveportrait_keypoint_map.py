"""The keypoint map: fitted, stored, loaded, and right about the keypoints themselves."""

from pathlib import Path

import numpy as np
import pytest

from liveportrait.lite.keypoint_map import (
    KeypointMap,
    fit_keypoint_map,
    load_keypoint_map,
    save_keypoint_map,
)
from models.errors import MissingWeightsError, WeightsError
from models.face_keypoints import KEYPOINT_INDICES
from tests.conftest import ROOT


def test_the_fit_finds_a_linear_map_whatever_each_persons_mean_is() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(63, 478 * 3)).astype(np.float32)
    keypoints = rng.normal(size=(400, 21, 3)).astype(np.float32)
    people = np.repeat(np.arange(4), 100)
    faces = rng.normal(size=(4, 478, 3)) * 50  # people look different
    meshes = (keypoints.reshape(400, 63) @ truth).reshape(400, 478, 3) + faces[people]
    found = fit_keypoint_map(keypoints, meshes.astype(np.float32), people, ridge=1e-3)
    np.testing.assert_allclose(found, truth, atol=0.01)


def test_a_map_is_stored_and_loaded(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    matrix = rng.normal(size=(63, 1434)).astype(np.float32)
    triangles = rng.integers(0, 478, (852, 3))
    save_keypoint_map(KeypointMap(matrix, triangles, 11.0, 60.0), tmp_path / "map.safetensors")
    again = load_keypoint_map(tmp_path / "map.safetensors")
    np.testing.assert_allclose(again.matrix, matrix, atol=4e-3)
    np.testing.assert_array_equal(again.triangles, triangles)
    assert (again.eye_gap, again.mouth_width) == (11.0, 60.0)


def test_the_shipped_map_moves_the_keypoints_where_they_are_told() -> None:
    keypoint_map = load_keypoint_map(ROOT / "weights/lite/keypoint_map.safetensors")
    offsets = np.zeros((1, 21, 3), np.float32)
    offsets[0, [5, 3, 8, 9], 1] = 10.0  # lower lip down
    offsets[0, 10, 1] = 8.0  # and the chin
    mesh = keypoint_map.spread(offsets)[0]
    np.testing.assert_allclose(mesh[KEYPOINT_INDICES][:, 1], offsets[0, :, 1], atol=1.0)
    assert mesh[87, 1] > 7  # between 88 and 14 on the lower lip
    assert abs(mesh[10, 1]) < 1  # the forehead stays
    assert 4 < keypoint_map.eye_gap < 20
    assert 40 < keypoint_map.mouth_width < 90


def test_a_missing_map_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingWeightsError, match="fit-keypoint-map"):
        load_keypoint_map(tmp_path / "none.safetensors")


def test_other_contents_are_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.safetensors").write_bytes(b"not a safetensors file")
    with pytest.raises(WeightsError, match="no keypoint map"):
        load_keypoint_map(tmp_path / "bad.safetensors")
