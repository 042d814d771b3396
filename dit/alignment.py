"""Does a clip's sound belong to its picture, and to which frame of it?

Clips found in the wild run up to a quarter of a second out of step, and some have another sound
altogether. A linear map from voice to mouth, fitted on synthetic pairs that are in step by
construction, tells: the lag at which it follows a clip's mouth best is the clip's own.
"""

from dataclasses import dataclass

import numpy as np

from models.shapes import FloatArray

NEIGHBOURS = 2  # frames on both sides that the map sees
RIDGE = 3.0  # per training frame, on features of about unit spread
MOST_LAG_FRAMES = 8
LEAST_R = 0.15  # below this the sound is taken for another one
READ = (0, 1, 3)  # opening, width, jaw: what is seen well in a clip


@dataclass(frozen=True, slots=True)
class VoiceToMouth:
    """Ridge regression from neighbouring condition frames to articulators."""

    mean: FloatArray  # [C (2 n + 1)]
    offset: FloatArray  # [4]
    weights: FloatArray  # [C (2 n + 1), 4]

    def __call__(self, condition: FloatArray) -> FloatArray:
        """condition: [T, C] -> articulators [T, 4]."""
        guess = (stacked(condition, NEIGHBOURS) - self.mean) @ self.weights
        return np.asarray(guess + self.offset, np.float32)


@dataclass(frozen=True, slots=True)
class Alignment:
    """``lag`` frames by which the sound comes late (negative: early), and the correlation there."""

    lag: int
    r: float

    @property
    def trusted(self) -> bool:
        """Whether the sound belongs to the picture."""
        # a best lag at the end of the search is the slope of something else
        return self.r >= LEAST_R and abs(self.lag) < MOST_LAG_FRAMES


def stacked(values: FloatArray, neighbours: int) -> FloatArray:
    """Each frame with its neighbours on both sides: [T, C] -> [T, C (2 n + 1)]."""
    padded = np.pad(values, ((neighbours, neighbours), (0, 0)), mode="edge")
    shifts = [padded[i : i + len(values)] for i in range(2 * neighbours + 1)]
    return np.concatenate(shifts, 1)


def fit_voice_to_mouth(
    conditions: list[FloatArray], articulators: list[FloatArray]
) -> VoiceToMouth:
    """From pairs of [T, C] and [T, 4]."""
    x = np.concatenate([stacked(c, NEIGHBOURS) for c in conditions]).astype(np.float64)
    y = np.concatenate(articulators).astype(np.float64)
    mean, offset = x.mean(0), y.mean(0)
    inner = (x - mean).T @ (x - mean) + RIDGE * np.sqrt(len(x)) * np.eye(x.shape[1])
    weights = np.linalg.solve(inner, (x - mean).T @ (y - offset))
    return VoiceToMouth(
        mean.astype(np.float32), offset.astype(np.float32), weights.astype(np.float32)
    )


def align(guess: FloatArray, seen: FloatArray) -> Alignment:
    """Articulators guessed from a clip's voice and seen in its picture, both [T, 4]."""
    lags = range(-MOST_LAG_FRAMES, MOST_LAG_FRAMES + 1)
    scores = [float(np.mean([_r(guess[:, i], seen[:, i], lag) for i in READ])) for lag in lags]
    best = int(np.argmax(scores))
    return Alignment(best - MOST_LAG_FRAMES, scores[best])


def _r(voice: FloatArray, mouth: FloatArray, lag: int) -> float:
    late = voice[max(0, lag) : len(voice) + min(0, lag)]
    seen = mouth[max(0, -lag) : len(mouth) + min(0, -lag)]
    if late.std() < 1e-9 or seen.std() < 1e-9:
        return 0.0
    return float(np.corrcoef(late, seen)[0, 1])
