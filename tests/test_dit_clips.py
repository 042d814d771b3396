"""Clips: pictures at 25 FPS, sound beside them, faces followed; then training shards."""

from pathlib import Path

import av
import numpy as np
import pytest

from dit.clips import ClipError, Track, list_clips, read_clip_sound, read_pictures, track_clip
from dit.prepare import Shard, encode_corpus, make_shards, track_clips
from models.errors import NoFaceError, SoundError
from models.face_landmarks import MediaPipeDetector
from models.images import decode_image
from models.shapes import FloatArray, Image
from models.timing import FPS, SAMPLE_RATE_HZ, SAMPLES_PER_FRAME
from tests.conftest import ROOT
from tests.dit_fixtures import EMBEDDING_DIM, babble, tiny_encoder


def write_clip(path: Path, pictures: list[Image], fps: int, wave: FloatArray | None) -> None:
    height, width = pictures[0].shape[:2]
    with av.open(str(path), "w") as container:
        video = container.add_stream("ffv1", rate=fps)
        video.width, video.height, video.pix_fmt = width, height, "bgr0"
        audio = None
        if wave is not None:
            audio = container.add_stream("pcm_s16le", rate=SAMPLE_RATE_HZ)
            audio.layout = "mono"
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="bgr0")
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if audio is not None and wave is not None:
            pcm = (wave * 32767).astype(np.int16)[None]
            sound = av.AudioFrame.from_ndarray(pcm, format="s16", layout="mono")
            sound.sample_rate = SAMPLE_RATE_HZ
            container.mux(audio.encode(sound))
            container.mux(audio.encode(None))


def greys(count: int) -> list[Image]:
    return [np.full((32, 48, 3), 2 * level, np.uint8) for level in range(count)]


@pytest.fixture(scope="module")
def portrait() -> Image:
    picture = decode_image(sorted((ROOT / "server/avatars").glob("*.jpg"))[0].read_bytes())
    return np.ascontiguousarray(picture[::2, ::2])


@pytest.fixture(scope="module")
def detector() -> MediaPipeDetector:
    return MediaPipeDetector(ROOT / "weights/face_landmarker.task")


@pytest.mark.parametrize("fps", [25, 30, 50, 10])
def test_pictures_come_at_25_fps_and_show_the_frame_nearest_in_time(
    tmp_path: Path, fps: int
) -> None:
    write_clip(tmp_path / "a.mkv", greys(fps * 2), fps, None)
    levels = [int(p[0, 0, 0]) // 2 for p in read_pictures(tmp_path / "a.mkv")]
    assert abs(len(levels) - 2 * FPS) <= 1
    for tick, level in enumerate(levels):
        assert abs(level / fps - tick / FPS) <= 0.5 / fps + 0.002


def test_sound_is_read_as_it_was_written(tmp_path: Path) -> None:
    wave = babble(1.0)
    write_clip(tmp_path / "a.mkv", greys(25), 25, wave)
    read = read_clip_sound(tmp_path / "a.mkv")
    np.testing.assert_allclose(read, wave, atol=2e-4)


def test_a_clip_becomes_a_track_and_a_shard(
    tmp_path: Path, portrait: Image, detector: MediaPipeDetector
) -> None:
    clips = tmp_path / "clips"
    clips.mkdir()
    write_clip(clips / "One__face.mkv", [portrait] * 30, 25, babble(1.0))
    assert track_clips(clips, tmp_path / "out", detector) == []
    track = Track.load(tmp_path / "out/tracks/One__face.npz")
    assert track.points.shape == (30, 478, 3)
    assert track.found.all()
    assert len(track.wave) == 30 * SAMPLES_PER_FRAME
    report = make_shards(tmp_path / "out", tiny_encoder())
    assert "30 frames, 0 without a face" in report[0]
    shard = Shard.load(tmp_path / "out/shards/One__face.npz")
    assert shard.voice.embeddings.shape == (30, EMBEDDING_DIM)
    assert np.abs(shard.motion.yaw).max() < 1.0
    assert shard.gap.shape == shard.width.shape == (30,)


def test_what_is_no_talking_face_is_left_out_with_a_reason(
    tmp_path: Path, portrait: Image, detector: MediaPipeDetector
) -> None:
    clips = tmp_path / "clips"
    clips.mkdir()
    write_clip(clips / "a_grey.mkv", greys(30), 25, babble(1.2))
    (clips / "b_text.mp4").write_text("no video")
    write_clip(clips / "c_silent.mkv", [portrait] * 26, 25, None)
    write_clip(clips / "d_short.mkv", [portrait] * 8, 25, babble(0.3))
    problems = track_clips(clips, tmp_path / "out", detector)
    assert len(problems) == 4
    for problem, reason in zip(
        problems, ("show no face", "not a video", "no sound", "8 frames"), strict=True
    ):
        assert reason in problem
    with pytest.raises(NoFaceError):
        track_clip(clips / "a_grey.mkv", detector)
    with pytest.raises(SoundError):
        track_clip(clips / "c_silent.mkv", detector)


def test_folders_without_material_are_named(tmp_path: Path) -> None:
    with pytest.raises(ClipError, match="no clips"):
        list_clips(tmp_path)
    with pytest.raises(ClipError, match="speech-corpus"):
        encode_corpus(tmp_path, tmp_path, tiny_encoder())
    (tmp_path / "x.npz").write_bytes(b"damaged")
    with pytest.raises(ClipError, match="no training shard"):
        Shard.load(tmp_path / "x.npz")
