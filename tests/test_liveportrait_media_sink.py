"""MP4 files: pictures and the sound that belongs to them."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from liveportrait.source.media import (
    VideoSink,
    read_frames,
)
from models.errors import ConfigError, SoundError
from tests.media_fixtures import (
    RATE_HZ,
    flat,
    kinds,
    levels,
    sound_of,
    tone,
    write_sound,
    write_video,
)

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
