"""Voices for tests: recorded, synthesised, and what only sounds like one."""

from functools import cache

import numpy as np

from models.shapes import PcmArray
from models.sound import read_sound
from server.voice.media_time import PLAYOUT_RATE_HZ
from server.voice.pcm import to_pcm
from tests.conftest import ROOT


@cache
def hello() -> PcmArray:
    """A recorded voice [n] int16 at 48 kHz."""
    data = (ROOT / "client" / "web" / "samples" / "hello.wav").read_bytes()
    return to_pcm(read_sound(data, max_seconds=60, out_rate_hz=PLAYOUT_RATE_HZ))


@cache
def synthesised(text: str = "I would like to ask you something about the weather.") -> PcmArray:
    """Hibari's voice [n] int16 at 48 kHz, the same each time."""
    import soxr
    from hibari import Hibari

    wave = Hibari()(text, seed=7)
    return to_pcm(soxr.resample(wave, 24_000, PLAYOUT_RATE_HZ))


def noise(seconds: float, level_dbfs: float, seed: int = 1) -> PcmArray:
    """White noise [n] int16 at 48 kHz."""
    wave = np.random.default_rng(seed).standard_normal(int(seconds * PLAYOUT_RATE_HZ))
    return to_pcm((wave * 10 ** (level_dbfs / 20)).astype(np.float32))


def mixed(*voices: PcmArray) -> PcmArray:
    """Their sum [n], as long as the longest."""
    total = np.zeros(max(len(voice) for voice in voices), np.int64)
    for voice in voices:
        total[: len(voice)] += voice
    return np.clip(total, -32768, 32767).astype(np.int16)
