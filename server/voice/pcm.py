"""Samples as the timeline holds them: int16, mono, 48 kHz."""

import numpy as np

from models.shapes import FloatArray, PcmArray


def to_pcm(wave: FloatArray) -> PcmArray:
    """[-1, 1] float [n] -> int16 [n]; louder is clipped."""
    pcm: PcmArray = np.round(np.clip(wave, -1.0, 32767 / 32768) * 32768).astype(np.int16)
    return pcm
