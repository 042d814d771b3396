"""What people are told about their photographs, and which pictures are refused."""

from dataclasses import replace

import numpy as np
import pytest

from liveportrait.lite.human_face import mirror_disagreement, require_human_face
from liveportrait.portrait_warnings import portrait_warnings
from models.errors import NoFaceError
from models.face_keypoints import landmarks_to_motion
from models.face_landmarks import FaceLandmarks, MediaPipeDetector
from models.images import decode_image
from models.motion import Motion
from models.shapes import FloatArray, Image
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def detector() -> MediaPipeDetector:
    return MediaPipeDetector(ROOT / "weights/face_landmarker.task")


def picture(name: str) -> Image:
    return decode_image((ROOT / f"server/avatars/{name}.jpg").read_bytes())


def codes(
    frame: Image, points: FloatArray, source: Motion, factor: float = 1.0, photo_top: float = 0.0
) -> set[str]:
    found = portrait_warnings(frame, points, source, factor=factor, photo_top=photo_top)
    assert all(warning.text.endswith(".") for warning in found)
    return {warning.code for warning in found}


def test_a_good_photograph_has_no_warnings_and_a_smile_has_one(
    detector: MediaPipeDetector,
) -> None:
    for name, expected in (("p03", set()), ("p04", set()), ("p02", {"mouth_open"})):
        frame = picture(name)
        points = detector.detect(frame)[0].points
        assert codes(frame, points, landmarks_to_motion(points[None])[0]) == expected


def test_every_warning_has_its_cause(detector: MediaPipeDetector) -> None:
    frame = picture("p04")
    points = detector.detect(frame)[0].points
    source, _ = landmarks_to_motion(points[None])
    aside = replace(source, yaw=source.yaw + 30)
    bowed = replace(source, roll=source.roll + 25)
    assert codes(frame, points, aside) == {"turned_away"}
    assert codes(frame, points, bowed) == {"tilted"}
    assert codes(frame, points, source, factor=1.8) == {"small_face"}
    forehead = float(points[10, 1])
    assert codes(frame, points, source, photo_top=forehead - 20) == {"cut_close"}
    lit = frame.copy()
    lit[:, : lit.shape[1] // 2] //= 4
    assert codes(lit, points, source) == {"side_light"}
    shut = points.copy()
    shut[[145, 374]] = shut[[159, 386]] + np.array([0, 3, 0], np.float32)
    assert codes(frame, shut, source) == {"eyes_narrow"}


class Guessing:
    """Finds the face ``off`` pixels aside whenever it is asked; None: not at all."""

    def __init__(self, points: FloatArray, off: float | None) -> None:
        self._points, self._off = points, off

    def detect(self, rgb: Image) -> list[FaceLandmarks]:
        if self._off is None:
            return []
        mirrored = self._points.copy()
        mirrored[:, 0] = rgb.shape[1] - 1 - mirrored[:, 0] + self._off
        pairs = [(33, 263), (61, 291), (133, 362), (234, 454), (58, 288)]
        for one, other in pairs:
            mirrored[[one, other]] = mirrored[[other, one]]
        return [FaceLandmarks(mirrored)]


def test_people_are_found_alike_in_the_mirror(detector: MediaPipeDetector) -> None:
    for name in ("p01", "p05", "p08"):
        frame = picture(name)
        points = detector.detect(frame)[0].points
        assert mirror_disagreement(detector, frame, points) < 0.012
        require_human_face(detector, frame, points)


def test_what_is_found_elsewhere_in_the_mirror_is_refused(detector: MediaPipeDetector) -> None:
    frame = picture("p04")
    points = detector.detect(frame)[0].points
    height = float(np.linalg.norm(points[10] - points[152]))
    assert mirror_disagreement(Guessing(points, 0.0), frame, points) == pytest.approx(0, abs=1e-5)
    for off in (0.03 * height, None):
        with pytest.raises(NoFaceError, match="animal"):
            require_human_face(Guessing(points, off), frame, points)
