"""Fitting the keypoint map: clips are tracked, some are kept to measure on, the rest is learnt."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from liveportrait.lite.fit_map import make_keypoint_map, track_clip
from liveportrait.lite.keypoint_map import load_keypoint_map
from liveportrait.source.media import VideoSink
from models.errors import NoFaceError
from models.face_keypoints import KEYPOINT_INDICES
from models.face_landmarks import FaceLandmarks, MediaPipeDetector
from models.images import decode_image
from models.motion import rotation_matrix
from models.shapes import FloatArray, Image
from tests.conftest import ROOT

FRAMES, CLIPS = 30, 4


class ScriptedDetector:
    """Gives the next mesh whatever the picture shows; None is a picture without a face."""

    def __init__(self, meshes: Iterator[FloatArray | None]) -> None:
        self._meshes = meshes

    def detect(self, rgb: Image) -> list[FaceLandmarks]:
        assert rgb.shape == (16, 16, 3)
        mesh = next(self._meshes)
        return [] if mesh is None else [FaceLandmarks(mesh)]


@pytest.fixture(scope="module")
def face() -> FloatArray:
    detector = MediaPipeDetector(ROOT / "weights/face_landmarker.task")
    return detector.detect(decode_image((ROOT / "server/avatars/p04.jpg").read_bytes()))[0].points


def talking(face: FloatArray, rng: np.random.Generator) -> list[FloatArray]:
    """Meshes of a head that speaks, blinks and turns a little; lips stay ahead of one another."""
    spread = load_keypoint_map(ROOT / "weights/lite/keypoint_map.safetensors").spread
    meshes = []
    for _ in range(FRAMES):
        offsets = np.zeros((1, 21, 3), np.float32)
        gap = rng.uniform(0, 15)
        offsets[0, [5, 3, 8, 9, 10], 1] = gap
        offsets[0, [4, 2, 6, 7], 1] = -0.2 * gap
        offsets[0, 0, 0], offsets[0, 1, 0] = -rng.uniform(-4, 4), rng.uniform(-4, 4)
        offsets[0, [18, 19], 1] = rng.uniform(-4, 4)
        turn = rotation_matrix(*rng.uniform(-3, 3, (3, 1)).astype(np.float32))[0]
        meshes.append(((face + spread(offsets)[0]) @ turn).astype(np.float32))
    return meshes


def write_clips(folder: Path, count: int) -> None:
    for index in range(count):
        with VideoSink(folder / f"person{index}.mp4", 25.0, (16, 16)) as video:
            for _ in range(FRAMES):
                video.add(np.zeros((16, 16, 3), np.uint8))


def test_a_map_fitted_on_some_people_holds_for_others(tmp_path: Path, face: FloatArray) -> None:
    rng = np.random.default_rng(3)
    write_clips(tmp_path, CLIPS)
    (tmp_path / "notes.txt").write_text("no clip")
    people = [face * size for size in (1.0, 0.7, 1.2, 0.9)]
    detector = ScriptedDetector(mesh for person in people for mesh in talking(person, rng))
    out = tmp_path / "lite" / "map.safetensors"
    report = make_keypoint_map(tmp_path, out, detector, stride=1, held_out=2)
    assert report["clips"] == CLIPS
    assert report["frames"] == CLIPS * FRAMES
    # of 240 units of face height; a map that moved nothing would be off by more than 2 at the lips
    assert report["lips"] < 0.5
    assert report["inner_lips"] < 0.5
    assert report["jaw"] < 0.7
    fitted = load_keypoint_map(out)
    assert fitted.triangles.shape == (852, 3)
    opened = np.zeros((1, 21, 3), np.float32)
    opened[0, [5, 3, 8, 9, 10], 1] = 10.0
    opened[0, [4, 2, 6, 7], 1] = -2.0
    moved = fitted.spread(opened)[0]
    np.testing.assert_allclose(moved[KEYPOINT_INDICES[[5, 10]], 1], 10.0, atol=1.5)
    assert abs(moved[10, 1]) < 1.0  # the forehead stays


def test_every_nth_frame_is_tracked_and_lost_faces_are_left_out(
    tmp_path: Path, face: FloatArray
) -> None:
    write_clips(tmp_path, 1)
    meshes = [face, None, face + 1, None, face + 2]
    found = track_clip(tmp_path / "person0.mp4", ScriptedDetector(iter(meshes)), stride=6)
    assert found.shape == (3, 478, 3)
    np.testing.assert_allclose(found[2] - found[0], 2.0, atol=1e-3)


def test_clips_without_a_face_are_refused(tmp_path: Path) -> None:
    write_clips(tmp_path, 1)
    nobody: Iterator[FloatArray | None] = iter([None] * FRAMES)
    with pytest.raises(NoFaceError, match="five frames"):
        make_keypoint_map(tmp_path, tmp_path / "map", ScriptedDetector(nobody), 1, 2)
