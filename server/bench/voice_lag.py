"""How long the microphone's sound takes until it comes back."""

import numpy as np

from models.shapes import AnyArray, PcmArray
from server.bench.measured_peer import MeasuredPeer
from server.voice.media_time import PACKET_MS, PLAYOUT_RATE_HZ, to_ms

WINDOW_MS = 2000
MAX_LAG_MS = 2000
_STEP = PLAYOUT_RATE_HZ // 1000  # envelopes at 1 kHz
_LEAST_R = 0.8  # below it a window is mostly pause and tells nothing


def voice_lags_ms(peer: MeasuredPeer) -> list[float]:
    """From a microphone's packet leaving to the same sound arriving, window by window."""
    starts = [start for start, _ in peer.sounds[:: WINDOW_MS // PACKET_MS]]
    sound = peer.sound()
    return [lag for start in starts if (lag := _lag_ms(peer, sound, start)) is not None]


def _lag_ms(peer: MeasuredPeer, sound: PcmArray, start: int) -> float | None:
    """Of the sound that begins ``start`` samples after the first."""
    microphone, arrived = peer.microphone, peer.sound_arrival(start)
    if microphone is None or arrived is None or microphone.first_left_at is None:
        return None
    heard = sound[start : start + WINDOW_MS * _STEP]
    earliest = arrived - MAX_LAG_MS / 1000
    if len(heard) < WINDOW_MS * _STEP or earliest < microphone.first_left_at:
        return None
    said = microphone.said(earliest, (MAX_LAG_MS + WINDOW_MS) * _STEP)
    scores = correlations(envelope(said), envelope(heard))
    best = int(np.argmax(scores))
    return None if scores[best] < _LEAST_R else float(MAX_LAG_MS - best)


def correlations(long: AnyArray, short: AnyArray) -> AnyArray:
    """Pearson r of ``short`` [m] with every stretch of ``long`` [n] -> [n - m + 1]."""
    stretches = np.lib.stride_tricks.sliding_window_view(long, len(short))
    spread = stretches.std(axis=1)
    centred = short - short.mean()
    products = stretches @ centred / len(short)
    r: AnyArray = products / np.maximum(spread * short.std(), 1e-9)
    return r


def envelope(wave: AnyArray) -> AnyArray:
    """Log level [n / 48] at 1 kHz of sound [n] at 48 kHz."""
    whole = wave[: len(wave) // _STEP * _STEP].reshape(-1, _STEP).astype(np.float64)
    levels: AnyArray = np.log1p(np.sqrt(np.mean(whole**2, axis=1)))
    return levels


assert to_ms(_STEP) == 1
