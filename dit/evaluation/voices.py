"""Voices to judge by, and the motion that a generator makes of them."""

from itertools import cycle

import numpy as np

from dit.controls import MotionControls
from dit.generator import Mode, MotionGenerator
from models.motion import Motion, concatenate
from models.shapes import FloatArray
from models.timing import SAMPLE_RATE_HZ

SEED = 7


def generate(generator: MotionGenerator, wave: FloatArray, mode: Mode) -> Motion:
    """Motion for a whole voice [N], as a session makes it with default controls."""
    stream = generator.start(mode=mode, seed=SEED, controls=MotionControls())
    return concatenate([stream.push(wave), stream.finish()])


def long_voice(voices: list[FloatArray], minutes: float) -> FloatArray:
    """Voices one after the other, again and again, for some minutes: [N]."""
    wanted = round(minutes * 60 * SAMPLE_RATE_HZ)
    parts: list[FloatArray] = []
    total = 0
    for voice in cycle(voices):
        if total >= wanted or not len(voice):
            break
        parts.append(voice)
        total += len(voice)
    return np.concatenate([np.zeros(0, np.float32), *parts])[:wanted].astype(np.float32)
