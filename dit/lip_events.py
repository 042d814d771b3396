"""Sounds that lips must answer to: where they are in speech with known phonemes, and how far the
lips may be apart there."""

from collections.abc import Iterator

import numpy as np

from dit.speech_phonemes import SILENCE, PhonemeTimes
from models.shapes import AnyArray
from models.timing import FPS

# the outer eye corners of the canonical head (240 units high) are about this far apart
EYE_DISTANCE_UNITS = 105.0
CLOSURES = frozenset("pbm")
OPEN_VOWELS = frozenset("ɛæɑʌɔAIOW")
SHUT_UNITS = 2.0  # of 240: two hundredths of the distance between the eyes
OPEN_UNITS = 2 * SHUT_UNITS
SILENT_SHUT = 0.03  # of the eye distance
SILENCE_MARGIN_S = 0.2  # lips may open so long before a sound, and shut so long after it


def spans(times: PhonemeTimes, sounds: frozenset[str]) -> Iterator[slice]:
    """The frames of each such sound, with one more on both sides."""
    for symbol, start, end in zip(times.symbols, times.start_s, times.end_s, strict=True):
        if symbol in sounds:
            yield slice(max(0, int(start * FPS) - 1), int(end * FPS) + 2)


def silent_frames(times: PhonemeTimes, frames: int) -> AnyArray:
    """Whether each of T frames lies so deep inside a pause that lips have no reason to part."""
    at_s = (np.arange(frames) + 0.5) / FPS
    quiet = np.zeros(frames, np.bool_)
    for symbol, start, end in zip(times.symbols, times.start_s, times.end_s, strict=True):
        if symbol == SILENCE:
            quiet |= (at_s > start + SILENCE_MARGIN_S) & (at_s < end - SILENCE_MARGIN_S)
    return quiet
