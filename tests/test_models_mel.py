import numpy as np
import pytest

from models.mel import MEL_BANDS, MEL_FLOOR_DB, mel_db
from models.shapes import FloatArray


def tone(hz: float, samples: int = 16_000, level: float = 1.0) -> FloatArray:
    return (level * np.sin(2 * np.pi * hz * np.arange(samples) / 16_000)).astype(np.float32)


def test_a_frame_is_heard_around_its_own_middle() -> None:
    wave = np.zeros(10 * 640, np.float32)
    wave[4 * 640 : 5 * 640] = tone(1000, 640)
    level = mel_db(wave)
    assert level.shape == (10, MEL_BANDS)
    assert level.max(1).argmax() == 4
    assert (level[[0, 1, 7, 8, 9]] == MEL_FLOOR_DB).all()


@pytest.mark.parametrize("hz", [200, 1000, 4000])
def test_a_full_scale_sine_is_loud_in_its_band_alone(hz: float) -> None:
    level = mel_db(tone(hz))[5:20]
    best = int(level.mean(0).argmax())
    centre_mel = np.linspace(2595 * np.log10(1 + 60 / 700), 2595 * np.log10(1 + 7600 / 700), 28)
    centre_hz = 700 * (10 ** (centre_mel[1 + best] / 2595) - 1)
    assert abs(np.log2(centre_hz / hz)) < 0.5
    assert -6 < level[:, best].mean() < 3
    assert np.delete(level, [best - 1, best, best + 1], 1).max() < -20


def test_half_the_level_is_six_decibels_less() -> None:
    loud, quiet = mel_db(tone(440)), mel_db(tone(440, level=0.5))
    near = loud.max() - 30 < loud
    np.testing.assert_allclose((loud - quiet)[near], 20 * np.log10(2), atol=0.05)


def test_frames_do_not_depend_on_what_is_far_away() -> None:
    wave = np.random.default_rng(0).standard_normal(20 * 640).astype(np.float32)
    whole, part = mel_db(wave), mel_db(wave[5 * 640 : 15 * 640])
    np.testing.assert_allclose(part[1:-1], whole[6:14], atol=1e-3)
