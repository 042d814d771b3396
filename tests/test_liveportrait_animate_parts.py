"""The driving-video tool's parts: the job's checks, overlapping stages, smoothing, templates."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from liveportrait.animate.animation import Steps
from liveportrait.animate.job import AnimateJob, CropBox
from liveportrait.animate.lite_motion import (
    EYES,
    driver_motion,
    limited_to_region,
    multiplied,
    track_driver,
)
from liveportrait.animate.lite_template import template_motion
from liveportrait.animate.smooth import FACE_KERNEL, POSE_KERNEL, smooth_rows
from liveportrait.animation.motion_template import MotionTemplate
from liveportrait.animation.options import AnimationOptions
from liveportrait.pipeline import in_batches, in_parallel, read_ahead
from models.errors import ConfigError, NoFaceError
from models.face_keypoints import landmarks_to_motion, relative_to_rest
from models.face_landmarks import FaceLandmarks, MediaPipeDetector
from models.images import decode_image
from models.motion import Motion, rest, rotation_matrix
from models.shapes import KEYPOINTS, FloatArray, Image
from tests.conftest import ROOT


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Empty files: a job looks at names and at what is there, not inside."""
    paths = {}
    for name in ("a.jpg", "a.mp4", "a.pkl", "a.txt"):
        paths[name] = tmp_path / name
        paths[name].touch()
    return paths


def job(files: dict[str, Path], **changes: Any) -> AnimateJob:
    values: dict[str, Any] = {
        "source": files["a.jpg"],
        "driving": files["a.mp4"],
        "out": files["a.jpg"].with_name("out.mp4"),
    }
    return AnimateJob(**(values | changes))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"source": Path("none.jpg")}, "there is no source file"),
        ({"source": "a.txt"}, "accepted: files .*jpg"),
        ({"driving": "a.txt"}, "accepted: files .*pkl"),
        ({"out": Path("out.gif")}, "ends? in .mp4"),
        ({"out": Path("no/such/folder/out.mp4")}, "there is no folder"),
        ({"out": Path("out.png"), "source": "a.mp4"}, "a source video gives a video"),
        ({"out": Path("out.png")}, "the driver is a video: name an .mp4"),
        ({"engine": "liveportrait", "source": "a.mp4", "animal": True}, "is a photograph"),
        ({"engine": "other"}, "accepted: lite, liveportrait"),
        ({"workers": 0}, "accepted: 1 to 64"),
        ({"max_frames": 0}, "accepted: 1 and more"),
        ({"options": AnimationOptions(eye_retargeting=True)}, "no eye_retargeting"),
        ({"options": AnimationOptions(stitching=False)}, "no stitching"),
        ({"crop_driving": True, "seeded_weights": True}, "no crop_driving, seeded_weights"),
        ({"template_out": Path("t.pkl")}, "no template_out"),
        ({"sound": "source"}, "a photograph has none"),
        ({"engine": "liveportrait", "driving": "a.pkl", "crop_driving": True}, "crop_driving is"),
        (
            {"engine": "liveportrait", "options": AnimationOptions(smooth_variance=1e-5)},
            "only for a video",
        ),
        (
            {
                "engine": "liveportrait",
                "animal": True,
                "crop_box": CropBox(0, 0, 64, 64),
                "options": AnimationOptions(relative=False),
            },
            "animals have no relative",
        ),
        ({"engine": "liveportrait", "template_out": Path("t.txt")}, "accepted: .pkl"),
        (
            {"engine": "liveportrait", "driving": "a.pkl", "template_out": Path("t.pkl")},
            "template already",
        ),
        ({"engine": "liveportrait", "animal": True}, "crop_box"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_loaded(
    files: dict[str, Path], changes: dict[str, Any], said: str
) -> None:
    named = {n: files.get(v, v) if isinstance(v, str) else v for n, v in changes.items()}
    with pytest.raises(ConfigError, match=said):
        job(files, **named)


def test_the_sound_comes_from_a_video_only(files: dict[str, Path]) -> None:
    assert job(files).sound_from == files["a.mp4"]
    assert job(files, sound="none").sound_from is None
    assert job(files, driving=files["a.jpg"]).sound_from is None
    assert job(files, source=files["a.mp4"], sound="source").sound_from == files["a.mp4"]


def test_crop_boxes_are_four_numbers() -> None:
    assert CropBox.parse("1,2.5,30,40") == CropBox(1, 2.5, 30, 40)
    for text in ("1,2,3", "a,b,c,d", "", "1,2,3,4"):
        with pytest.raises(ConfigError, match="crop_box is"):
            CropBox.parse(text)


def test_parallel_work_keeps_its_order_and_its_bound() -> None:
    taken = 0
    gate = threading.Event()

    def numbers() -> Iterator[int]:
        nonlocal taken
        for number in range(20):
            taken += 1
            yield number

    def work(number: int) -> int:
        gate.wait(5)
        return number * number

    results = in_parallel(numbers(), work, 2)
    gate.set()
    assert next(results) == 0
    assert taken == 4
    assert list(results) == [n * n for n in range(1, 20)]


def test_an_error_in_a_stage_ends_the_work() -> None:
    def fail_at_three(number: int) -> int:
        if number == 3:
            raise ValueError("three")
        return number

    results = in_parallel(range(10), fail_at_three, 3)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="three"):
        next(results)


