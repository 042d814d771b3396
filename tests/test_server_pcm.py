"""Voice over the WebSocket arrives right at every rate, however it is cut into messages."""

import numpy as np
import pytest

from models.shapes import PcmArray
from server.voice.media_time import PLAYOUT_RATE_HZ
from server.voice.pcm import PcmConverter, to_pcm

RATES_HZ = [8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000]
FREQUENCY_HZ = 997.0


def sine(seconds: float, rate_hz: int) -> PcmArray:
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    return to_pcm((0.5 * np.sin(2 * np.pi * FREQUENCY_HZ * time_s)).astype(np.float32))


def converted(pcm: PcmArray, rate_hz: int, seed: int) -> PcmArray:
    """In messages of random length, half of them odd."""
    random = np.random.default_rng(seed)
    converter, data, place = PcmConverter(rate_hz), pcm.astype("<i2").tobytes(), 0
    parts: list[PcmArray] = []
    while place < len(data):
        size = int(random.integers(1, 4_000))
        parts.append(converter.push(data[place : place + size]))
        place += size
    return np.concatenate([*parts, converter.finish()])


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_a_minute_arrives_with_its_length_pitch_and_level_and_without_drift(rate_hz: int) -> None:
    seconds = 60.0
    heard = converted(sine(seconds, rate_hz), rate_hz, seed=rate_hz)
    assert len(heard) == pytest.approx(seconds * PLAYOUT_RATE_HZ, abs=2)
    expected = sine(seconds, PLAYOUT_RATE_HZ)[: len(heard)].astype(np.float64)
    inner = slice(2_000, len(expected) - 2_000)
    difference = heard[inner] - expected[inner]
    # a drift of one sample in the minute would be an error of 13 % at its end
    assert np.sqrt(np.mean(difference**2)) < 0.002 * np.sqrt(np.mean(expected[inner] ** 2))


@pytest.mark.parametrize("rate_hz", [16_000, 24_000, 44_100, 48_000])
def test_the_cut_into_messages_does_not_change_a_sample(rate_hz: int) -> None:
    pcm = sine(2.0, rate_hz)
    np.testing.assert_array_equal(converted(pcm, rate_hz, 1), converted(pcm, rate_hz, 2))


def test_half_a_sample_at_the_end_is_left_out() -> None:
    converter = PcmConverter(48_000)
    assert list(converter.push(b"\x01\x00\x02")) == [1]
    assert len(converter.finish()) == 0


def test_full_scale_is_clipped_and_does_not_wrap_around() -> None:
    assert list(to_pcm(np.array([1.5, -1.5, 0.0], np.float32))) == [32767, -32768, 0]
    square = np.where(sine(0.5, 16_000) > 0, 32767, -32768).astype(np.int16)
    heard = converted(square, 16_000, 3)
    middle = heard[2_000:-2_000].astype(np.int32)
    assert np.abs(np.diff(middle)).max() < 40_000
