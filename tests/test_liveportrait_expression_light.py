"""Expression light: it shades skin and nothing else, is steady, and the fit finds what was done."""

from pathlib import Path

import numpy as np
import pytest

from liveportrait.lite.expression_light.fit import explained, fit_ratios, joined
from liveportrait.lite.expression_light.model import (
    ExpressionLight,
    FacePose,
    load_expression_light,
    save_expression_light,
)
from liveportrait.lite.expression_light.pairs import Pairs
from liveportrait.lite.expression_light.people import named_split
from liveportrait.lite.expression_light.window import (
    STATES,
    WINDOW_PX,
    MouthAtRest,
    cut_window,
    lips_mask,
    mouth_at_rest,
    mouth_state,
    place_window,
)
from models.errors import ConfigError, MissingWeightsError, WeightsError
from models.face_keypoints import landmarks_to_motion
from models.face_landmarks import MediaPipeDetector
from models.images import decode_image
from models.shapes import FloatArray, Image
from tests.conftest import ROOT

SHIPPED = ROOT / "weights/lite/expression_light.safetensors"
UPRIGHT = np.eye(3, dtype=np.float32)
SHIFT = np.array([256.0, 256.0, 0.0], np.float32)


@pytest.fixture(scope="module")
def head() -> FloatArray:
    """A head [L, 3] in canonical units, lips shut."""
    picture = decode_image((ROOT / "server/avatars/p06.jpg").read_bytes())
    points = MediaPipeDetector(ROOT / "weights/face_landmarker.task").detect(picture)[0].points
    return landmarks_to_motion(points[None])[1]


def smiling(head: FloatArray, wider: float) -> FloatArray:
    moved = head.copy()
    moved[61, 0] -= wider
    moved[291, 0] += wider
    return moved


def shaded(light: ExpressionLight, rest: MouthAtRest, head: FloatArray, frame: Image) -> Image:
    after = frame.copy()
    pixels = head[:, :2] + SHIFT[:2]
    light(after, rest, FacePose(head, pixels, 1.0, UPRIGHT, SHIFT))
    return after


def grey(level: int = 150) -> Image:
    return np.full((512, 512, 3), level, np.uint8)


def test_the_photographs_own_expression_changes_nothing(head: FloatArray) -> None:
    rest = mouth_at_rest(head, head)
    np.testing.assert_array_equal(mouth_state(rest, head), np.zeros(STATES))
    after = shaded(load_expression_light(SHIPPED), rest, head, grey())
    np.testing.assert_array_equal(after, grey())


def test_a_smile_darkens_the_folds_beside_the_nose_and_leaves_lips_and_the_rest_alone(
    head: FloatArray,
) -> None:
    light, rest = load_expression_light(SHIPPED), mouth_at_rest(head, head)
    moved = smiling(head, 8.0)
    change = shaded(light, rest, moved, grey()).astype(int) - 150
    for fold in (203, 423):  # of the mesh, beside the nose
        x, y = np.round(head[fold, :2] + SHIFT[:2]).astype(int)
        assert change[y - 3 : y + 4, x - 3 : x + 4].mean() < -2
    mouth = (moved[[13, 14], :2].mean(0) + SHIFT[:2]).astype(int)
    assert np.abs(change[mouth[1], mouth[0] - 20 : mouth[0] + 21]).max() <= 1
    middle = rest.middle[:2] + SHIFT[:2]
    far = np.abs(np.indices((512, 512)).transpose(1, 2, 0)[..., ::-1] - middle).max(-1) > WINDOW_PX
    assert not change[far].any()
    jump = max(np.abs(np.diff(change[..., 0], axis=axis)).max() for axis in (0, 1))
    assert jump <= 4  # no edge anywhere