def test_reading_ahead_stays_within_its_depth_and_passes_errors_on() -> None:
    made = 0

    def items() -> Iterator[int]:
        nonlocal made
        for number in range(6):
            made += 1
            yield number
        raise OSError("the disk")

    ahead = read_ahead(items(), 2)
    assert next(ahead) == 0
    assert made <= 4
    assert [next(ahead) for _ in range(5)] == [1, 2, 3, 4, 5]
    with pytest.raises(OSError, match="the disk"):
        next(ahead)


def test_leaving_early_stops_the_reader() -> None:
    before = threading.active_count()
    ahead = read_ahead(iter(range(1000)), 2)
    next(ahead)
    ahead.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


def test_batches_hold_everything_once() -> None:
    assert list(in_batches(range(7), 3)) == [[0, 1, 2], [3, 4, 5], [6]]


def test_steps_never_pass_their_total() -> None:
    told: list[tuple[int, int]] = []
    steps = Steps(lambda done, total: told.append((done, total)))
    steps.expect(2)
    for _ in range(3):
        steps.advance()
    assert told == [(0, 2), (1, 2), (2, 2), (3, 3)]
    steps.expect(5)
    assert told[-1] == (3, 8)


@pytest.mark.parametrize("kernel", [POSE_KERNEL, FACE_KERNEL])
def test_smoothing_calms_noise_and_leaves_steady_movement(kernel: FloatArray) -> None:
    ramp = np.linspace(0, 5, 40, dtype=np.float32)
    np.testing.assert_allclose(smooth_rows(ramp, kernel), ramp, atol=1e-5)
    noise = np.random.default_rng(0).normal(0, 1, (200, 3)).astype(np.float32)
    calm = smooth_rows(noise, kernel)
    assert calm.shape == noise.shape
    assert np.diff(calm, 3, axis=0).std() < 0.5 * np.diff(noise, 3, axis=0).std()


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_short_motion_can_be_smoothed(frames: int) -> None:
    values = np.arange(frames, dtype=np.float32)
    assert smooth_rows(values, POSE_KERNEL).shape == (frames,)
    assert np.isfinite(smooth_rows(values, POSE_KERNEL)).all()


class ScriptedDetector:
    """Finds what the script says: per frame the left edge of each face."""

    def __init__(self, script: list[list[float]]) -> None:
        self._script = iter(script)

    def detect(self, rgb: Image) -> list[FaceLandmarks]:
        del rgb
        return [face_at(left) for left in next(self._script)]


def face_at(left: float) -> FaceLandmarks:
    grid = np.random.default_rng(1).uniform(0, 100, (478, 3)).astype(np.float32)
    return FaceLandmarks(grid + np.array([left, 0, 0], np.float32))


FRAME = np.zeros((8, 8, 3), np.uint8)


def test_a_lost_face_is_interpolated_and_a_passer_by_is_not_followed() -> None:
    script: list[list[float]] = [[10], [], [30], [500, 40], [50], []]
    meshes = track_driver([FRAME] * 6, ScriptedDetector(script))
    lefts = (meshes - face_at(0).points).mean((1, 2)) * 3
    np.testing.assert_allclose(lefts, [10, 20, 30, 40, 50, 50], atol=1e-2)


def test_a_driver_without_a_face_is_refused() -> None:
    script: list[list[float]] = [[], [10], [], []]
    with pytest.raises(NoFaceError, match="1 of the driving video's 4 frames"):
        track_driver([FRAME] * 4, ScriptedDetector(script))


def some_motion(frames: int = 5) -> Motion:
    noise = np.random.default_rng(2)
    pitch, yaw, roll = noise.normal(0, 3, (3, frames)).astype(np.float32)
    return Motion(
        pitch,
        yaw,
        roll,
        noise.normal(0, 2, (frames, 3)).astype(np.float32),
        np.exp(noise.normal(0, 0.02, frames)).astype(np.float32),
        noise.normal(0, 2, (frames, 21, 3)).astype(np.float32),
    )


