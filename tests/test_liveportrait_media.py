"""Pictures and videos by content, videos at a constant rate, and MP4 files with sound."""

import io
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from liveportrait.source.media import (
    VideoFrames,
    VideoSink,
    is_picture,
    limit_size,
    read_frames,
    read_picture,
    read_source,
)
from models.errors import ConfigError, NotAnImageError, SoundError, VideoError
from models.shapes import FloatArray, Image
from tests.liveportrait_fixtures import golden_arrays

RATE_HZ = 44_100


def flat(level: int, width: int = 64, height: int = 48) -> Image:
    return np.full((height, width, 3), level, np.uint8)


def write_video(
    path: Path,
    stamps: Sequence[int],
    *,
    rate: Fraction | int = 25,
    tick: Fraction = Fraction(1, 1000),
    codec: str = "libx264",
    size: tuple[int, int] = (64, 48),
) -> None:
    """Frame k has the grey level 20 + 4 k and is shown at ``stamps[k]`` ticks."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.time_base = tick
        for index, stamp in enumerate(stamps):
            frame = av.VideoFrame.from_ndarray(flat(20 + 4 * index, *size), format="rgb24")
            frame.pts, frame.time_base = stamp, tick
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def levels(frames: VideoFrames) -> list[int]:
    """Which frame of ``write_video`` each frame is."""
    return [round((float(frame.mean()) - 20) / 4) for frame in frames]


def tone(seconds: float, frequency_hz: float = 440) -> FloatArray:
    at = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return (0.5 * np.sin(2 * np.pi * frequency_hz * at)).astype(np.float32)


def write_sound(path: Path, wave: FloatArray, container_format: str | None = None) -> None:
    with av.open(str(path), "w", container_format) as container:
        codec = "aac" if path.suffix != ".wav" else "pcm_s16le"
        stream: Any = container.add_stream(codec, RATE_HZ, layout="mono")
        frame = av.AudioFrame.from_ndarray(wave[None], format="flt", layout="mono")
        frame.sample_rate, frame.pts = RATE_HZ, 0
        for part in av.AudioResampler(stream.format.name, stream.layout, RATE_HZ).resample(frame):
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))


def sound_of(path: Path) -> FloatArray:
    with av.open(str(path)) as container:
        parts = [frame.to_ndarray() for frame in container.decode(audio=0)]
    return np.concatenate(parts, axis=1)


def kinds(path: Path) -> list[str]:
    with av.open(str(path)) as container:
        return [stream.codec_context.name for stream in container.streams]


def encoded(image: Image, kind: str) -> bytes:
    from PIL import Image as Pillow

    data = io.BytesIO()
    Pillow.fromarray(image).save(data, kind)
    return data.getvalue()


# sizes and pictures -----------------------------------------------------------------------------


def test_sizes_are_limited_as_officially() -> None:
    golden = golden_arrays("geometry")
    for given, wanted in zip(
        golden["resize_to_limit_in_hw"], golden["resize_to_limit_out_hw_1280_2"], strict=True
    ):
        limited = limit_size(np.zeros((*given, 3), np.uint8), 1280, 2)
        assert limited.shape == (*wanted, 3)


def test_small_pictures_keep_their_pixels() -> None:
    image = np.random.default_rng(0).integers(0, 255, (31, 41, 3)).astype(np.uint8)
    np.testing.assert_array_equal(limit_size(image), image[:30, :40])
    np.testing.assert_array_equal(limit_size(image, 0, 1), image)
    assert limit_size(image, 20, 1).shape == (15, 20, 3)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_pictures_are_known_by_their_bytes_not_their_name(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(encoded(flat(90), kind))
    assert is_picture(path)
    source = read_source(path)
    assert isinstance(source, np.ndarray)
    assert abs(int(source.mean()) - 90) <= 1


def test_a_video_is_known_by_its_bytes_and_limited(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    write_video(tmp_path / "v.mp4", range(0, 200, 40), size=(128, 64))
    (tmp_path / "v.mp4").rename(path)
    source = read_source(path, max_dim=70, division=2)
    assert isinstance(source, VideoFrames)
    assert source.size == (70, 34)  # 35 rows, cut to an even number
    assert [frame.shape for frame in source] == [(34, 70, 3)] * 5


def test_damaged_and_missing_pictures(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encoded(flat(9), "PNG")[:60])
    with pytest.raises(NotAnImageError):
        read_source(path)
    for read in (read_source, read_picture, read_frames):
        with pytest.raises(ConfigError, match=r"none\.png"):
            read(tmp_path / "none.png")
    (tmp_path / "empty.jpg").write_bytes(b"")
    with pytest.raises(ConfigError, match="empty"):
        read_source(tmp_path / "empty.jpg")


# reading videos ---------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov"])
@pytest.mark.parametrize(("fps", "step"), [(25, 40), (50, 20), (10, 100)])
def test_every_frame_of_an_even_video_comes_once(
    tmp_path: Path, suffix: str, fps: int, step: int
) -> None:
    path = tmp_path / f"v.{suffix}"
    write_video(path, range(0, 20 * step, step), rate=fps)
    frames = read_frames(path)
    assert frames.fps == pytest.approx(fps, rel=1e-3)
    assert (frames.count, len(frames), frames.size) == (20, 20, (64, 48))
    assert levels(frames) == list(range(20))
    assert levels(frames) == list(range(20))  # and again


def test_time_stamps_in_milliseconds_do_not_drop_frames(tmp_path: Path) -> None:
    path = tmp_path / "v.mkv"  # 29.97 a second, rounded to milliseconds
    write_video(path, [round(k * 1001 / 30) for k in range(50)], rate=Fraction(30_000, 1001))
    frames = read_frames(path)
    assert frames.fps == pytest.approx(29.97, rel=2e-3)
    assert levels(frames) == list(range(50))


def test_a_video_may_begin_late(tmp_path: Path) -> None:
    write_video(tmp_path / "v.mkv", range(3000, 3400, 40))
    assert levels(read_frames(tmp_path / "v.mkv")) == list(range(10))


def test_an_uneven_video_is_laid_over_its_mean_rate(tmp_path: Path) -> None:
    path = tmp_path / "v.mkv"
    stamps = [0, 40, 80, 120, 160, 200, 600, 640, 680, 720, 760]  # one frame stands for 400 ms
    write_video(path, stamps, rate=25)
    frames = read_frames(path, fps=25)
    assert levels(frames) == [*range(6), *[5] * 9, *range(6, 11), 10]
    own = read_frames(path)
    assert len(own) / own.fps == pytest.approx(0.8, abs=0.1)
    assert levels(own)[-1] == 10


def test_resampling_keeps_the_time(tmp_path: Path) -> None:
    path = tmp_path / "v.mp4"
    write_video(path, range(0, 1000, 20), rate=50)
    slow = read_frames(path, fps=25)
    assert (slow.fps, slow.count) == (25, 25)
    assert all(abs(level - 2 * k) <= 1 for k, level in enumerate(levels(slow)))
    fast = read_frames(path, fps=100)
    assert fast.count == 100
    assert all(abs(level - k / 2) <= 1 for k, level in enumerate(levels(fast)))


def test_max_frames_ends_early(tmp_path: Path) -> None:
    write_video(tmp_path / "v.mp4", range(0, 800, 40))
    assert levels(read_frames(tmp_path / "v.mp4", max_frames=7)) == list(range(7))
    with pytest.raises(ConfigError, match="max_frames"):
        read_frames(tmp_path / "v.mp4", max_frames=0)
    with pytest.raises(ConfigError, match="fps"):
        read_frames(tmp_path / "v.mp4", fps=1000)


def test_a_single_frame_is_a_video_of_one(tmp_path: Path) -> None:
    write_video(tmp_path / "v.mp4", [0])
    frames = read_frames(tmp_path / "v.mp4")
    assert (levels(frames), frames.fps) == ([0], 25)


def test_a_turned_phone_video_comes_upright(tmp_path: Path) -> None:
    path = tmp_path / "v.mp4"
    with VideoSink(path, 25, (64, 48)) as sink:
        image = flat(200)
        image[:, :32] = 20  # dark on the left
        sink.add(image)
    data = path.read_bytes()
    one = (1 << 16).to_bytes(4, "big")
    upright = one + bytes(12) + one + bytes(12) + (1 << 30).to_bytes(4, "big")
    minus_one = (-(1 << 16)).to_bytes(4, "big", signed=True)
    # as phones write it: turn by 90 degrees clockwise to see it upright
    clockwise = bytes(4) + one + bytes(4) + minus_one + bytes(16) + (1 << 30).to_bytes(4, "big")
    in_track = data.rindex(upright)  # the first one is the whole film's
    path.write_bytes(data[:in_track] + clockwise + data[in_track + 36 :])
    frames = read_frames(path)
    assert frames.size == (48, 64)
    (frame,) = frames
    assert frame.shape == (64, 48, 3)
    assert frame[:28].mean() < 60 < 150 < frame[36:].mean()  # left has become top


def test_files_that_are_no_video(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video at all " * 50)
    with pytest.raises(VideoError, match=r"text\.mp4 is damaged or no video"):
        read_source(tmp_path / "text.mp4")
    write_sound(tmp_path / "s.mp4", tone(0.5))
    with pytest.raises(VideoError, match="only sound"):
        read_source(tmp_path / "s.mp4")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_frames(tmp_path)


@pytest.mark.parametrize("share", [0.2, 0.6])
def test_a_file_that_was_cut_off_is_refused(tmp_path: Path, share: float) -> None:
    path = tmp_path / "v.mp4"
    noise = np.random.default_rng(0)
    with VideoSink(path, 10, (64, 48)) as sink:  # its index comes first, so that it opens
        for _ in range(60):
            sink.add(noise.integers(0, 255, (48, 64, 3)).astype(np.uint8))
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(VideoError, match="cut off"):
        read_frames(path)


def test_a_video_of_huge_frames_or_length_is_refused(tmp_path: Path) -> None:
    write_video(tmp_path / "wide.mkv", [0], size=(4200, 16), codec="mpeg4")
    with pytest.raises(VideoError, match="4200x16"):
        read_frames(tmp_path / "wide.mkv")
    write_video(tmp_path / "long.mkv", [0, 3_600_001], codec="mpeg4")
    with pytest.raises(VideoError, match="longer than 3600"):
        read_frames(tmp_path / "long.mkv")


# writing videos ---------------------------------------------------------------------------------


def test_written_frames_are_read_back(tmp_path: Path) -> None:
    path = tmp_path / "v.mp4"
    with VideoSink(path, 30_000 / 1001, (64, 48)) as sink:
        for index in range(40):
            sink.add(flat(20 + 4 * index))
        assert sink.frames == 40
    frames = read_frames(path)
    assert frames.fps == pytest.approx(30_000 / 1001)
    assert levels(frames) == list(range(40))
    assert kinds(path) == ["h264"]
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.pix_fmt == "yuv420p"


def test_colours_come_back(tmp_path: Path) -> None:
    path = tmp_path / "v.mp4"
    image = np.empty((64, 96, 3), np.uint8)
    image[:, :32], image[:, 32:64], image[:, 64:] = (200, 40, 40), (40, 160, 60), (30, 60, 190)
    with VideoSink(path, 25, (96, 64)) as sink:
        sink.add(image)
    (back,) = read_frames(path)
    for left in (0, 32, 64):
        part = np.s_[8:56, left + 8 : left + 24]
        assert np.abs(back[part].mean((0, 1)) - image[part].mean((0, 1))).max() < 4


def with_sound(out: Path, sound_from: Path, frames: int, fps: float = 25) -> None:
    with VideoSink(out, fps, (64, 48), sound_from) as sink:
        for _ in range(frames):
            sink.add(flat(50))


@pytest.mark.parametrize("name", ["s.wav", "s.m4a"])
def test_sound_is_carried_over_and_cut_to_the_pictures(tmp_path: Path, name: str) -> None:
    write_sound(tmp_path / name, tone(3.0), "mp4" if name == "s.m4a" else None)
    with_sound(tmp_path / "v.mp4", tmp_path / name, 50)
    assert kinds(tmp_path / "v.mp4") == ["h264", "aac"]
    wave = sound_of(tmp_path / "v.mp4")[0]
    assert len(wave) / RATE_HZ == pytest.approx(2.0, abs=0.03)
    middle = wave[RATE_HZ // 2 : RATE_HZ // 2 + 8192]
    peak = np.argmax(np.abs(np.fft.rfft(middle * np.hanning(8192)))) * RATE_HZ / 8192
    assert peak == pytest.approx(440, abs=6)
    assert np.abs(middle).max() == pytest.approx(0.5, abs=0.05)


def test_sound_stays_in_step_with_the_pictures(tmp_path: Path) -> None:
    wave = np.zeros(3 * RATE_HZ, np.float32)
    wave[RATE_HZ : RATE_HZ + RATE_HZ // 2] = tone(0.5)
    write_sound(tmp_path / "s.wav", wave)
    with_sound(tmp_path / "v.mp4", tmp_path / "s.wav", 75)
    loud = np.abs(sound_of(tmp_path / "v.mp4")[0]) > 0.2
    assert np.argmax(loud) / RATE_HZ == pytest.approx(1.0, abs=0.04)


def write_both(path: Path, picture_ms: int, sound_ms: int) -> None:
    """Half a second of pictures and of a tone, each beginning at its own time."""
    with av.open(str(path), "w") as container:
        video: Any = container.add_stream("libx264", 25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.codec_context.time_base = Fraction(1, 1000)
        audio: Any = container.add_stream("pcm_s16le", RATE_HZ, layout="mono")
        for index in range(12):
            picture = av.VideoFrame.from_ndarray(flat(90), format="rgb24")
            picture.pts, picture.time_base = picture_ms + 40 * index, Fraction(1, 1000)
            container.mux(video.encode(picture))
        container.mux(video.encode(None))
        pcm = (tone(0.5) * 32767).astype(np.int16)[None]
        sound = av.AudioFrame.from_ndarray(pcm, format="s16", layout="mono")
        sound.sample_rate, sound.time_base = RATE_HZ, Fraction(1, RATE_HZ)
        sound.pts = sound_ms * RATE_HZ // 1000
        container.mux(audio.encode(sound))
        container.mux(audio.encode(None))


@pytest.mark.parametrize(("picture_ms", "sound_ms"), [(0, 300), (300, 0), (200, 200)])
def test_sound_that_begins_beside_the_pictures_keeps_its_distance(
    tmp_path: Path, picture_ms: int, sound_ms: int
) -> None:
    write_both(tmp_path / "s.mkv", picture_ms, sound_ms)
    with_sound(tmp_path / "v.mp4", tmp_path / "s.mkv", 50)
    loud = np.flatnonzero(np.abs(sound_of(tmp_path / "v.mp4")[0]) > 0.2) / RATE_HZ
    late_s = (sound_ms - picture_ms) / 1000
    assert loud[0] == pytest.approx(max(late_s, 0), abs=0.03)
    assert loud[-1] == pytest.approx(late_s + 0.5, abs=0.03)


def test_short_sound_ends_before_the_pictures(tmp_path: Path) -> None:
    write_sound(tmp_path / "s.wav", tone(0.5))
    with_sound(tmp_path / "v.mp4", tmp_path / "s.wav", 50)
    assert len(read_frames(tmp_path / "v.mp4")) == 50
    assert len(sound_of(tmp_path / "v.mp4")[0]) / RATE_HZ == pytest.approx(0.5, abs=0.05)


def test_stereo_of_a_rate_that_aac_has_not(tmp_path: Path) -> None:
    import soundfile

    both = np.stack([tone(1.0), np.zeros(RATE_HZ, np.float32)], axis=1)
    soundfile.write(tmp_path / "s.wav", both, 37_000)
    with_sound(tmp_path / "v.mp4", tmp_path / "s.wav", 20)
    wave = sound_of(tmp_path / "v.mp4")
    assert wave.shape[0] == 2
    assert wave.shape[1] / 48_000 == pytest.approx(0.8, abs=0.04)
    assert np.abs(wave[0, 4096:-4096]).max() > 0.3 > 10 * np.abs(wave[1, 4096:-4096]).max()


def test_a_silent_file_gives_a_silent_video(tmp_path: Path) -> None:
    write_video(tmp_path / "silent.mp4", range(0, 200, 40))
    with_sound(tmp_path / "v.mp4", tmp_path / "silent.mp4", 5)
    assert kinds(tmp_path / "v.mp4") == ["h264"]


def test_sound_that_cannot_be_had_is_named_before_anything_is_written(tmp_path: Path) -> None:
    out = tmp_path / "v.mp4"
    with pytest.raises(ConfigError, match=r"none\.mp4"):
        VideoSink(out, 25, (64, 48), tmp_path / "none.mp4")
    (tmp_path / "text.mp4").write_text("no sound " * 99)
    with pytest.raises(SoundError, match=r"text\.mp4"):
        VideoSink(out, 25, (64, 48), tmp_path / "text.mp4")
    with pytest.raises(ConfigError, match="over"):
        VideoSink(out, 25, (64, 48), out)
    assert not out.exists()


def test_an_unfinished_file_is_removed(tmp_path: Path) -> None:
    out = tmp_path / "v.mp4"

    def interrupted() -> None:
        with VideoSink(out, 25, (64, 48)) as sink:
            sink.add(flat(3))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not out.exists()


def test_wrong_sizes_and_places_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="63x48"):
        VideoSink(tmp_path / "v.mp4", 25, (63, 48))
    with pytest.raises(ConfigError, match="fps"):
        VideoSink(tmp_path / "v.mp4", 0.2, (64, 48))
    with pytest.raises(ConfigError, match="cannot be written"):
        VideoSink(tmp_path / "no" / "v.mp4", 25, (64, 48))
    with VideoSink(tmp_path / "v.mp4", 25, (64, 48)) as sink:
        sink.add(flat(3))
        with pytest.raises(ConfigError, match="size"):
            sink.add(flat(3, 48, 64))