def test_shading_follows_a_slow_smile_without_flicker(head: FloatArray) -> None:
    light, rest = load_expression_light(SHIPPED), mouth_at_rest(head, head)
    gains = np.stack(
        [light.gain(mouth_state(rest, smiling(head, w))) for w in np.linspace(0, 10, 41)]
    )
    assert np.abs(gains - 1).max() > 0.02
    assert np.abs(np.diff(gains, n=2, axis=0)).max() < 0.001
    wild = light.gain(np.full(STATES, 50.0, np.float32))
    assert np.log(wild).max() <= 0.351
    assert np.log(wild).min() >= -0.351


def test_the_window_moves_with_the_skull_and_shows_what_it_covers(head: FloatArray) -> None:
    rest = mouth_at_rest(head, head)
    matrix = place_window(rest.middle, 1.5, UPRIGHT, SHIFT)
    centre = matrix @ np.array([(WINDOW_PX - 1) / 2, (WINDOW_PX - 1) / 2, 1.0])
    np.testing.assert_allclose(centre, 1.5 * rest.middle[:2] + SHIFT[:2], atol=1e-3)
    frame = np.zeros((700, 700, 3), np.uint8)
    frame[:] = np.linspace(0, 255, 700).astype(np.uint8)[None, :, None]
    window = cut_window(frame, matrix)
    columns = matrix[0, 0] * np.arange(WINDOW_PX) + matrix[0, 2]
    np.testing.assert_allclose(window[32, :, 0], columns * 255 / 699, atol=2)
    lips = lips_mask(1.5 * head[:, :2] + SHIFT[:2], matrix)
    assert 0.01 < (lips > 128).mean() < 0.2


def made_pairs(count: int, seed: int, ratios: FloatArray) -> Pairs:
    rng = np.random.default_rng(seed)
    state = rng.normal(0, 0.5, (count, STATES)).astype(np.float32)
    window = np.broadcast_to(
        rng.uniform(90, 160, (count, 1, 1, 3)), (count, WINDOW_PX, WINDOW_PX, 3)
    )
    gain = np.exp(np.tensordot(state, ratios, 1))[..., None]
    target = window * gain * rng.uniform(0.9, 1.1, (count, 1, 1, 1))  # and another exposure
    lips = np.zeros((count, WINDOW_PX, WINDOW_PX), np.uint8)
    lips[:, 30:36, 20:44] = 255
    target[lips > 0] = 10  # another mouth: must not count
    return Pairs(window.astype(np.uint8), lips, state, target.clip(0, 255).astype(np.uint8))


def test_the_fit_finds_ratios_again_whatever_lips_and_exposure_do() -> None:
    place = np.linspace(-1, 1, WINDOW_PX)
    hill = np.exp(-8 * ((place[:, None] + 0.4) ** 2 + (np.abs(place) - 0.5) ** 2))
    true = np.zeros((STATES, WINDOW_PX, WINDOW_PX), np.float32)
    true[1], true[0] = -0.3 * hill, 0.15 * hill
    pairs = made_pairs(240, 3, true)
    ratios = fit_ratios(pairs)
    np.testing.assert_allclose(ratios, ratios[:, :, ::-1], atol=1e-6)
    skin = np.ones((WINDOW_PX, WINDOW_PX), bool)
    skin[24:42, 14:50] = False
    assert np.abs(ratios - true)[:, skin].max() < 0.12
    assert explained(ratios, made_pairs(60, 4, true)) > 0.5
    assert explained(np.zeros_like(ratios), pairs) == pytest.approx(0.0)


def test_files_that_are_missing_or_wrong_are_named(tmp_path: Path) -> None:
    with pytest.raises(MissingWeightsError, match="fit-expression-light"):
        load_expression_light(tmp_path / "none.safetensors")
    save_expression_light(np.zeros((2, 8, 8), np.float32), tmp_path / "small.safetensors")
    with pytest.raises(WeightsError, match=r"\(2, 8, 8\)"):
        load_expression_light(tmp_path / "small.safetensors")
    with pytest.raises(ConfigError, match="mouth-pairs"):
        joined([tmp_path])
    with pytest.raises(ConfigError, match="accepted: train, validation, test"):
        named_split("all")
