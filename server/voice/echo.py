"""Does the microphone hear the user, or the avatar's own voice from the user's loudspeakers?

Browsers cancel echo, other clients may not. What was played and what the microphone hears are
compared as loudness in a few bands over time: an echo follows the played voice at some delay in
all bands at once, whatever the room and the loudspeaker do to its colour; another voice does not.
"""

import itertools

import numpy as np

from models.shapes import FloatArray, PcmArray
from server.voice.media_time import PACKET_MS, PACKET_SAMPLES, PLAYOUT_RATE_HZ

COMPARED_PACKETS = 320 // PACKET_MS
MAX_DELAY_PACKETS = 1_000 // PACKET_MS  # network both ways, buffers, loudspeaker, room
ECHO_CORRELATION = 0.7
_BAND_EDGES_HZ = (150, 300, 500, 800, 1_200, 1_800, 2_700, 4_000, 6_000)
_FLOOR_DB = -70.0


class EchoGuard:
    """Remembers a second of both sides. One call each per 20 ms."""

    def __init__(self) -> None:
        self._played: FloatArray = np.full(
            (MAX_DELAY_PACKETS + COMPARED_PACKETS, len(_BANDS)), _FLOOR_DB, np.float32
        )
        self._heard = self._played[:COMPARED_PACKETS].copy()

    def played(self, packet: PcmArray) -> None:
        """One packet [960] of what the client is sent."""
        self._played = np.concatenate([self._played[1:], band_levels(packet)[None]])

    def heard(self, packet: PcmArray) -> None:
        """One packet [960] of the microphone."""
        self._heard = np.concatenate([self._heard[1:], band_levels(packet)[None]])

    def likeness(self) -> float:
        """The highest correlation of the last 320 ms of the microphone with what was played up to
        a second before; about 0.9 for an echo, about 0.3 for somebody else."""
        windows = np.lib.stride_tricks.sliding_window_view(
            self._played, COMPARED_PACKETS, axis=0
        ).transpose(0, 2, 1)
        played = windows - windows.mean(axis=1, keepdims=True)
        heard = self._heard - self._heard.mean(axis=0)
        together = (played * heard).sum(axis=(1, 2))
        power = np.sqrt((played**2).sum(axis=(1, 2)) * (heard**2).sum())
        return float(np.max(together / np.maximum(power, 1.0)))

    @property
    def is_echo(self) -> bool:
        """What the microphone hears is most likely the avatar."""
        return self.likeness() >= ECHO_CORRELATION


def _band_bins() -> list[slice]:
    edges = np.round(np.array(_BAND_EDGES_HZ) * PACKET_SAMPLES / PLAYOUT_RATE_HZ).astype(int)
    return [slice(int(low), int(high)) for low, high in itertools.pairwise(edges)]


_BANDS = _band_bins()
_WINDOW = np.hanning(PACKET_SAMPLES).astype(np.float32)


def band_levels(packet: PcmArray) -> FloatArray:
    """Level in dB of each band [8] of one packet [960], at least -70."""
    spectrum = np.abs(np.fft.rfft(packet.astype(np.float32) / 32768.0 * _WINDOW)) / PACKET_SAMPLES
    power = np.array([np.sum(spectrum[band] ** 2) for band in _BANDS], np.float32)
    levels: FloatArray = (10 * np.log10(np.maximum(power, 1e-9))).astype(np.float32)
    return np.maximum(levels, np.float32(_FLOOR_DB))
