"""Which photographs become portraits, and the square cut out of them."""

import cv2
import numpy as np
import pytest

from liveportrait.lite.crop import MARGIN_PX, SIDE_PX, choose_face, crop_face
from models.errors import FaceTooSmallError, NoFaceError, SeveralFacesError
from models.face_landmarks import FaceLandmarks, MediaPipeDetector
from models.images import decode_image
from models.shapes import Image
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def detector() -> MediaPipeDetector:
    return MediaPipeDetector(ROOT / "weights/face_landmarker.task", search_tiles=True)


@pytest.fixture(scope="module")
def portrait() -> Image:
    return decode_image((ROOT / "server/avatars/p06.jpg").read_bytes())


def scene(portrait: Image, *sides: int) -> Image:
    """A grey picture with the portrait pasted at each of these sizes, side by side."""
    canvas = np.full((max(sides) + 40, sum(sides) + 20 * len(sides) + 20, 3), 128, np.uint8)
    left = 20
    for side in sides:
        canvas[20 : 20 + side, left : left + side] = cv2.resize(portrait, (side, side))
        left += side + 20
    return canvas


def test_a_picture_without_a_face_is_refused(detector: MediaPipeDetector) -> None:
    with pytest.raises(NoFaceError, match="photograph of one person") as refusal:
        choose_face(detector.detect(np.full((300, 300, 3), 90, np.uint8)))
    assert refusal.value.code == "no_face"


def test_two_people_are_refused(detector: MediaPipeDetector, portrait: Image) -> None:
    with pytest.raises(SeveralFacesError, match="2 faces") as refusal:
        choose_face(detector.detect(scene(portrait, 400, 300)))
    assert refusal.value.code == "several_faces"


def test_a_small_bystander_is_no_obstacle(detector: MediaPipeDetector, portrait: Image) -> None:
    faces = detector.detect(scene(portrait, 500, 150))
    assert choose_face(faces) is faces[0]


def test_a_face_of_few_pixels_is_refused(detector: MediaPipeDetector, portrait: Image) -> None:
    with pytest.raises(FaceTooSmallError, match=r"face is 6\d pixels high.*80") as refusal:
        choose_face(detector.detect(scene(portrait, 100)))
    assert refusal.value.code == "face_too_small"


def gradient(height: int, width: int) -> Image:
    """Red grows with x, green with y: a colour tells its place."""
    x = np.linspace(0, 255, width, dtype=np.float32)
    y = np.linspace(0, 255, height, dtype=np.float32)
    return np.dstack(
        [np.tile(x, (height, 1)), np.tile(y[:, None], (1, width)), np.zeros((height, width))]
    ).astype(np.uint8)


def face_at(left: float, top: float, size: float) -> FaceLandmarks:
    """A stand-in whose box is (left, top, left + 0.8 size, top + size)."""
    points = np.zeros((478, 3), np.float32)
    points[:] = (left + 0.4 * size, top + size / 2, 0)
    points[0, :2], points[1, :2] = (left, top), (left + 0.8 * size, top + size)
    points[10, :2], points[152, :2] = (left + 0.4 * size, top), (left + 0.4 * size, top + size)
    return FaceLandmarks(points)


def test_a_wide_photograph_gives_a_square_of_two_faces() -> None:
    crop = crop_face(gradient(1000, 1600), face_at(700, 350, 200))
    assert crop.side == pytest.approx(400)
    assert crop.texture.shape == (SIDE_PX + 2 * MARGIN_PX,) * 2 + (3,)


def test_frame_points_show_the_pixels_they_had_in_the_photograph() -> None:
    photo = gradient(1000, 1600)
    face = face_at(700, 350, 200)
    crop = crop_face(photo, face)
    spots = np.array([[700, 350, 0], [860, 550, 0], [800, 400, 0]], np.float32)
    for spot, place in zip(spots, crop.to_frame(spots), strict=True):
        x, y = np.round(place[:2]).astype(int) + MARGIN_PX
        expected = photo[int(spot[1]), int(spot[0])].astype(int)
        np.testing.assert_allclose(crop.texture[y, x].astype(int), expected, atol=2)


def test_large_photographs_are_shrunk_without_moving() -> None:
    photo = gradient(4000, 4000)
    crop = crop_face(photo, face_at(1500, 1500, 1000))
    spot = np.array([[2000, 2100, 0]], np.float32)
    x, y = np.round(crop.to_frame(spot)[0, :2]).astype(int) + MARGIN_PX
    np.testing.assert_allclose(crop.texture[y, x].astype(int), photo[2100, 2000], atol=2)


def test_the_square_slides_inside_a_tight_photograph() -> None:
    crop = crop_face(gradient(600, 600), face_at(20, 20, 350))
    assert crop.left == 0
    assert crop.top == 0
    assert crop.side == pytest.approx(600)


def test_beyond_the_photograph_there_is_picture_not_black() -> None:
    photo = np.full((300, 300, 3), 200, np.uint8)
    crop = crop_face(photo, face_at(30, 5, 290))
    assert crop.side > 300
    np.testing.assert_allclose(crop.texture.astype(int), 200, atol=1)
