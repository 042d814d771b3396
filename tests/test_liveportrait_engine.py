"""The lite renderer on the shipped portraits: what it draws is what its motion says."""

import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest

from liveportrait.lite.crop import MARGIN_PX, SIDE_PX
from liveportrait.lite.engine import LitePortrait, LiteRenderer
from liveportrait.lite.sheet import POSES, draw_sheet, lids, mouth, pose
from liveportrait.renderer import load_renderer
from models.device import DevicePolicy
from models.errors import ConfigError, MissingWeightsError, NoFaceError
from models.face_keypoints import KEYPOINT_INDICES, eye_openness, lip_gap
from models.face_landmarks import MediaPipeDetector
from models.images import decode_image
from models.motion import concatenate, driven_keypoints
from models.shapes import FloatArray, Image
from tests.conftest import ROOT
from tests.lite_portraits import drawn, prepared

NAMES = sorted(path.stem for path in (ROOT / "server/avatars").glob("*.jpg"))


@pytest.fixture(scope="module")
def renderer() -> LiteRenderer:
    return LiteRenderer(DevicePolicy(), ROOT / "weights")


@pytest.fixture(scope="module")
def detector() -> MediaPipeDetector:
    return MediaPipeDetector(ROOT / "weights/face_landmarker.task")


@pytest.fixture(scope="module")
def portraits(renderer: LiteRenderer) -> dict[str, LitePortrait]:
    return prepared(renderer, NAMES)


def found(detector: MediaPipeDetector, frame: Image) -> FloatArray:
    return detector.detect(frame)[0].points


def psnr_db(a: Image, b: Image) -> float:
    error = float(np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2))
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


@pytest.mark.parametrize("name", NAMES)
def test_the_portraits_own_motion_gives_the_photograph_back(
    renderer: LiteRenderer, portraits: dict[str, LitePortrait], name: str
) -> None:
    portrait = portraits[name]
    inner = slice(MARGIN_PX, MARGIN_PX + SIDE_PX)
    frame = renderer.render([portrait], portrait.source)[0]
    least = 32 if portrait.mouth.seam else 38  # open mouths are drawn anew, layer by layer
    assert psnr_db(frame, portrait.texture[inner, inner]) > least


@pytest.mark.parametrize("name", NAMES)
def test_keypoints_are_found_again_where_the_equation_puts_them(
    renderer: LiteRenderer,
    detector: MediaPipeDetector,
    portraits: dict[str, LitePortrait],
    name: str,
) -> None:
    portrait = portraits[name]
    distances = []
    for key in ("rest", "yaw -15", "yaw +15", "pitch -10", "roll +10", "ah", "oh"):
        motion = renderer.drive(portrait, POSES[key])
        told = driven_keypoints(portrait.canonical, motion)[0, :, :2]
        mesh = found(detector, renderer.render([portrait], motion)[0])
        distances.append(np.linalg.norm(mesh[KEYPOINT_INDICES, :2] - told, axis=1)[:14].mean())
    assert np.mean(distances) < 3.0


@pytest.mark.parametrize("name", NAMES)
def test_the_mouth_is_shut_at_rest_and_opens_as_told(
    renderer: LiteRenderer,
    detector: MediaPipeDetector,
    portraits: dict[str, LitePortrait],
    name: str,
) -> None:
    gaps = [
        lip_gap(found(detector, drawn(renderer, portraits[name], pose(0, 0, 0, mouth(gap))))[None])[
            0
        ]
        for gap in (0.0, 6.0, 16.0)
    ]
    assert gaps[0] < 0.03
    assert gaps[0] + 0.03 < gaps[1]
    assert gaps[1] + 0.05 < gaps[2]


@pytest.mark.parametrize("name", NAMES)
def test_a_blink_shuts_the_eyes(
    renderer: LiteRenderer,
    detector: MediaPipeDetector,
    portraits: dict[str, LitePortrait],
    name: str,
) -> None:
    open_, shut = (
        eye_openness(found(detector, drawn(renderer, portraits[name], motion))[None])[0]
        for motion in (POSES["rest"], pose(0, 0, 0, lids(1.0)))
    )
    assert shut < 0.65 * open_


def test_the_eyeball_disappears_behind_shut_lids(
    renderer: LiteRenderer, portraits: dict[str, LitePortrait]
) -> None:
    portrait = portraits["p06"]
    shut = drawn(renderer, portrait, pose(0, 0, 0, lids(1.0)))
    iris = portrait.points[468, :2].round().astype(int)
    patch = np.s_[iris[1] - 3 : iris[1] + 2, iris[0] - 4 : iris[0] + 5]
    at_rest = drawn(renderer, portrait, POSES["rest"])
    skin = at_rest[portrait.points[50, 1].astype(int), portrait.points[50, 0].astype(int)]
    assert at_rest[patch].mean() < 0.5 * skin.mean()
    assert shut[patch].mean() > 0.5 * skin.mean()


