"""The yardstick itself: it must tell good lips from bad ones."""

import numpy as np
import pytest

from dit.evaluation.lips import LoudnessBaseline, score_lips, summarise
from dit.lip_events import EYE_DISTANCE_UNITS
from models.motion import Motion, rest
from models.shapes import FloatArray
from tests.evaluation_fixtures import FRAMES, recording
from tests.test_dit_layout import some_motion

CLIP, OTHER = recording("a", 1), recording("b", 2)
BASELINE = LoudnessBaseline([recording("t", seed) for seed in (3, 4)])


def saying(gap: FloatArray, width: FloatArray) -> Motion:
    """Motion [T] with a lip gap and width in eye distances."""
    motion = rest(len(gap))
    motion.exp[:, 5, 1] = gap * EYE_DISTANCE_UNITS
    motion.exp[:, 1, 0] = width * EYE_DISTANCE_UNITS
    return motion


def test_lips_like_the_clips_score_one() -> None:
    score = score_lips(saying(CLIP.gap, CLIP.width), CLIP, OTHER, BASELINE)
    for fit in (score.gap, score.width):
        assert fit.r > 0.999
        assert fit.lag_frames == 0
        assert fit.spread == pytest.approx(1.0, rel=0.01)
        assert fit.error == pytest.approx(0.0, abs=1e-6)


def test_late_lips_are_told_from_early_ones() -> None:
    late = saying(np.roll(CLIP.gap, 2), np.roll(CLIP.width, -1))
    score = score_lips(late, CLIP, OTHER, BASELINE)
    assert (score.gap.lag_frames, score.width.lag_frames) == (2, -1)


def test_a_mouth_that_says_something_else_scores_little() -> None:
    score = score_lips(some_motion(FRAMES, 5), CLIP, OTHER, BASELINE)
    assert abs(score.gap.r) < 0.5
    still = score_lips(rest(FRAMES), CLIP, OTHER, BASELINE)
    assert still.gap.r == 0.0
    assert still.gap.error == pytest.approx(still.gap.still_error)


def test_the_baselines_are_what_they_are_called() -> None:
    score = score_lips(rest(FRAMES), CLIP, OTHER, BASELINE)
    assert score.gap.loudness_r > 0.6  # these lips follow loudness
    by_hand = np.corrcoef(OTHER.gap, CLIP.gap)[0, 1]
    assert score.gap.other_clip_r >= by_hand - 1e-6  # the best of five lags
    alone = score_lips(rest(FRAMES), CLIP, None, LoudnessBaseline([]))
    assert np.isnan(alone.gap.other_clip_r)
    assert alone.gap.loudness_r == 0.0


def test_quartiles_leave_out_what_a_clip_does_not_have() -> None:
    fits = [score_lips(rest(FRAMES), c, o, BASELINE).gap for c, o in ((CLIP, OTHER), (CLIP, None))]
    summary = summarise(fits)
    assert summary.other_clip_r.count == 1
    assert summary.r.count == 2
    assert summary.r.low <= summary.r.median <= summary.r.high
