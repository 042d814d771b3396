"""What real mouths do for a voice, for synthetic speech to follow.

A linear map from the voice to the mouths of the training clips is blurred: it hardly shuts the
lips. The table of articulators (dit/articulation.py) is crisp, and nobody's own. Half of each
follows people left out better than either alone (dit/README.md has the figures).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.shapes import FloatArray

NEIGHBOURS = 2  # frames on both sides that the map sees
RIDGE = 3.0  # per training frame, on features of about unit spread


@dataclass(frozen=True, slots=True)
class LinearMouth:
    """Ridge regression from neighbouring condition frames to articulators."""

    mean: FloatArray  # [C (2 n + 1)]
    offset: FloatArray  # [4]
    weights: FloatArray  # [C (2 n + 1), 4]

    def __call__(self, condition: FloatArray) -> FloatArray:
        """condition: [T, C] -> articulators [T, 4]."""
        guess = (stacked(condition, NEIGHBOURS) - self.mean) @ self.weights
        return np.asarray(guess + self.offset, np.float32)


@dataclass(frozen=True, slots=True)
class MeasuredMouth:
    """Voice -> articulators of the usual speaker, spread as far as the table's."""

    follow: LinearMouth
    gain: FloatArray  # [4]
    offset: FloatArray  # [4]

    def __call__(self, condition: FloatArray) -> FloatArray:
        """condition: [T, C] -> articulators [T, 4] in canonical units."""
        return np.asarray(self.follow(condition) * self.gain + self.offset, np.float32)


def measure_mouth(
    clips: Sequence[tuple[FloatArray, FloatArray]],
    speech: Sequence[tuple[FloatArray, FloatArray]],
) -> MeasuredMouth:
    """From pairs of condition [T, C] and articulators [T, 4].

    ``clips``: real ones, in step with their sound, which tell the shape of the movement.
    ``speech``: synthetic ones, which tell its size: clips differ in that by their people.
    """
    scaled = [(a - a.mean(0)) / (a.std(0) + 1e-3) for _, a in clips]
    follow = fit_linear_mouth([condition for condition, _ in clips], scaled)
    heard = np.concatenate([follow(condition) for condition, _ in speech])
    usual = np.concatenate([articulators for _, articulators in speech])
    gain = usual.std(0) / (heard.std(0) + 1e-6)
    return MeasuredMouth(follow, gain, usual.mean(0) - heard.mean(0) * gain)


def stacked(values: FloatArray, neighbours: int) -> FloatArray:
    """Each frame with its neighbours on both sides: [T, C] -> [T, C (2 n + 1)]."""
    padded = np.pad(values, ((neighbours, neighbours), (0, 0)), mode="edge")
    shifts = [padded[i : i + len(values)] for i in range(2 * neighbours + 1)]
    return np.concatenate(shifts, 1)


def fit_linear_mouth(conditions: list[FloatArray], articulators: list[FloatArray]) -> LinearMouth:
    """From pairs of [T, C] and [T, 4]."""
    x = np.concatenate([stacked(c, NEIGHBOURS) for c in conditions]).astype(np.float64)
    y = np.concatenate(articulators).astype(np.float64)
    mean, offset = x.mean(0), y.mean(0)
    inner = (x - mean).T @ (x - mean) + RIDGE * np.sqrt(len(x)) * np.eye(x.shape[1])
    weights = np.linalg.solve(inner, (x - mean).T @ (y - offset))
    return LinearMouth(
        mean.astype(np.float32), offset.astype(np.float32), weights.astype(np.float32)
    )