def test_a_region_keeps_the_rest_still() -> None:
    motion = some_motion()
    pose = limited_to_region(motion, "pose")
    assert not pose.exp.any()
    np.testing.assert_array_equal(pose.yaw, motion.yaw)
    lips = limited_to_region(motion, "lip")
    assert not lips.yaw.any()
    assert not lips.exp[:, 14:].any()
    np.testing.assert_array_equal(lips.exp[:, :11], motion.exp[:, :11])
    eyes = limited_to_region(motion, "eyes")
    assert not eyes.exp[:, :14].any()
    assert eyes.exp[:, 14:18].any()
    np.testing.assert_array_equal(limited_to_region(motion, "all").exp, motion.exp)


def test_the_multiplier_scales_everything_about_rest() -> None:
    motion = some_motion()
    still = multiplied(motion, 0.0)
    assert not still.exp.any()
    assert not still.t.any()
    np.testing.assert_array_equal(still.scale, 1.0)
    np.testing.assert_allclose(multiplied(motion, 2.0).yaw, 2 * motion.yaw)


def template(**ratios: FloatArray) -> MotionTemplate:
    yaw = np.array([5, 10, 15], np.float32)
    turn = rotation_matrix(0 * yaw, yaw, 0 * yaw)
    zeros = np.zeros((3, 3), np.float32)
    return MotionTemplate(
        25.0, np.ones(3, np.float32), turn, np.zeros((3, 21, 3), np.float32), zeros, **ratios
    )


def test_a_template_turns_the_head_from_its_first_frame_on() -> None:
    motion = template_motion(template(), relative=True, region="pose", own_pose=rest(1))
    np.testing.assert_allclose(motion.yaw, [0, 5, 10], atol=1e-4)
    absolute = template_motion(template(), relative=False, region="pose", own_pose=rest(1))
    np.testing.assert_allclose(absolute.yaw, [5, 10, 15], atol=1e-4)


def test_a_template_without_ratios_can_only_turn_the_head() -> None:
    with pytest.raises(ConfigError, match="--region pose"):
        template_motion(template(), relative=True, region="all", own_pose=rest(1))


def test_a_templates_ratios_open_lips_and_shut_eyes() -> None:
    lips = np.array([[0.0], [0.2], [0.4]], np.float32)
    eyes = np.array([[0.4, 0.4], [0.2, 0.2], [0.0, 0.0]], np.float32)
    moved = template(lip_ratios=lips, eye_ratios=eyes)
    exp = template_motion(moved, relative=True, region="all", own_pose=rest(1)).exp
    gap = exp[:, 5, 1] - exp[:, 4, 1]
    np.testing.assert_allclose(gap, [0, 12, 24], atol=1e-3)
    lid = exp[:, 14, 1]
    assert lid[0] < lid[1] < lid[2]


def test_relative_drivers_begin_at_the_sources_own_pose() -> None:
    detector = MediaPipeDetector(ROOT / "weights" / "face_landmarker.task")
    photo = decode_image((ROOT / "server" / "avatars" / "p06.jpg").read_bytes())
    head = detector.detect(photo)[0].points
    yaw = np.linspace(0, 10, 9, dtype=np.float32)
    turn = rotation_matrix(0 * yaw, yaw, 0 * yaw)
    meshes = ((head - head.mean(0)) @ turn + head.mean(0)).astype(np.float32)
    relative = driver_motion(meshes, relative=True, source=rest(1))
    assert abs(relative.yaw[0]) < 1e-3
    assert relative.yaw[-1] == pytest.approx(10, abs=0.5)
    absolute = driver_motion(meshes, relative=False, source=relative[-1:])
    assert absolute.yaw[-1] - absolute.yaw[0] == pytest.approx(10, abs=0.5)


def test_a_picture_is_not_moved_by_the_frame_that_it_is() -> None:
    detector = MediaPipeDetector(ROOT / "weights/face_landmarker.task")
    smiling = detector.detect(decode_image((ROOT / "server/avatars/p02.jpg").read_bytes()))[0]
    other = smiling.points.copy()
    other[[61, 291], 1] += 12  # mouth corners down, further on in the clip
    other[[105, 334], 1] -= 9  # brows up
    meshes = np.stack([smiling.points, *[other] * 8])
    source, _ = landmarks_to_motion(smiling.points[None])
    own_exp = relative_to_rest(source).exp[0]
    first = driver_motion(meshes, relative=True, source=source).exp[0]
    still = np.setdiff1d(np.arange(KEYPOINTS), EYES)
    np.testing.assert_allclose(first[still], own_exp[still], atol=0.3)
    # its own lips are apart, and said to be as far apart as they are
    assert own_exp[5, 1] - own_exp[4, 1] > 4
