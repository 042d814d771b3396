"""``animate`` through the networks on made-up weights: the official pictures, then whole runs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from liveportrait.animate import make_template, neural
from liveportrait.animate.job import AnimateJob, CropBox
from liveportrait.animate.make_template import TemplateJob, write_template
from liveportrait.animate.neural import draw, driven_keypoints, pasted
from liveportrait.animate.neural_driver import Driver
from liveportrait.animate.neural_source import NeuralSource
from liveportrait.animate.run import animate
from liveportrait.animation.driving import DrivenKeypoints, SourceMotion
from liveportrait.animation.keypoints import KeypointInfo
from liveportrait.animation.options import AnimationOptions
from liveportrait.animation.template import MotionTemplate, load_template, save_template
from liveportrait.networks.networks import Networks
from liveportrait.runtime.decoder import EagerDecoder
from liveportrait.source.crop import HUMAN_SOURCE, crop_image
from liveportrait.source.media import VideoSink, read_frames, read_picture
from models.errors import ConfigError, MissingWeightsError
from models.images import decode_image
from models.motion import rotation_matrix
from models.shapes import AnyArray, FloatArray, Image
from tests.conftest import ROOT
from tests.liveportrait_fixtures import Golden, golden_image


@pytest.fixture(scope="module")
def decoder(seeded: Networks) -> EagerDecoder:
    return EagerDecoder(seeded)


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> AnimateJob:
    folder = tmp_path_factory.mktemp("golden")
    for name in ("photo.png", "driving.pkl"):
        (folder / name).touch()
    return AnimateJob(
        folder / "photo.png", folder / "driving.pkl", folder / "out.mp4", engine="liveportrait"
    )


@pytest.fixture(scope="module")
def source(golden: Golden) -> NeuralSource:
    """The golden photograph with the golden landmarks and motion."""
    photo = golden_image("photo_480x360")
    landmarks = golden("landmarks")["pt203_up"]
    crop = crop_image(photo, landmarks, HUMAN_SOURCE)
    saved = golden("source_info")
    info = KeypointInfo(
        **{n: saved[f"image_{n}"].reshape(1) for n in ("pitch", "yaw", "roll", "scale")},
        **{n: saved[f"image_{n}"] for n in ("t", "exp", "kp")},
    )
    motion = SourceMotion(info, landmarks[None])
    # OpenCV 5 cuts crops out a little otherwise than 4 (test_liveportrait_crop holds that small)
    crop_256 = golden_image("crop_pt203_up_256_area")
    return NeuralSource(photo, motion, [crop_256], [crop.to_photo])


@pytest.fixture(scope="module")
def driven(
    golden: Golden, job: AnimateJob, source: NeuralSource, decoder: EagerDecoder
) -> DrivenKeypoints:
    saved, frames = golden("motion_template"), golden("e2e")["template_frames"]
    template = MotionTemplate(
        25.0,
        saved["scale"][frames, 0, 0],
        saved["R"][frames, 0],
        saved["exp"][frames, 0],
        saved["t"][frames, 0],
        saved["c_eyes"][frames, 0],
        saved["c_lip"][frames, 0],
    )
    return driven_keypoints(job, source, template, decoder)


@pytest.fixture(scope="module")
def drawn(source: NeuralSource, driven: DrivenKeypoints, decoder: EagerDecoder) -> Image:
    second = DrivenKeypoints(driven.x_s[1:], driven.x_d[1:])
    (frame,) = draw(decoder, source.crops_256, second, batch=4)
    return frame


def test_the_official_keypoints_are_driven(golden: Golden, driven: DrivenKeypoints) -> None:
    np.testing.assert_allclose(driven.x_d, golden("e2e")["x_d"], atol=2e-5)
    np.testing.assert_allclose(driven.x_s[:1], golden("e2e")["x_s"], atol=2e-5)


def test_the_official_picture_is_drawn(drawn: Image) -> None:
    off = np.abs(drawn.astype(int) - golden_image("e2e_frame1_render_512"))
    assert off.max() <= 1
    assert (off > 0).mean() < 1e-2


def sample_as_opencv_4(
    image: AnyArray, matrix: AnyArray, size: tuple[int, int], flags: int = 0
) -> AnyArray:
    """``cv2.warpAffine`` of the golden run: places rounded to a 32nd of a pixel."""
    back = cv2.invertAffineTransform(matrix.astype(np.float64))
    columns, rows = np.arange(size[0]), np.arange(size[1])[:, None]
    places = [
        np.rint(1024 * (row[1] * rows + row[2])).astype(int)
        + 16
        + np.rint(1024 * row[0] * columns).astype(int)
        >> 5
        for row in back
    ]
    whole = np.stack([place >> 5 for place in places], -1).astype(np.int16)
    part = ((places[1] & 31) * 32 + (places[0] & 31)).astype(np.uint16)
    sampled: AnyArray = cv2.remap(image, whole, part, flags, borderMode=cv2.BORDER_CONSTANT)
    return sampled


def test_the_official_photograph_comes_out(
    source: NeuralSource, drawn: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cv2, "warpAffine", sample_as_opencv_4)
    (picture,) = pasted(source, iter([drawn]), workers=2)
    off = np.abs(picture.astype(int) - golden_image("e2e_frame1_pasted"))
    assert off.max() <= 3


class NoisyDecoder(EagerDecoder):
    """Real keypoints and retargeting; pictures that take no time."""

    def features(self, images: Image) -> list[Any]:
        return [None] * len(images)

    def decode(self, sources: Sequence[Any], x_s: FloatArray, x_d: FloatArray) -> Image:
        assert len(sources) in (1, len(x_d))
        assert np.isfinite(x_d - x_s).all()
        noise = np.random.default_rng(len(x_d))
        return noise.integers(0, 255, (len(x_d), 512, 512, 3), dtype=np.uint8)


@pytest.fixture
def quick(seeded: Networks, monkeypatch: pytest.MonkeyPatch) -> None:
    """``animate`` with networks that draw noise at once."""
    monkeypatch.setattr(neural, "load_job_decoder", lambda _: NoisyDecoder(seeded))


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a square clip of three frames with sound, a wide one, and a template."""
    folder = tmp_path_factory.mktemp("media")
    face = decode_image((ROOT / "server" / "avatars" / "p06.jpg").read_bytes())
    square = [np.ascontiguousarray(np.roll(face, 4 * n, 1)[::2, ::2]) for n in range(3)]
    write_clip(folder / "square.mp4", square)
    write_clip(folder / "wide.mp4", [np.hstack([f, np.full_like(f, 90)]) for f in square])
    cv2.imwrite(str(folder / "face.png"), square[1][..., ::-1])
    scale, zeros = np.ones(3, np.float32), np.zeros((3, 3), np.float32)
    turn = rotation_matrix(10 * scale, np.arange(3, dtype=np.float32), 0 * scale)
    exp = np.random.default_rng(0).normal(0, 0.02, (3, 21, 3)).astype(np.float32)
    save_template(MotionTemplate(20.0, scale, turn, exp, zeros), folder / "talk.pkl")
    return folder


