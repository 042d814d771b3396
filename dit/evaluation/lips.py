"""Do the lips say these words? Generated lip gap and width beside the clip's own.

Three baselines stand beside every figure: what loudness alone predicts, a face that stands still,
and the true mouth of another clip. A model that beats none of them has learnt nothing.
"""

from dataclasses import dataclass, fields

import numpy as np

from dit.evaluation.quartiles import Quartiles, quartiles
from dit.evaluation.recordings import Recording
from dit.lagged_correlation import lagged_pearson
from dit.lip_events import EYE_DISTANCE_UNITS
from dit.synthetic import articulators_of
from models.motion import Motion
from models.shapes import AnyArray, FloatArray

BASELINE_NEIGHBOURS, BASELINE_RIDGE = 6, 1.0


@dataclass(frozen=True, slots=True)
class LipFit:
    """One lip measure of one clip against truth. Errors are means over frames, of deviations from
    the series' own medians, in outer-eye distances."""

    r: float  # Pearson r at the best lag within 2 frames
    lag_frames: int  # positive: the generated mouth comes late
    error: float
    spread: float  # generated over true standard deviation
    loudness_r: float
    other_clip_r: float  # NaN when there is no other clip
    still_error: float  # of a face that does not move; its r is 0


@dataclass(frozen=True, slots=True)
class ClipLips:
    """Both measures of one clip."""

    name: str
    gap: LipFit
    width: LipFit


@dataclass(frozen=True, slots=True)
class LipSummary:
    """One measure over all clips."""

    r: Quartiles
    lag_frames: Quartiles
    error: Quartiles
    spread: Quartiles
    loudness_r: Quartiles
    other_clip_r: Quartiles
    still_error: Quartiles


class LoudnessBaseline:
    """Ridge regression from the loudness of 13 frames to lip gap and width, on training clips."""

    def __init__(self, recordings: list[Recording]) -> None:
        width = 2 * BASELINE_NEIGHBOURS + 1
        self._mean: AnyArray = np.zeros(width)
        self._weights: AnyArray = np.zeros((width, 2))
        if not recordings:
            return  # nothing to learn from: predicts a mouth that stands still
        x = np.concatenate([self._features(one.loudness_db) for one in recordings])
        y = np.concatenate([_standard(np.stack([r.gap, r.width], 1)) for r in recordings])
        self._mean = x.mean(0)
        centred = x - self._mean
        inner = centred.T @ centred + BASELINE_RIDGE * len(x) * np.eye(width)
        self._weights = np.linalg.solve(inner, centred.T @ y)

    def __call__(self, level_db: FloatArray) -> FloatArray:
        """loudness [T] -> gap and width [T, 2] without unit."""
        guess: FloatArray = (self._features(level_db) - self._mean) @ self._weights
        return guess

    def _features(self, level_db: FloatArray) -> FloatArray:
        level = (level_db - level_db.mean()) / (level_db.std() + 1e-6)
        padded = np.pad(level, BASELINE_NEIGHBOURS, mode="edge")
        shifts = range(2 * BASELINE_NEIGHBOURS + 1)
        return np.stack([padded[i : i + len(level)] for i in shifts], 1)


def generated_lips(motion: Motion) -> FloatArray:
    """Lip gap and mouth width [T, 2] off rest, in outer-eye distances (lite keypoints)."""
    lips: FloatArray = articulators_of(motion.exp)[:, :2] / EYE_DISTANCE_UNITS
    return lips


def score_lips(
    motion: Motion, clip: Recording, other: Recording | None, baseline: LoudnessBaseline
) -> ClipLips:
    """Generated lips of one clip against its own; ``other`` lends the mouth of another clip."""
    lips = generated_lips(motion)
    guess = baseline(clip.loudness_db)
    others = (None, None) if other is None else (other.gap, other.width)
    fits = [
        _fit(lips[:, place], truth, guess[:, place], others[place])
        for place, truth in enumerate((clip.gap, clip.width))
    ]
    return ClipLips(clip.name, *fits)


def summarise(fits: list[LipFit]) -> LipSummary:
    """Medians and quartiles over clips."""
    names = [field.name for field in fields(LipSummary)]
    return LipSummary(**{name: quartiles(getattr(f, name) for f in fits) for name in names})


def _fit(
    guess: FloatArray, truth: FloatArray, by_loudness: FloatArray, other: FloatArray | None
) -> LipFit:
    found = lagged_pearson(guess, truth)
    moved, shown = truth - np.median(truth), guess - np.median(guess)
    flat = truth.std() < 1e-9
    if other is not None:
        common = min(len(other), len(truth))
        other_r = lagged_pearson(other[:common], truth[:common]).r
    return LipFit(
        found.r,
        found.lag_frames,
        float(np.abs(shown - moved).mean()),
        float("nan") if flat else float(guess.std() / truth.std()),
        lagged_pearson(by_loudness, truth).r,
        float("nan") if other is None else other_r,
        float(np.abs(moved).mean()),
    )


def _standard(values: FloatArray) -> FloatArray:
    standard: FloatArray = (values - values.mean(0)) / (values.std(0) + 1e-6)
    return standard
