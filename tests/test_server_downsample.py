import numpy as np
import pytest

from models.shapes import PcmArray
from server.voice.downsample import MARGIN_SAMPLES, encoder_block
from server.voice.media_time import PACKET_SAMPLES


def sine(hz: float, samples: int) -> PcmArray:
    wave: PcmArray = (16000 * np.sin(2 * np.pi * hz * np.arange(samples) / 48_000)).astype(np.int16)
    return wave


def test_a_voice_band_tone_keeps_its_level_and_place() -> None:
    voice = sine(1000, PACKET_SAMPLES + 2 * MARGIN_SAMPLES)
    block = encoder_block(voice)
    expected = voice[MARGIN_SAMPLES : MARGIN_SAMPLES + PACKET_SAMPLES : 3] / 32768
    assert block.shape == (320,)
    np.testing.assert_allclose(block, expected, atol=2e-3)


@pytest.mark.parametrize("hz", [9_500, 12_000, 20_000])
def test_what_16_khz_cannot_hold_is_gone(hz: float) -> None:
    block = encoder_block(sine(hz, PACKET_SAMPLES + 2 * MARGIN_SAMPLES))
    assert np.abs(block).max() < 0.5 * 10 ** (-55 / 20)


def test_any_other_length_is_refused() -> None:
    with pytest.raises(ValueError, match="block needs"):
        encoder_block(sine(100, PACKET_SAMPLES))
