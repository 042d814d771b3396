"""Mouth layers: stored and loaded, cut from an open mouth, lit and placed like one."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from liveportrait.lite.face_light import teeth_light
from liveportrait.lite.mouth import MouthFrame, paint_mouth, prepare_mouth
from liveportrait.lite.mouth_bank import (
    LAYER_WIDTH,
    LOWER_EDGE_ROW,
    UPPER_EDGE_ROW,
    load_mouth_bank,
    save_mouth_bank,
)
from liveportrait.lite.mouth_cut import cut_mouth
from models.errors import MissingWeightsError, WeightsError
from models.face_keypoints import (
    LOWER_INNER_LIP,
    UPPER_INNER_LIP,
    fit_pose,
    landmarks_to_motion,
)
from models.face_landmarks import MediaPipeDetector
from models.images import decode_image
from models.shapes import FloatArray, Image
from tests.conftest import ROOT

BANK = ROOT / "weights/lite/mouth_bank.safetensors"


@pytest.fixture(scope="module")
def face() -> tuple[Image, FloatArray, FloatArray]:
    """A portrait with shut lips: picture, mesh [L, 3], canonical head [L, 3]."""
    picture = decode_image((ROOT / "server/avatars/p06.jpg").read_bytes())
    points = MediaPipeDetector(ROOT / "weights/face_landmarker.task").detect(picture)[0].points
    return picture, points, landmarks_to_motion(points[None])[1]


def test_the_shipped_bank_holds_mouths_with_both_rows_of_teeth() -> None:
    bank = load_mouth_bank(BANK)
    assert BANK.stat().st_size < 4e6
    assert len(bank) >= 20
    assert max(mouth.skin.mean() for mouth in bank) > 1.5 * min(m.skin.mean() for m in bank)
    for mouth in bank:
        middle = slice(LAYER_WIDTH // 2 - 20, LAYER_WIDTH // 2 + 20)
        assert mouth.upper[UPPER_EDGE_ROW - 12 : UPPER_EDGE_ROW - 5, middle, 3].min() > 200
        assert mouth.upper[UPPER_EDGE_ROW + 11 :, :, 3].max() < 60
        assert mouth.lower[LOWER_EDGE_ROW + 8 :, middle, 3].min() > 150
        assert mouth.teeth_colour.mean() > 1.8 * mouth.cavity[10:30, 20:44].mean()


def test_a_bank_is_stored_and_loaded(tmp_path: Path) -> None:
    bank = load_mouth_bank(BANK)[:2]
    save_mouth_bank(bank, tmp_path / "bank.safetensors")
    again = load_mouth_bank(tmp_path / "bank.safetensors")
    for before, after in zip(bank, again, strict=True):
        np.testing.assert_array_equal(before.upper, after.upper)
        np.testing.assert_array_equal(before.cavity, after.cavity)
        assert before.mouth_width == after.mouth_width


def test_missing_and_damaged_banks_are_named(tmp_path: Path) -> None:
    with pytest.raises(MissingWeightsError, match="build-mouth-bank"):
        load_mouth_bank(tmp_path / "none.safetensors")
    (tmp_path / "bad.safetensors").write_bytes(b"no tensors here")
    with pytest.raises(WeightsError, match="no mouth bank"):
        load_mouth_bank(tmp_path / "bad.safetensors")


def opened(points: FloatArray, down: float) -> FloatArray:
    mesh = points.copy()
    across = np.linspace(-1, 1, 11)
    profile = np.sqrt(np.maximum(1 - across**2, 0))
    mesh[LOWER_INNER_LIP, 1] = mesh[UPPER_INNER_LIP, 1] + down * profile
    return mesh


def test_layers_are_cut_where_the_teeth_are(face: tuple[Image, FloatArray, FloatArray]) -> None:
    picture, points, _ = face
    mesh = opened(points, 90.0)
    drawn = picture.copy()
    outline = np.concatenate([mesh[UPPER_INNER_LIP, :2], mesh[LOWER_INNER_LIP[::-1], :2]])
    cv2.fillPoly(drawn, [np.round(outline).astype(np.int32)], (60, 20, 20))
    x, y = mesh[13, :2].astype(int)
    drawn[y : y + 22, x - 45 : x + 46] = (230, 225, 215)  # a band of upper teeth
    drawn[y + 70 : y + 88, x - 30 : x + 31] = (215, 210, 200)  # and of lower ones
    layers = cut_mouth(drawn, mesh, landmarks_to_motion(mesh[None])[1])
    middle = slice(LAYER_WIDTH // 2 - 10, LAYER_WIDTH // 2 + 10)
    tooth = layers.upper[UPPER_EDGE_ROW - 8 : UPPER_EDGE_ROW - 3, middle]
    assert tooth[..., 3].min() > 230
    np.testing.assert_allclose(tooth[..., :3].mean((0, 1)), (230, 225, 215), atol=8)
    assert layers.upper[UPPER_EDGE_ROW + 5 :, middle, 3].max() < 30
    assert layers.lower[LOWER_EDGE_ROW + 5, middle, 3].min() > 200
    assert layers.lower[: LOWER_EDGE_ROW - 5, middle, 3].max() < 30
    assert layers.cavity.mean() < 70


def test_teeth_are_lit_like_the_portrait(face: tuple[Image, FloatArray, FloatArray]) -> None:
    picture, points, _ = face
    light = teeth_light(picture, points)
    dim = teeth_light((picture * 0.6).astype(np.uint8), points)
    assert 90 < light.mean() < 235
    np.testing.assert_allclose(dim, 0.6 * light, rtol=0.1)
    assert light[0] >= light[2]  # ivory, not blue


def frame_of(points: FloatArray, canonical: FloatArray) -> MouthFrame:
    scale, turn, shift = (part[0] for part in fit_pose(points[None], canonical))
    head = ((points - shift) / scale @ turn.T).astype(np.float32)
    return MouthFrame(points[:, :2], head, float(scale), turn, shift)


def test_a_shut_mouth_is_left_alone(face: tuple[Image, FloatArray, FloatArray]) -> None:
    picture, points, canonical = face
    paint = prepare_mouth(load_mouth_bank(BANK), picture, points, canonical)
    frame = picture.copy()
    paint_mouth(frame, paint, frame_of(opened(points, 0.0), canonical))
    np.testing.assert_array_equal(frame, picture)


def test_an_open_mouth_shows_teeth_above_darkness_and_nothing_outside_the_lips(
    face: tuple[Image, FloatArray, FloatArray],
) -> None:
    picture, points, canonical = face
    paint = prepare_mouth(load_mouth_bank(BANK), picture, points, canonical)
    mesh = opened(points, 50.0)
    frame = picture.copy()
    paint_mouth(frame, paint, frame_of(mesh, canonical))
    x, y = mesh[13, :2].astype(int)
    teeth = frame[y + 3 : y + 7, x - 12 : x + 13].mean()
    dark = frame[y + 22 : y + 32, x - 12 : x + 13].mean()
    assert teeth > 2 * dark
    changed = np.argwhere((frame != picture).any(-1))[:, ::-1]
    outline = np.concatenate([mesh[UPPER_INNER_LIP, :2], mesh[LOWER_INNER_LIP[::-1], :2]])
    distance = [
        cv2.pointPolygonTest(outline.reshape(-1, 1, 2), spot.astype(float).tolist(), True)
        for spot in changed[::7]
    ]
    assert min(distance) > -3
