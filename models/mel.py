"""Mel bands of a voice, one row per picture frame: how loud each part of the spectrum is.

Bands as in O'Shaughnessy, "Speech Communication" (1987): mel = 2595 log10(1 + f / 700).
"""

from functools import cache

import numpy as np

from models.shapes import FloatArray
from models.speech import frame_count
from models.timing import SAMPLE_RATE_HZ, SAMPLES_PER_FRAME

MEL_BANDS = 26
LOWEST_HZ, HIGHEST_HZ = 60.0, 7600.0
FFT_SAMPLES = 1024  # 64 ms around the frame's centre
MEL_FLOOR_DB = -90.0


def mel_db(wave: FloatArray) -> FloatArray:
    """Band energies in dB [T, 26] of every frame that ``wave`` [N] touches; zeros around it.

    A full-scale sine gives about 0 in its band.
    """
    frames = frame_count(len(wave))
    side = (FFT_SAMPLES - SAMPLES_PER_FRAME) // 2
    padded = np.zeros(frames * SAMPLES_PER_FRAME + 2 * side, np.float32)
    padded[side : side + len(wave)] = wave
    pieces = np.lib.stride_tricks.sliding_window_view(padded, FFT_SAMPLES)[::SAMPLES_PER_FRAME]
    window = np.hanning(FFT_SAMPLES).astype(np.float32)
    spectrum = np.fft.rfft(pieces[:frames] * window, axis=1) / (window.sum() / 2)
    energy = (np.abs(spectrum) ** 2) @ _filters()
    level = 10.0 * np.log10(np.maximum(energy, 10.0 ** (MEL_FLOOR_DB / 10.0)))
    return np.asarray(level, np.float32)


@cache
def _filters() -> FloatArray:
    """Triangles [F, 26] over the spectrum's lines, evenly spaced in mel, peaks of 1."""
    mel = np.linspace(_mel(LOWEST_HZ), _mel(HIGHEST_HZ), MEL_BANDS + 2)
    edges = 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
    lines = np.arange(FFT_SAMPLES // 2 + 1)[:, None] * (SAMPLE_RATE_HZ / FFT_SAMPLES)
    rise = (lines - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - lines) / (edges[2:] - edges[1:-1])
    return np.asarray(np.maximum(0.0, np.minimum(rise, fall)), np.float32)


def _mel(hz: float) -> float:
    return float(2595.0 * np.log10(1.0 + hz / 700.0))