def test_glasses_are_found_where_they_are_worn(portraits: dict[str, LitePortrait]) -> None:
    wearers = {name for name, portrait in portraits.items() if portrait.glasses is not None}
    assert wearers == {"p01", "p04"}


def test_the_rim_of_glasses_stays_in_a_blink(
    renderer: LiteRenderer, portraits: dict[str, LitePortrait]
) -> None:
    portrait = portraits["p04"]
    assert portrait.glasses is not None
    at_rest, shut = (drawn(renderer, portrait, POSES[key]) for key in ("rest", "lids shut"))
    inner = slice(MARGIN_PX, MARGIN_PX + SIDE_PX)
    rim = portrait.glasses.rim[inner, inner] > 250
    nose = portrait.points[168, :2].round().astype(int)
    near = np.zeros_like(rim)
    near[nose[1] - 40 : nose[1] + 60, nose[0] - 95 : nose[0] + 95] = True
    change = np.abs(shut.astype(int) - at_rest.astype(int)).mean(-1)[rim & near]
    assert change.mean() < 8


def test_gaze_moves_the_iris_and_not_the_lids(
    renderer: LiteRenderer, detector: MediaPipeDetector, portraits: dict[str, LitePortrait]
) -> None:
    rest_mesh, left_mesh = (
        found(detector, drawn(renderer, portraits["p06"], POSES[key]))
        for key in ("rest", "gaze left")
    )
    assert left_mesh[468, 0] < rest_mesh[468, 0] - 2.0
    assert abs(left_mesh[33, 0] - rest_mesh[33, 0]) < 1.6


def test_batches_mix_portraits_and_equal_single_frames(
    renderer: LiteRenderer, portraits: dict[str, LitePortrait]
) -> None:
    order = [portraits[name] for name in ("p01", "p08", "p01", "p02")]
    keys = ("ah", "lids shut", "yaw +15", "rest")
    motions = concatenate(
        [renderer.drive(p, POSES[key]) for p, key in zip(order, keys, strict=True)]
    )
    batch = renderer.render(order, motions)
    assert [frame.shape for frame in batch] == [(SIDE_PX, SIDE_PX, 3)] * 4
    assert {frame.dtype for frame in batch} == {np.dtype(np.uint8)}
    for index, portrait in enumerate(order):
        alone = renderer.render([portrait], motions[index : index + 1])[0]
        np.testing.assert_array_equal(batch[index], alone)


def test_the_same_motion_gives_the_same_frame_in_another_process_portrait(
    renderer: LiteRenderer, portraits: dict[str, LitePortrait]
) -> None:
    portrait = portraits["p03"]
    copied = pickle.loads(pickle.dumps(portrait))
    np.testing.assert_array_equal(
        drawn(renderer, portrait, POSES["ee"]), drawn(renderer, copied, POSES["ee"])
    )


def test_nothing_tears_when_the_head_turns_as_far_as_it_may(
    renderer: LiteRenderer, portraits: dict[str, LitePortrait]
) -> None:
    for portrait in portraits.values():
        for key in ("yaw +15", "yaw -15", "pitch +10", "pitch -10", "roll +10"):
            frame = drawn(renderer, portrait, POSES[key])
            assert (frame.max(-1) == 0).mean() < 0.05  # no holes


def test_unequal_numbers_are_refused(
    renderer: LiteRenderer, portraits: dict[str, LitePortrait]
) -> None:
    with pytest.raises(ValueError, match="2 portraits but 1 frames"):
        renderer.render([portraits["p01"]] * 2, portraits["p01"].source)


def test_a_picture_without_a_face_is_refused(renderer: LiteRenderer) -> None:
    with pytest.raises(NoFaceError):
        renderer.prepare(np.full((64, 64, 3), 127, np.uint8))
    with pytest.raises(NoFaceError):
        renderer.prepare(np.zeros((1, 1, 3), np.uint8))


def test_a_small_photograph_works(renderer: LiteRenderer) -> None:
    photo = decode_image((ROOT / "server/avatars/p05.jpg").read_bytes())
    portrait = renderer.prepare(cv2.resize(photo, (180, 180), interpolation=cv2.INTER_AREA))
    assert drawn(renderer, portrait, POSES["ah"]).shape == (SIDE_PX, SIDE_PX, 3)


def test_engines_and_files_that_do_not_exist_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="accepted: lite"):
        load_renderer("nonsense", DevicePolicy(), ROOT / "weights")
    with pytest.raises(MissingWeightsError, match="keypoint_map"):
        load_renderer("lite", DevicePolicy(), tmp_path)


def test_a_sheet_shows_every_pose(
    renderer: LiteRenderer, portraits: dict[str, LitePortrait]
) -> None:
    picture = draw_sheet(renderer, portraits["p07"], tile_px=64, columns=6)
    rows = -(-len(POSES) // 6)
    assert picture.shape == (rows * 64, 6 * 64, 3)
