"""``animate`` through the lite engine: a synthetic talker moves another face, sound and all."""

from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from liveportrait.animate.job import AnimateJob
from liveportrait.animate.run import animate
from liveportrait.animation.motion_template import MotionTemplate
from liveportrait.animation.options import AnimationOptions
from liveportrait.animation.template import save_template
from liveportrait.lite.engine import LiteRenderer
from liveportrait.lite.sheet import lids, mouth, pose
from liveportrait.source.media import VideoSink, read_frames, read_picture
from models.device import DevicePolicy
from models.errors import ConfigError, NoFaceError
from models.face_keypoints import eye_openness, landmarks_to_motion, lip_gap
from models.face_landmarks import MediaPipeDetector
from models.images import decode_image
from models.motion import concatenate, rotation_matrix
from models.shapes import FloatArray, Image
from models.weights import WEIGHTS_DIR
from tests.conftest import ROOT
from tests.server_fixtures import tone
from tests.test_server_api import wav_bytes

FRAMES = 40
SOURCE = ROOT / "server" / "avatars" / "p03.jpg"
SMILING = ROOT / "server" / "avatars" / "p08.jpg"


def talker() -> list[Image]:
    """An avatar whose mouth opens twice, whose head turns slowly, and who blinks half way."""
    renderer = LiteRenderer(DevicePolicy(), WEIGHTS_DIR)
    photo = (ROOT / "server" / "avatars" / "p06.jpg").read_bytes()
    portrait = renderer.prepare(decode_image(photo))
    at = np.linspace(0, 1, FRAMES)
    gaps = 16 * np.sin(2 * np.pi * at) ** 2
    shut = np.exp(-(((at - 0.5) * FRAMES / 2) ** 2))
    poses = [
        pose(0, 8 * float(t), 0, mouth(float(gap)), lids(float(blink)))
        for t, gap, blink in zip(at, gaps, shut, strict=True)
    ]
    driven = renderer.drive(portrait, concatenate(poses))
    return list(renderer.render([portrait] * FRAMES, driven))


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """talker.mp4 with sound, its widest mouth as mouth.png, nobody.mp4, talk.pkl."""
    folder = tmp_path_factory.mktemp("lite")
    frames = talker()
    (folder / "tone.wav").write_bytes(wav_bytes(tone(FRAMES / 25)))
    write_clip(folder / "talker.mp4", frames, folder / "tone.wav")
    write_clip(folder / "nobody.mp4", [np.full((64, 64, 3), 90, np.uint8)] * 3)
    cv2.imwrite(str(folder / "mouth.png"), frames[10][..., ::-1])
    yaw = np.linspace(0, 10, 6, dtype=np.float32)
    turn = rotation_matrix(0 * yaw, yaw, 0 * yaw)
    template = MotionTemplate(
        25.0,
        np.ones(6, np.float32),
        turn,
        np.zeros((6, 21, 3), np.float32),
        np.zeros((6, 3), np.float32),
    )
    save_template(template, folder / "turn.pkl")
    return folder


def write_clip(path: Path, frames: list[Image], sound: Path | None = None) -> None:
    with VideoSink(path, 25, (frames[0].shape[1], frames[0].shape[0]), sound) as sink:
        for frame in frames:
            sink.add(frame)


def lite_job(media: Path, out: Path, **changes: Any) -> AnimateJob:
    values: dict[str, Any] = {"source": SOURCE, "driving": media / "talker.mp4", "out": out}
    return AnimateJob(**(values | changes))


def tracked(path: Path) -> FloatArray:
    detector = MediaPipeDetector(WEIGHTS_DIR / "face_landmarker.task")
    return np.stack([detector.detect(frame)[0].points for frame in read_frames(path)])


@pytest.fixture(scope="module")
def result(media: Path) -> Path:
    return animate(lite_job(media, media / "result.mp4")).path


def correlation(a: FloatArray, b: FloatArray) -> float:
    return float(np.corrcoef(a, b)[0, 1])


def test_the_source_speaks_turns_and_blinks_with_the_driver(media: Path, result: Path) -> None:
    driver, made = tracked(media / "talker.mp4"), tracked(result)
    assert len(made) == FRAMES
    assert correlation(lip_gap(driver), lip_gap(made)) > 0.95
    assert correlation(eye_openness(driver), eye_openness(made)) > 0.6
    yaw = landmarks_to_motion(made)[0].yaw
    assert yaw[-1] - yaw[0] == pytest.approx(8, abs=3)


def test_the_picture_does_not_tremble(result: Path) -> None:
    points = tracked(result)
    nose = points[:, 4, :2] / np.linalg.norm(points[0, 33] - points[0, 263])
    assert np.sqrt((np.diff(nose, 3, axis=0) ** 2).mean()) < 0.03


