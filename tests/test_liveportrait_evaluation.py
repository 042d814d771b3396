"""The picture's evaluation: measures that know same from different, tables, and clips left out."""

import json
from pathlib import Path

import numpy as np
import pytest

from liveportrait.evaluation.clips import held_out_clips
from liveportrait.evaluation.measures import (
    eye_r,
    face_mask,
    face_square,
    landmark_error_px,
    likeness,
    liveliness,
    pearson,
)
from liveportrait.evaluation.reenactment import FULL, STATIC, VARIANTS, Score
from liveportrait.evaluation.report import Report, Spread
from liveportrait.evaluation.run import EvaluationJob, evaluate
from models.errors import ConfigError
from models.face_landmarks import MediaPipeDetector
from models.held_out import TALKING_CLIPS
from models.images import decode_image
from models.shapes import FloatArray, Image
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def face() -> tuple[Image, FloatArray]:
    picture = decode_image((ROOT / "server/avatars/p04.jpg").read_bytes())
    detector = MediaPipeDetector(ROOT / "weights/face_landmarker.task")
    return picture, detector.detect(picture)[0].points


def test_likeness_is_perfect_for_the_same_and_falls_with_the_difference(
    face: tuple[Image, FloatArray],
) -> None:
    pytest.importorskip("skimage", reason="the extra `evaluate` is not installed")
    picture, points = face
    same = likeness(picture, picture, points)
    assert same.l1 == 0.0
    assert same.ssim == pytest.approx(1.0)
    near, far = (likeness(np.roll(picture, by, 1), picture, points) for by in (2, 12))
    assert same.l1 < near.l1 < far.l1
    assert same.ssim > near.ssim > far.ssim
    beside = picture.copy()
    beside[~face_mask(points, len(picture))] = 0  # hair and background are not judged for L1
    assert likeness(beside, picture, points).l1 == 0.0


def test_a_still_face_has_no_life_and_flicker_has_much(face: tuple[Image, FloatArray]) -> None:
    picture, points = face
    meshes = np.repeat(points[None], 4, 0)
    assert liveliness([picture] * 4, meshes) == 0.0
    dimmed = (picture * 0.95).astype(np.uint8)
    flickering = liveliness([picture, dimmed, picture, dimmed], meshes)
    assert flickering > 5.0
    # a face that only moves along is aligned first
    along = [np.roll(picture, 5 * step, 1) for step in range(4)]
    shifts = np.array([[[5.0 * step, 0, 0]] for step in range(4)], np.float32)
    assert liveliness(along, meshes + shifts) < 0.25 * flickering


def test_correlations_need_movement(face: tuple[Image, FloatArray]) -> None:
    rising = np.arange(10, dtype=np.float32)
    assert pearson(rising, 3 * rising + 1) == pytest.approx(1.0)
    assert np.isnan(pearson(rising, np.full(10, 0.1, np.float32)))
    _, points = face
    open_eyes = np.repeat(points[None], 12, 0)
    assert np.isnan(eye_r(open_eyes, open_eyes))  # nobody blinks
    blinking = open_eyes.copy()
    blinking[5:8, [159, 386]] = blinking[5:8, [145, 374]]
    assert eye_r(blinking, blinking) == pytest.approx(1.0)
    assert landmark_error_px(points + np.array([3, 4, 9], np.float32), points) == pytest.approx(5.0)


def test_the_face_square_holds_the_mesh_and_stays_inside(face: tuple[Image, FloatArray]) -> None:
    picture, points = face
    rows, columns = face_square(points, len(picture))
    assert rows.start <= points[:, 1].min()
    assert rows.stop >= points[:, 1].max()
    assert columns.start >= 0
    assert columns.stop <= len(picture)


def test_only_clips_of_people_left_out_are_taken(tmp_path: Path) -> None:
    for name in ("LipNet__a.mpg", "video-retalking__1.mp4", "ditto__b.mp4", "LipNet__a.txt"):
        (tmp_path / name).touch()
    names = [p.name for p in held_out_clips(tmp_path, TALKING_CLIPS, ("validation", "test"))]
    assert names == ["LipNet__a.mpg", "video-retalking__1.mp4"]
    only_test = held_out_clips(tmp_path, TALKING_CLIPS, ("test",))
    assert [p.name for p in only_test] == ["LipNet__a.mpg"]
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "x.mp4").touch()
    with pytest.raises(ConfigError, match="--splits"):
        held_out_clips(tmp_path / "other", TALKING_CLIPS, ("test",))
    with pytest.raises(ConfigError, match="no folder"):
        held_out_clips(tmp_path / "none", TALKING_CLIPS, ("test",))


def test_a_job_names_what_it_does_not_know(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'tset'"):
        EvaluationJob(tmp_path, tmp_path, tmp_path, wanted=("tset",))
    with pytest.raises(ConfigError, match="4 frames"):
        EvaluationJob(tmp_path, tmp_path, tmp_path, max_frames=2)


def test_a_report_leaves_out_what_is_not_known(tmp_path: Path) -> None:
    def score(ssim: float, eyes: float) -> Score:
        return Score(0.1, ssim, 0.5, 2.0, 0.98, 0.7, 0.96, eyes)

    nan = float("nan")
    scores = {
        clip: {variant: score(ssim, eyes) for variant in VARIANTS}
        for clip, ssim, eyes in (("a", 0.7, nan), ("b", 0.8, 0.9), ("c", 0.9, nan))
    }
    report = Report(scores, {"a -> p01": {"lip_r": 0.97, "eye_r": nan}}, {}, {"d": "no face"})
    assert report.spread(FULL, "ssim").median == pytest.approx(0.8)
    assert report.spread(STATIC, "eye_r") == Spread(0.9, 0.9, 0.9, 1)
    text = report.text()
    assert "0.800 (0.750..0.850)" in text
    assert "eye_r: - over 0 pairs" in text
    assert "skipped d: no face" in text
    report.save(tmp_path / "evaluation.json")
    stored = json.loads((tmp_path / "evaluation.json").read_text())
    assert stored["scores"]["a"][FULL]["eye_r"] is None
    assert stored["crossings"]["a -> p01"]["lip_r"] == 0.97


@pytest.mark.clips
def test_a_clip_is_judged(shared: Path, tmp_path: Path) -> None:
    for package in ("dlib", "efficientnet_lite_pytorch", "skimage"):
        pytest.importorskip(package, reason="the extra `evaluate` is not installed")
    clips, portraits, out = (tmp_path / name for name in ("clips", "portraits", "out"))
    clips.mkdir()
    portraits.mkdir()
    (clips / "LipNet__bbaf2n.mpg").symlink_to(shared / "data/clips/LipNet__bbaf2n.mpg")
    (portraits / "p04.jpg").symlink_to(ROOT / "server/avatars/p04.jpg")
    steps: list[tuple[int, int]] = []
    job = EvaluationJob(clips, portraits, ROOT / "weights", out, max_frames=12, stride=6)
    report = evaluate(job, lambda done, of: steps.append((done, of)))
    assert steps[-1] == (1, 1)
    assert not report.skipped
    static, full = (report.spread(variant, "ssim").median for variant in (STATIC, FULL))
    assert static < full < 1
    assert report.spread(FULL, "landmark_px").median < 3
    assert report.spread(FULL, "identity").median > 0.9
    assert {"prepare", "drive", "warp", "to YUV"} <= set(report.stage_ms)
    assert decode_image((out / "sheet.png").read_bytes()).shape[0] == 2 * 176
