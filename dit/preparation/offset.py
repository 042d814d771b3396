"""By how many frames a clip's sound is late, and whether it belongs to this mouth at all.

Clips found in the wild run up to a quarter of a second out of step, and some have another sound
altogether. The mouth guessed from the sound (``voice_to_mouth.py``) is laid over the mouth seen in
the picture at every lag; where the two agree best is the clip's own lag. Both without what moves
slower than speech, as a nod or a smile would drown the rest.
"""

from dataclasses import dataclass

import numpy as np

from dit.preparation.voice_to_mouth import READ, quick
from dit.synthetic import articulators_of
from models.face_keypoints import landmarks_to_motion, relative_to_rest
from models.shapes import AnyArray, FloatArray
from models.timing import SAMPLES_PER_FRAME


@dataclass(frozen=True, slots=True)
class Offset:
    """``lag`` frames by which the sound comes late (negative: early)."""

    lag: int
    r: float  # mean Pearson r of opening, width and jaw there
    confidence: float  # r times the square root of the frames: chance alone depends on length


def mouth_seen(points: FloatArray) -> FloatArray:
    """Face meshes [T, L, 3] -> quick movement of opening, width, jaw [T, 3], head pose removed."""
    motion = relative_to_rest(landmarks_to_motion(points)[0])
    return quick(articulators_of(motion.exp)[:, READ])


def measure_offset(guessed: FloatArray, seen: FloatArray, most_lag: int) -> Offset:
    """``guessed`` from the sound and ``seen`` in the picture, both [T, 3].

    A best lag at either end of the search is the slope of something farther off: its confidence is
    0. Raises ValueError when there are no frames left to compare at the widest lag.
    """
    if len(seen) <= most_lag + 2:
        raise ValueError(f"{len(seen)} frames are too few for lags up to {most_lag}")
    lags = range(-most_lag, most_lag + 1)
    scores = [_agreement(guessed, seen, lag) for lag in lags]
    best = int(np.argmax(scores))
    lag, r = lags[best], scores[best]
    confidence = 0.0 if abs(lag) == most_lag else r * float(np.sqrt(len(seen)))
    return Offset(lag, r, confidence)


def frames_in_step(count: int, lag: int) -> slice:
    """The pictures of ``count`` that have a sound when it is moved back by ``lag`` frames."""
    return slice(max(0, -lag), count - max(0, lag))


def sound_in_step(wave: FloatArray, lag: int) -> FloatArray:
    """The sound [640 T] of the pictures ``frames_in_step``."""
    frames = len(wave) // SAMPLES_PER_FRAME
    start, end = max(0, lag), frames - max(0, -lag)
    return wave[start * SAMPLES_PER_FRAME : end * SAMPLES_PER_FRAME]


def _agreement(guessed: AnyArray, seen: AnyArray, lag: int) -> float:
    """Mean Pearson r of the tracks when the sound is moved back by ``lag`` frames."""
    voice = guessed[max(0, lag) : len(guessed) + min(0, lag)]
    mouth = seen[max(0, -lag) : len(seen) + min(0, -lag)]
    voice, mouth = voice - voice.mean(0), mouth - mouth.mean(0)
    spread = np.sqrt((voice**2).sum(0) * (mouth**2).sum(0))
    together = (voice * mouth).sum(0)
    return float(np.mean(np.where(spread > 1e-9, together / np.maximum(spread, 1e-9), 0.0)))