def test_the_whole_photograph_comes_out_with_the_drivers_sound(result: Path) -> None:
    photo = read_picture(SOURCE)
    assert read_frames(result).size == (photo.shape[1], photo.shape[0])
    with av.open(str(result)) as container:
        (sound,) = container.streams.audio
        heard = np.concatenate([f.to_ndarray().reshape(-1) for f in container.decode(sound)])
        assert len(heard) / sound.rate == pytest.approx(FRAMES / 25, abs=0.1)
    assert np.abs(heard).max() > 0.1
    corner = next(iter(read_frames(result)))[-8:, :8].astype(int) - photo[-8:, :8]
    assert np.abs(corner).mean() < 6


def test_without_paste_back_and_sound_the_crop_is_the_picture(media: Path, tmp_path: Path) -> None:
    job = lite_job(media, tmp_path / "crop.mp4", paste_back=False, sound="none", max_frames=3)
    assert animate(job).frames == 3
    assert read_frames(job.out).size == (512, 512)
    with av.open(str(job.out)) as container:
        assert not container.streams.audio


def test_all_that_moves_lies_inside_the_crop_that_is_pasted_back() -> None:
    photo = decode_image(SOURCE.read_bytes())
    wide = cv2.copyMakeBorder(photo, 500, 500, 500, 500, cv2.BORDER_REPLICATE)
    portrait = LiteRenderer(DevicePolicy(), WEIGHTS_DIR).prepare_whole(wide)
    still = portrait.rings.points[portrait.rings.head_share[:, 0] == 0, :2]
    assert len(still) == len(portrait.rings.points) / 3
    assert still.min() > -8
    assert still.max() < portrait.side_px + 8


def test_head_pose_alone_keeps_the_sources_own_mouth(media: Path, tmp_path: Path) -> None:
    options = AnimationOptions(animation_region="pose")
    job = lite_job(media, tmp_path / "pose.mp4", source=SMILING, options=options)
    animate(job)
    made = tracked(job.out)
    own = MediaPipeDetector(WEIGHTS_DIR / "face_landmarker.task").detect(read_picture(SMILING))[0]
    gap = float(lip_gap(own.points[None])[0])
    assert gap > 0.04
    np.testing.assert_allclose(lip_gap(made), gap, atol=0.5 * gap)
    yaw = landmarks_to_motion(made)[0].yaw
    assert yaw[-1] - yaw[0] == pytest.approx(8, abs=3)


def test_a_picture_drives_one_picture(media: Path, tmp_path: Path) -> None:
    job = lite_job(media, tmp_path / "out.png", driving=media / "mouth.png")
    assert animate(job).frames == 1
    detector = MediaPipeDetector(WEIGHTS_DIR / "face_landmarker.task")
    points = detector.detect(read_picture(job.out))[0].points[None]
    driver = detector.detect(read_picture(media / "mouth.png"))[0].points[None]
    assert lip_gap(points)[0] == pytest.approx(lip_gap(driver)[0], rel=0.35)


def test_a_source_video_keeps_its_own_pictures_around_the_face(media: Path, tmp_path: Path) -> None:
    driver, options = media / "mouth.png", AnimationOptions(animation_region="lip")
    job = lite_job(
        media,
        tmp_path / "out.mp4",
        source=media / "talker.mp4",
        driving=driver,
        options=options,
        sound="source",
        max_frames=4,
    )
    assert animate(job).frames == 4
    with pytest.raises(ConfigError, match="--no-paste-back"):
        animate(lite_job(media, tmp_path / "x.mp4", source=media / "talker.mp4", paste_back=False))


def test_a_template_turns_the_head(media: Path, tmp_path: Path) -> None:
    options = AnimationOptions(animation_region="pose")
    job = lite_job(media, tmp_path / "out.mp4", driving=media / "turn.pkl", options=options)
    assert animate(job).frames == 6
    yaw = landmarks_to_motion(tracked(job.out))[0].yaw
    assert yaw[-1] - yaw[0] == pytest.approx(10, abs=4)
    with pytest.raises(ConfigError, match="--region pose"):
        animate(lite_job(media, tmp_path / "all.mp4", driving=media / "turn.pkl"))


def test_a_driver_without_a_face_leaves_no_file_behind(media: Path, tmp_path: Path) -> None:
    job = lite_job(media, tmp_path / "out.mp4", driving=media / "nobody.mp4")
    with pytest.raises(NoFaceError, match="0 of the driving video's 3 frames"):
        animate(job)
    assert not job.out.exists()
