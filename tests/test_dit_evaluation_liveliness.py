"""Blinks are counted once each; a known head movement has the spectrum it should."""

import numpy as np
import pytest

from dit.evaluation.liveliness import band_rms, blink_spans, count_blinks, head_motion, mean_jerk
from models.motion import Motion, rest
from models.shapes import FloatArray
from models.timing import FPS


def lids(*blinks: tuple[int, int], frames: int = 1500) -> FloatArray:
    shut = np.zeros(frames, np.float32)
    for first, length in blinks:
        shut[first : first + length] = 0.9
    return shut


def test_blinks_are_counted_once_each() -> None:
    blinks = count_blinks([lids((100, 4), (110, 3), (800, 5))])
    assert blinks.per_minute == pytest.approx(3.0)
    assert blinks.length_ms.median == pytest.approx(160.0)
    assert blinks.double_share == pytest.approx(0.5)
    assert blinks.between_s.high > 10.0
    trembling = lids((100, 4))
    trembling[102] = 0.45  # not open again
    assert len(blink_spans(trembling)) == 1


def test_eyes_that_stay_shut_are_no_blink() -> None:
    assert blink_spans(lids((100, 60))) == []
    none = count_blinks([lids()])
    assert none.per_minute == 0.0
    assert none.between_s.count == 0


def turning(hertz: float, degrees: float, frames: int = 300) -> Motion:
    still = rest(frames)
    wave = degrees * np.sin(2 * np.pi * hertz * np.arange(frames) / FPS)
    return Motion(still.pitch, wave.astype(np.float32), still.roll, still.t, still.scale, still.exp)


@pytest.mark.parametrize(("hertz", "band"), [(1.0, "0.5-2 Hz"), (3.0, "2-5 Hz")])
def test_a_sine_lies_in_its_band_with_its_own_size(hertz: float, band: str) -> None:
    found = head_motion([turning(hertz, 2.0)])
    assert found.band_rms_deg[f"yaw {band}"].median == pytest.approx(2 / np.sqrt(2), rel=0.05)
    for name, value in found.band_rms_deg.items():
        if name != f"yaw {band}":
            assert value.median < 0.1
    # |third derivative| of a sine, averaged: amplitude times omega^3 times 2 / pi, less the filter
    slow = head_motion([turning(1.0, 2.0)]).jerk_deg_s3["yaw"].median
    assert slow == pytest.approx(2 * (2 * np.pi) ** 3 * 2 / np.pi, rel=0.1)


def test_clips_too_short_for_a_spectrum_have_none() -> None:
    assert np.isnan(band_rms(np.zeros((40, 3)))).all()
    assert np.isnan(mean_jerk(np.zeros((6, 3)))).all()
