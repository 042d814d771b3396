"""What people notice first: /p b m/ must shut the lips, open vowels open them, silence keep them.

Counted on synthetic speech that was not trained on, because there every sound's time is known.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dit.evaluation.lips import EYE_DISTANCE_UNITS, generated_lips
from dit.evaluation.voices import generate
from dit.generator import Mode, MotionGenerator
from dit.speech_corpus import HELD_OUT_EVERY, CorpusItem, read_item
from dit.speech_phonemes import SILENCE, PhonemeTimes
from models.errors import ConfigError
from models.motion import Motion
from models.shapes import AnyArray, FloatArray
from models.timing import FPS

CLOSURES = frozenset("pbm")
OPEN_VOWELS = frozenset("ɛæɑʌɔAIOW")
SHUT_UNITS = 2.0  # of 240: two hundredths of the distance between the eyes
OPEN_UNITS = 2 * SHUT_UNITS
SILENT_SHUT = 0.03  # of the eye distance
SILENCE_MARGIN_S = 0.2  # lips may open so long before a sound, and shut so long after it


@dataclass(frozen=True, slots=True)
class LipEvents:
    """Shares of events that went right, and how many there were; NaN of none."""

    closures_shut: float
    vowels_open: float
    silence_shut: float  # share of silent frames with the gap under 3 % of the eye distance
    closures: int
    vowels: int
    silent_frames: int


def unseen_speech(corpus: Path, items: int) -> list[CorpusItem]:
    """Items of a speech corpus that no training read.

    Raises ConfigError when the folder holds no corpus.
    """
    paths = sorted(corpus.glob("*.npz"))[::HELD_OUT_EVERY][:items]
    if not paths:
        raise ConfigError(f"no speech in {corpus}; `python -m dit speech-corpus` makes it")
    return [read_item(path) for path in paths]


def score_events(generator: MotionGenerator, items: list[CorpusItem], mode: Mode) -> LipEvents:
    """Let the generator say every item and look at its lips."""
    shut: list[bool] = []
    opened: list[bool] = []
    silent: list[bool] = []
    for item in items:
        gap = _gap_units(generate(generator, item.wave, mode))
        shut += [bool(gap[span].min() < SHUT_UNITS) for span in spans(item.phonemes, CLOSURES)]
        opened += [bool(gap[span].max() > OPEN_UNITS) for span in spans(item.phonemes, OPEN_VOWELS)]
        quiet = silent_frames(item.phonemes, len(gap))
        silent += [bool(ok) for ok in gap[quiet] < SILENT_SHUT * EYE_DISTANCE_UNITS]
    return LipEvents(
        _share(shut), _share(opened), _share(silent), len(shut), len(opened), len(silent)
    )


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


def _gap_units(motion: Motion) -> FloatArray:
    gap: FloatArray = generated_lips(motion)[:, 0] * EYE_DISTANCE_UNITS
    return gap


def _share(outcomes: list[bool]) -> float:
    return float(np.mean(outcomes)) if outcomes else float("nan")
