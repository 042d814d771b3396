"""Synthetic mouths lean on what real ones were seen to do, and still shut where they must."""

import numpy as np

from dit.articulation import Style, articulate
from dit.measured_mouth import measure_mouth
from dit.speech_phonemes import PhonemeTimes
from models.shapes import FloatArray

RNG = np.random.default_rng(5)


def voice(frames: int) -> FloatArray:
    return RNG.standard_normal((frames, 6)).astype(np.float32)


def test_measured_mouths_move_as_the_clips_do_and_as_far_as_the_table() -> None:
    mixing = RNG.standard_normal((6, 4)).astype(np.float32)
    heard = [voice(400) for _ in range(6)]
    clips = [
        (v, (n + 1.0) * (v @ mixing) + 9.0) for n, v in enumerate(heard)
    ]  # big and small faces
    speech = [(v, 2.0 * RNG.standard_normal((400, 4)).astype(np.float32) + 5.0) for v in heard]
    measured = measure_mouth(clips, speech)
    unseen = voice(300)
    guess, truth = measured(unseen), unseen @ mixing
    for place in range(4):
        assert np.corrcoef(guess[:, place], truth[:, place])[0, 1] > 0.98
    everywhere = np.concatenate([measured(v) for v in heard])
    np.testing.assert_allclose(everywhere.std(0), 2.0, rtol=0.1)
    np.testing.assert_allclose(everywhere.mean(0), 5.0, atol=0.2)


def test_closures_and_pauses_stay_shut_whatever_was_measured() -> None:
    symbols = ("sil", "ɑ", "p", "ɑ", "sil")
    ends = np.array([0.8, 1.2, 1.36, 1.8, 2.8], np.float32)
    times = PhonemeTimes(symbols, np.concatenate([[0], ends[:-1]]).astype(np.float32), ends)
    level = np.full(70, -20.0, np.float32)
    table = articulate(times, level, Style()).articulators
    wide = np.full((70, 4), 20.0, np.float32)
    mixed = articulate(times, level, Style(measured_share=0.5), wide).articulators
    assert mixed[31:33, 0].min() < 1e-3  # inside the /p/
    np.testing.assert_array_equal(mixed[:15], table[:15])
    np.testing.assert_array_equal(mixed[50:], table[50:])
    assert mixed[25, 1] > table[25, 1] + 5
    none = articulate(times, level, Style(), wide).articulators
    np.testing.assert_allclose(none, table, atol=1e-5)
