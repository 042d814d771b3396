"""Pictures and videos by content, and videos at a constant rate."""

from fractions import Fraction
from pathlib import Path

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
from models.errors import ConfigError, NotAnImageError, VideoError
from tests.liveportrait_fixtures import golden_arrays
from tests.media_fixtures import encoded, flat, levels, tone, write_sound, write_video

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
