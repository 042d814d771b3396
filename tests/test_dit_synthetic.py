"""Synthetic pairs: mouths that do what phonetics says."""

import numpy as np

from dit.articulation import Style, articulate, random_style
from dit.layout import FACE_PARTS
from dit.speech_phonemes import PHONEMES, PhonemeTimes
from dit.synthetic import (
    articulators_of,
    mouth_basis,
    synthetic_motion,
    there_and_back,
)
from models.motion import rest
from models.shapes import FloatArray

PRESENT = FACE_PARTS["lite"].mouth


def spoken(symbols: str, each_s: float = 0.12) -> PhonemeTimes:
    names = ("sil", *symbols, "sil")
    ends = np.cumsum([0.5, *[each_s] * len(symbols), 0.5]).astype(np.float32)
    starts = np.concatenate([[0.0], ends[:-1]]).astype(np.float32)
    return PhonemeTimes(names, starts, ends)


def lips(symbols: str, each_s: float = 0.12, style: Style | None = None) -> FloatArray:
    times = spoken(symbols, each_s)
    loudness = np.full(round(float(times.end_s[-1]) * 25), -20.0, np.float32)
    return articulate(times, loudness, style or Style()).articulators


def test_closures_shut_even_when_they_fall_between_frames() -> None:
    for offset in np.linspace(0.0, 0.04, 9):
        times = spoken("ɑmɑbɑpɑ", 0.06)
        times = PhonemeTimes(
            times.symbols,
            (times.start_s + np.float32(offset)).astype(np.float32),
            (times.end_s + np.float32(offset)).astype(np.float32),
        )
        tracks = articulate(times, np.full(45, -20.0, np.float32), Style())
        for symbol, start, end in zip(times.symbols, times.start_s, times.end_s, strict=True):
            if symbol in "mbp":
                frames = slice(int(start * 25) - 1, int(end * 25) + 2)
                assert tracks.articulators[frames, 0].min() < 1.0
        assert tracks.articulators[:, 0].max() > 5.0


def test_open_vowels_open_spread_ones_spread_and_round_ones_round() -> None:
    open_, spread, rounded = lips("ɑɑɑ"), lips("iii"), lips("uuu")
    middle = slice(14, 18)
    assert open_[middle, 0].min() > 1.5 * spread[middle, 0].max()
    assert spread[middle, 1].min() > 4 > -4 > rounded[middle, 1].max()
    assert rounded[middle, 2].min() > open_[middle, 2].max() + 2


def test_lips_take_the_shape_of_a_strong_neighbour() -> None:
    between_round, between_spread = lips("uku"), lips("iki")
    assert between_round[15, 1] < -3 < 3 < between_spread[15, 1]


def test_silence_is_a_shut_mouth_at_rest() -> None:
    assert np.abs(lips("ɑpɑ")[:5]).max() < 0.6


def test_speakers_differ_but_every_phoneme_is_in_reach() -> None:
    rng = np.random.default_rng(0)
    tracks = [lips("".join(PHONEMES[1:]), style=random_style(rng)) for _ in range(8)]
    peaks = np.array([t[:, 0].max() for t in tracks])
    assert peaks.std() > 1.0
    assert all(np.isfinite(t).all() for t in tracks)


def moving_faces() -> FloatArray:
    rng = np.random.default_rng(1)
    exp = 0.2 * rng.standard_normal((300, 21, 3))
    drive = rng.standard_normal((300, 3)) * (6, 5, 2)
    exp[:, 5, 1] += drive[:, 0]
    exp[:, 10, 1] += 0.5 * drive[:, 0]
    exp[:, 0, 0] -= drive[:, 1] / 2
    exp[:, 1, 0] += drive[:, 1] / 2
    exp[:, 2:6, 2] -= drive[:, 2:3]
    return exp.astype(np.float32)


def test_the_basis_gives_back_the_articulators_it_is_asked_for() -> None:
    basis = mouth_basis([moving_faces()])
    wanted = np.array([[8.0, 0, 0, 4], [0, -6, 2, 0], [0, 5, 0, 0]], np.float32)
    got = articulators_of(
        basis.expression(wanted, np.zeros(3, np.float32), np.zeros(3, np.float32))
    )
    np.testing.assert_allclose(got, wanted, atol=0.7)
    others = [k for k in range(21) if k not in PRESENT]
    assert np.abs(basis.directions[:, others]).max() == 0.0


def test_synthetic_motion_borrows_the_head_and_starts_from_rest() -> None:
    body = rest(40)
    body.yaw[:] = np.linspace(3, 6, 40)
    times = spoken("mɑmɑ")
    loudness = np.full(37, -20.0, np.float32)
    motion = synthetic_motion(
        times, loudness, Style(), mouth_basis([moving_faces()]), body, np.random.default_rng(0)
    )
    assert len(motion) == 37
    assert motion.yaw[0] == 0.0
    assert 3 <= motion.yaw[-1] <= 6
    assert np.abs(np.diff(motion.yaw)).max() < 1.0


def test_borrowed_frames_run_to_and_fro() -> None:
    frames = there_and_back(7, 60, np.random.default_rng(2))
    assert np.abs(np.diff(frames)).max() == 1
    assert frames.min() == 0
    assert frames.max() == 6
    assert there_and_back(1, 4, np.random.default_rng(2)).tolist() == [0, 0, 0, 0]
