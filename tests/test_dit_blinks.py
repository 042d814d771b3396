"""Blinks at human intervals: how many, how long, and what a control or a rewind does to them."""

import numpy as np
import pytest

from dit.blinks import LOOK_BACK_FRAMES, blink_clock, blink_glances, first_clock, lids_shut
from dit.evaluation.liveliness import Blinks, count_blinks
from models.shapes import AnyArray, FloatArray
from models.timing import FPS

TEN_MINUTES = 10 * 60 * FPS


def clock_of(gate: float, level: float, seed: int = 1, frames: int = TEN_MINUTES) -> AnyArray:
    ones = np.ones(frames, np.float32)
    return blink_clock(first_clock(seed), gate * ones, level * ones)


def blinks_of(gate: float, level: float, seed: int = 1) -> Blinks:
    return count_blinks([lids_shut(clock_of(gate, level, seed), seed)])


@pytest.mark.parametrize("seed", [1, 2, 2**40])
def test_ten_to_twenty_five_a_minute_and_more_of_them_while_speaking(seed: int) -> None:
    listening, speaking = blinks_of(0.0, 1.0, seed), blinks_of(1.0, 1.0, seed)
    assert 10 <= listening.per_minute < speaking.per_minute <= 25
    assert speaking.between_s.low > 1.0
    assert speaking.between_s.high < 8.0
    assert speaking.between_s.high / speaking.between_s.low > 1.3  # no metronome
    assert 0.0 < speaking.double_share < 0.2


def test_twice_the_control_is_twice_the_blinks_and_none_is_none() -> None:
    usual, twice, none = (blinks_of(1.0, level).per_minute for level in (1.0, 2.0, 0.0))
    assert twice == pytest.approx(2 * usual, rel=0.1)
    assert none == 0.0
    assert blinks_of(1.0, 50.0).per_minute < 80.0


def test_a_blink_shuts_quickly_and_opens_more_slowly() -> None:
    shut = lids_shut(clock_of(1.0, 1.0), 1)
    tops = np.flatnonzero((shut[1:-1] > 0.95) & (shut[1:-1] > shut[:-2])) + 1
    lengths, closing, opening = [], [], []
    for top in tops:
        before = top - np.argmax(shut[top::-1] < 0.05)
        after = top + np.argmax(shut[top:] < 0.05)
        closing.append(top - before)
        opening.append(after - top)
        lengths.append(1000 * (after - before - 1) / FPS)
    assert 150 <= np.median(lengths) <= 280
    assert np.mean(closing) < np.mean(opening)
    assert shut.max() <= 1.0
    assert shut.min() >= 0.0


def test_a_change_of_rate_cuts_no_blink_and_parts_give_the_whole() -> None:
    ones = np.ones(3000, np.float32)
    changing: FloatArray = np.where(np.arange(3000) < 1500, 1.0, 0.0).astype(np.float32)
    clock = blink_clock(0.0, ones, changing)
    shut = lids_shut(clock, 4)
    assert np.abs(np.diff(shut)).max() < 0.95
    assert shut[1550:].max() == 0.0
    for start in (700, 1493):
        part = clock[start - LOOK_BACK_FRAMES : start + 50]
        np.testing.assert_allclose(
            lids_shut(part, 4)[LOOK_BACK_FRAMES:], shut[start : start + 50], atol=1e-6
        )
        np.testing.assert_allclose(
            blink_glances(part, 4)[LOOK_BACK_FRAMES:],
            blink_glances(clock, 4)[start : start + 50],
            atol=1e-6,
        )


def test_the_eyes_turn_only_while_the_lids_fall() -> None:
    clock = clock_of(1.0, 1.0, frames=3000)
    glances, shut = blink_glances(clock, 1), lids_shut(clock, 1)
    moving = np.abs(np.diff(glances, axis=0)).max(1) > 1e-6
    assert moving.sum() > 20
    assert np.maximum(shut[1:], shut[:-1])[moving].min() > 0.0
