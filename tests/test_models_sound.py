import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import SoundError
from models.shapes import FloatArray
from models.sound import StreamResampler, read_sound, resample


def tone(rate_hz: int, seconds: float = 0.5) -> FloatArray:
    time_s = np.arange(round(rate_hz * seconds)) / rate_hz
    return (0.5 * np.sin(2 * np.pi * 440 * time_s)).astype(np.float32)


def main_frequency_hz(wave: FloatArray) -> float:
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave))))
    return float(np.argmax(spectrum) * 16_000 / len(wave))


def encoded(wave: FloatArray, rate_hz: int, kind: str, subtype: str | None = None) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, wave, rate_hz, format=kind, subtype=subtype)
    return file.getvalue()


def encoded_m4a(wave: FloatArray, rate_hz: int) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=rate_hz)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = rate_hz, 0, Fraction(1, rate_hz)
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    return file.getvalue()


@pytest.mark.parametrize(
    ("kind", "subtype", "rate_hz"),
    [
        ("WAV", "PCM_16", 16_000),
        ("WAV", "PCM_U8", 8_000),
        ("WAV", "FLOAT", 44_100),
        ("FLAC", "PCM_24", 48_000),
        ("MP3", None, 44_100),
        ("OGG", "VORBIS", 22_050),
        ("OGG", "OPUS", 48_000),
    ],
)
def test_every_format_becomes_16_khz(kind: str, subtype: str | None, rate_hz: int) -> None:
    wave = read_sound(encoded(tone(rate_hz), rate_hz, kind, subtype))
    assert wave.dtype == np.float32
    assert abs(len(wave) - 8_000) < 1_200  # MP3 pads
    assert main_frequency_hz(wave) == pytest.approx(440, abs=4)
    assert np.abs(wave).max() == pytest.approx(0.5, abs=0.06)


def test_m4a_goes_through_ffmpeg() -> None:
    wave = read_sound(encoded_m4a(tone(44_100), 44_100))
    assert abs(len(wave) - 8_000) < 1_200
    assert main_frequency_hz(wave) == pytest.approx(440, abs=4)


def test_channels_are_averaged(tmp_path: Path) -> None:
    left = tone(16_000)
    soundfile.write(tmp_path / "two.wav", np.stack([left, 0 * left], 1), 16_000, subtype="FLOAT")
    np.testing.assert_allclose(read_sound(tmp_path / "two.wav"), left / 2, atol=1e-6)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no sound that can be read"),
        (b"this is a letter, not a sound\n" * 40, "no sound that can be read"),
        (encoded(tone(16_000), 16_000, "WAV")[:30], "no sound that can be read"),
        (encoded(np.zeros(0, np.float32), 16_000, "WAV"), "holds no sound"),
        (encoded(tone(16_000) * np.float32(np.nan), 16_000, "WAV", "FLOAT"), "not finite"),
        (encoded(tone(16_000), 2_000, "WAV"), "sample rate of 2000 Hz; accepted: 4000"),
    ],
)
def test_what_is_no_sound_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(SoundError, match=said):
        read_sound(data)


def test_too_long_a_sound_is_refused_in_both_decoders() -> None:
    for data in (encoded(tone(16_000, 2.0), 16_000, "WAV"), encoded_m4a(tone(16_000, 2.0), 16_000)):
        with pytest.raises(SoundError, match="longer than 1 s"):
            read_sound(data, max_seconds=1.0)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SoundError, match=r"cannot read nothing\.wav"):
        read_sound(tmp_path / "nothing.wav")


@settings(max_examples=20, deadline=None)
@given(
    rate_hz=st.sampled_from([8_000, 16_000, 22_050, 24_000, 44_100, 48_000]),
    sizes=st.lists(st.integers(0, 3_000), min_size=1, max_size=12),
)
def test_packets_of_any_size_resample_alike(rate_hz: int, sizes: list[int]) -> None:
    wave = np.random.default_rng(0).standard_normal(sum(sizes)).astype(np.float32)
    stream = StreamResampler(rate_hz)
    parts = [stream.push(part) for part in np.split(wave, np.cumsum(sizes)[:-1])]
    joined = np.concatenate([*parts, stream.finish()])
    whole = StreamResampler(rate_hz)
    expected = np.concatenate([whole.push(wave), whole.finish()])
    np.testing.assert_allclose(joined, expected, atol=1e-6)
    assert abs(len(joined) - len(wave) * 16_000 / rate_hz) <= 1


def test_the_stream_keeps_pitch_level_and_place() -> None:
    stream = StreamResampler(48_000)
    wave = np.concatenate([stream.push(tone(48_000)), stream.finish()])
    np.testing.assert_allclose(wave, resample(tone(48_000), 48_000), atol=1e-3)


@pytest.mark.parametrize("rate_hz", [0, -16_000, 3_999, 1_000_000])
def test_a_senseless_rate_is_refused(rate_hz: int) -> None:
    with pytest.raises(SoundError, match="accepted: 4000 to 384000 Hz"):
        StreamResampler(rate_hz)


def test_a_packet_of_two_channels_is_refused() -> None:
    with pytest.raises(SoundError, match=r"accepted: one channel"):
        StreamResampler(16_000).push(np.zeros((2, 100), np.float32))
