"""Synthetic people and the mouth bank made of them, with a generator whose faces are drawn here."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from liveportrait.lite.build_bank import ADULTS, UNEVEN, build_mouth_bank, is_clean
from liveportrait.lite.mouth_bank import load_mouth_bank
from liveportrait.lite.synthetic_faces import (
    EXPRESSIONS,
    PICTURE_PX,
    draw_people,
    fit_directions,
    measure_mouths,
    pose_mouth,
    read_people,
)
from models.errors import WeightsError
from models.face_keypoints import LOWER_INNER_LIP, UPPER_INNER_LIP
from models.face_landmarks import FaceLandmarks, MediaPipeDetector
from models.images import decode_image
from models.motion import rotation_matrix
from models.shapes import FloatArray, Image
from tests.conftest import ROOT

SIDE = 1024
STYLE = 6  # lip gap, mouth width, yaw, pitch, and two numbers that change nothing


class DrawnFaces:
    """A generator and the detector that knows what it drew: the style opens and widens a mouth
    that is painted into one photograph."""

    def __init__(self, photo: Image, points: FloatArray, teeth: bool = True) -> None:
        self.photo, self.points, self.teeth = photo, points, teeth
        self.drawn = 0
        self._meshes: dict[bytes, FloatArray] = {}

    def styles(self, count: int, seed: int) -> FloatArray:
        return np.random.default_rng(seed).normal(0, 10, (count, STYLE)).astype(np.float32)

    def mesh(self, style: FloatArray) -> FloatArray:
        mesh = self.points.copy()
        eye = float(np.linalg.norm(mesh[33] - mesh[263]))
        gap = max(0.15 + 0.01 * float(style[0]), 0.0) * eye
        profile = np.sqrt(np.maximum(1 - np.linspace(-1, 1, 11) ** 2, 0))
        mesh[LOWER_INNER_LIP, 1] = mesh[UPPER_INNER_LIP, 1] + gap * profile
        wider = 0.004 * float(style[1]) * eye
        mesh[[61, 78], 0] -= wider / 2
        mesh[[291, 308], 0] += wider / 2
        degrees = 0.3 * style[2:4].astype(np.float64)
        turn = rotation_matrix(*(np.array([angle]) for angle in (degrees[1], degrees[0], 0.0)))[0]
        middle = mesh.mean(0)
        return ((mesh - middle) @ turn + middle).astype(np.float32)  # type: ignore[no-any-return]

    def face(self, style: FloatArray) -> Image:
        self.drawn += 1
        mesh, picture = self.mesh(style), self.photo.copy()
        outline = np.concatenate([mesh[UPPER_INNER_LIP, :2], mesh[LOWER_INNER_LIP[::-1], :2]])
        cv2.fillPoly(picture, [np.round(outline).astype(np.int32)], (60, 20, 20))
        x, y = mesh[13, :2].astype(int)
        bottom = int(mesh[14, 1])
        if self.teeth and bottom - y > 80:
            picture[y : y + 24, x - 70 : x + 71] = (230, 225, 215)
            picture[bottom - 20 : bottom, x - 60 : x + 61] = (215, 210, 200)
        self._meshes[picture.tobytes()] = mesh
        return picture

    def detect(self, rgb: Image) -> list[FaceLandmarks]:
        mesh = self._meshes.get(rgb.tobytes())
        return [] if mesh is None else [FaceLandmarks(mesh)]


@pytest.fixture(scope="module")
def face() -> tuple[Image, FloatArray]:
    photo = decode_image((ROOT / "server/avatars/p06.jpg").read_bytes())
    photo = cv2.resize(photo, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    detector = MediaPipeDetector(ROOT / "weights/face_landmarker.task")
    return photo, detector.detect(photo)[0].points


def test_directions_bring_a_mouth_to_the_gap_and_width_asked_for(
    face: tuple[Image, FloatArray],
) -> None:
    faces = DrawnFaces(*face)
    directions, styles = fit_directions(faces, faces, measured=60)
    gaps = [measure_mouths(faces.mesh(style)[None])[0, 0] for style in styles]
    assert gaps == sorted(gaps, reverse=True)
    assert abs(directions.effect[0, 0]) > 10 * np.abs(directions.effect[4:, 0]).max()
    usual = measure_mouths(faces.mesh(styles[30])[None])[0, 1]
    posed = pose_mouth(faces, faces, directions, styles[30], 0.3, wider=0.05)
    assert posed is not None
    gap, width = measure_mouths(posed[1][None])[0, :2]
    assert gap == pytest.approx(0.3, abs=0.02)
    assert width - usual == pytest.approx(0.05, abs=0.025)


def test_people_are_drawn_once_with_all_their_expressions(
    face: tuple[Image, FloatArray], tmp_path: Path
) -> None:
    faces = DrawnFaces(*face)
    directions, styles = fit_directions(faces, faces, measured=24)
    assert draw_people(tmp_path, faces, faces, directions, styles[:2]) == 2
    (name, person), _ = read_people(tmp_path)
    assert name == "000"
    assert person.pictures.shape == (len(EXPRESSIONS), PICTURE_PX, PICTURE_PX, 3)
    gaps = measure_mouths(person.meshes)[:, 0]
    asked = np.array([gap for gap, _ in EXPRESSIONS])
    assert np.corrcoef(gaps, asked)[0, 1] > 0.95
    before = faces.drawn
    assert draw_people(tmp_path, faces, faces, directions, styles[:2]) == 2
    assert faces.drawn == before  # nothing was drawn again


def test_a_bank_is_built_stored_and_pictured(
    face: tuple[Image, FloatArray], tmp_path: Path
) -> None:
    faces = DrawnFaces(*face)
    out, sheet = tmp_path / "bank.safetensors", tmp_path / "faces.png"
    assert build_mouth_bank(out, faces, faces, sheet, ranks=(0, 3, 999), measured=24) == 2
    bank = load_mouth_bank(out)
    assert all(is_clean(mouth) for mouth in bank)
    np.testing.assert_allclose(bank[0].teeth_colour, (230, 225, 215), atol=10)
    assert bank[0].skin[0] > bank[0].skin[2] > 40
    assert decode_image(sheet.read_bytes()).shape == (256, 6 * 256, 3)


def test_mouths_without_teeth_make_no_bank(face: tuple[Image, FloatArray], tmp_path: Path) -> None:
    faces = DrawnFaces(*face, teeth=False)
    with pytest.raises(WeightsError, match="none of 2 faces"):
        build_mouth_bank(tmp_path / "b.safetensors", faces, faces, ranks=(0, 1), measured=12)
    assert not (tmp_path / "b.safetensors").exists()


def test_the_people_looked_at_are_each_named_once() -> None:
    assert len(set(ADULTS)) == len(ADULTS) > 50
    assert set(UNEVEN) < set(ADULTS)
