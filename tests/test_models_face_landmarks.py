"""Face landmarks: faces of the shipped portraits are found, wherever they are in a picture."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.errors import MissingWeightsError
from models.face_landmarks import MediaPipeDetector
from models.images import decode_image
from models.shapes import LANDMARKS, Image
from tests.conftest import ROOT

TASK = ROOT / "weights/face_landmarker.task"
AVATARS = sorted((ROOT / "server/avatars").glob("*.jpg"))


@pytest.fixture(scope="module")
def detector() -> MediaPipeDetector:
    return MediaPipeDetector(TASK, search_tiles=True)


@pytest.fixture(scope="module")
def portrait() -> Image:
    return decode_image(AVATARS[0].read_bytes())


def pasted(canvas: Image, face: Image, left: int, top: int, side: int) -> None:
    canvas[top : top + side, left : left + side] = cv2.resize(face, (side, side))


@pytest.mark.parametrize("path", AVATARS, ids=lambda path: path.stem)
def test_each_shipped_portrait_has_one_face(detector: MediaPipeDetector, path: Path) -> None:
    rgb = decode_image(path.read_bytes())
    (face,) = detector.detect(rgb)
    left, top, right, bottom = face.box
    assert face.points.shape == (LANDMARKS, 3)
    assert 0 < left < right < rgb.shape[1]
    assert 0 < top < bottom < rgb.shape[0]
    eyes, lips, chin = face.points[[33, 263], 1].mean(), face.points[13, 1], face.points[152, 1]
    assert eyes < lips < chin
    assert face.points[4, 2] < face.points[234, 2]  # the nose is nearer than the ear


def test_depth_has_the_unit_of_the_other_axes(detector: MediaPipeDetector, portrait: Image) -> None:
    wide = np.full((768, 1536, 3), 128, np.uint8)
    wide[:, :768] = portrait
    (alone,), (beside,) = detector.detect(portrait), detector.detect(wide)
    ratio = np.ptp(beside.points, axis=0) / np.ptp(alone.points, axis=0)
    np.testing.assert_allclose(ratio, 1.0, atol=0.12)


def test_faces_come_largest_first(detector: MediaPipeDetector, portrait: Image) -> None:
    canvas = np.full((600, 1000, 3), 120, np.uint8)
    pasted(canvas, portrait, 20, 100, 300)
    pasted(canvas, portrait, 450, 50, 500)
    heights = [face.height_px for face in detector.detect(canvas)]
    assert len(heights) == 2
    assert heights[0] > 1.4 * heights[1]


def test_a_small_face_in_a_large_picture_is_found_by_searching(
    detector: MediaPipeDetector, portrait: Image
) -> None:
    canvas = np.full((1500, 2000, 3), 120, np.uint8)
    pasted(canvas, portrait, 300, 1000, 120)
    (face,) = detector.detect(canvas)
    left, top, right, bottom = face.box
    assert 300 < left < right < 420
    assert 1000 < top < bottom < 1120


def test_no_face_gives_an_empty_list(detector: MediaPipeDetector) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3)).astype(np.uint8)
    assert detector.detect(noise) == []
    assert detector.detect(np.zeros((1, 1, 3), np.uint8)) == []


def test_other_arrays_are_refused(detector: MediaPipeDetector) -> None:
    with pytest.raises(ValueError, match="uint8"):
        detector.detect(np.zeros((10, 10), np.uint8))


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingWeightsError, match=r"nowhere\.task"):
        MediaPipeDetector(tmp_path / "nowhere.task")


def test_leaving_the_interpreter_is_quiet() -> None:
    script = (
        "from pathlib import Path; from models.face_landmarks import MediaPipeDetector; "
        f"keep = MediaPipeDetector(Path({str(TASK)!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "Traceback" not in done.stderr