def write_clip(path: Path, frames: list[Image]) -> None:
    with VideoSink(path, 25, (frames[0].shape[1], frames[0].shape[0])) as sink:
        for frame in frames:
            sink.add(frame)


def neural_job(media: Path, out: Path, **changes: Any) -> AnimateJob:
    values: dict[str, Any] = {
        "source": media / "face.png",
        "driving": media / "square.mp4",
        "out": out,
        "engine": "liveportrait",
        "batch": 2,
        "seeded_weights": True,
    }
    return AnimateJob(**(values | changes))


@pytest.mark.usefixtures("quick")
def test_a_photograph_is_driven_by_a_video(media: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    job = neural_job(
        media,
        tmp_path / "out.mp4",
        max_frames=2,
        options=AnimationOptions(lip_retargeting=True),
        template_out=tmp_path / "kept.safetensors",
    )
    result = animate(job, lambda done, total: told.append((done, total)))
    video = read_frames(result.path)
    assert result.frames == len(video) == 2
    assert video.size == (384, 384)
    assert told[-1][0] == told[-1][1]
    kept = load_template(tmp_path / "kept.safetensors")
    assert len(kept) == 2
    assert kept.lip_ratios is not None


@pytest.mark.usefixtures("quick")
def test_an_animal_is_driven_by_a_template_in_the_box_that_is_named(
    media: Path, tmp_path: Path
) -> None:
    box = CropBox(100, 60, 200, 200)
    job = neural_job(
        media, tmp_path / "out.mp4", driving=media / "talk.pkl", animal=True, crop_box=box
    )
    result = animate(job)
    video = read_frames(result.path)
    assert (result.frames, video.fps) == (3, 20)
    before = read_picture(media / "face.png").astype(int)
    off = np.abs(next(iter(video)) - before).mean(2)
    assert off[150:170, 190:210].mean() > 30  # noise within the box
    assert off[300:, :].mean() < 6  # the photograph below it


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("driving", ["face.png", "wide.mp4", "talk.pkl"])
def test_a_source_video_is_driven_by_everything(driving: str, media: Path, tmp_path: Path) -> None:
    options = AnimationOptions(source_video_eye_retargeting=True)
    source = media / "wide.mp4"
    job = neural_job(
        media, tmp_path / "out.mp4", source=source, driving=media / driving, options=options
    )
    result = animate(job)
    video = read_frames(result.path)
    assert (result.frames, video.size, video.fps) == (3, (768, 384), 25)


def test_a_picture_drives_one_picture_and_nothing_is_left_out(
    seeded: Networks, media: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neural, "load_job_decoder", lambda _: EagerDecoder(seeded))
    job = neural_job(media, tmp_path / "out.png", driving=media / "face.png", paste_back=False)
    assert animate(job).frames == 1
    assert read_picture(tmp_path / "out.png").shape == (512, 512, 3)


@pytest.mark.usefixtures("quick")
def test_options_that_need_ratios_refuse_a_template_without_them(
    media: Path, tmp_path: Path
) -> None:
    options = AnimationOptions(eye_retargeting=True)
    job = neural_job(media, tmp_path / "out.mp4", driving=media / "talk.pkl", options=options)
    with pytest.raises(ConfigError):
        animate(job)
    assert not job.out.exists()


@pytest.mark.usefixtures("quick")
def test_a_driving_video_becomes_a_template(
    seeded: Networks, media: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(make_template, "networks_of", lambda *_, **__: seeded)
    monkeypatch.setattr(make_template, "load_decoder", lambda *_: NoisyDecoder(seeded))
    job = TemplateJob(Driver(media / "wide.mp4"), tmp_path / "kept.pkl", seeded_weights=True)
    assert write_template(job) == 3
    kept = load_template(tmp_path / "kept.pkl")
    assert kept.fps == 25
    assert kept.eye_ratios is not None


def test_missing_weights_name_the_command_that_fetches_them(media: Path, tmp_path: Path) -> None:
    job = neural_job(media, tmp_path / "out.mp4", seeded_weights=False)
    with pytest.raises(MissingWeightsError, match="python -m models fetch liveportrait"):
        animate(job)
