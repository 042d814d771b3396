"""What people notice first: /p b m/ must shut the lips, open vowels open them, silence keep them.

Counted on synthetic speech that was not trained on, because there every sound's time is known.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dit.evaluation.lips import generated_lips
from dit.evaluation.voices import generate
from dit.generator import Mode, MotionGenerator
from dit.lip_events import (
    CLOSURES,
    EYE_DISTANCE_UNITS,
    OPEN_UNITS,
    OPEN_VOWELS,
    SHUT_UNITS,
    SILENT_SHUT,
    silent_frames,
    spans,
)
from dit.speech_corpus import CorpusItem, is_held_out_item, read_item
from models.errors import ConfigError
from models.motion import Motion
from models.shapes import FloatArray


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
    paths = [p for p in sorted(corpus.glob("*.npz")) if is_held_out_item(p.stem)][:items]
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


def _gap_units(motion: Motion) -> FloatArray:
    gap: FloatArray = generated_lips(motion)[:, 0] * EYE_DISTANCE_UNITS
    return gap


def _share(outcomes: list[bool]) -> float:
    return float(np.mean(outcomes)) if outcomes else float("nan")
