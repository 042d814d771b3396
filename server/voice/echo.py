"""Does the microphone hear the user, or the avatar's own voice from the user's loudspeakers?

Browsers cancel echo, other clients may not. What was played and what the microphone hears are
compared as loudness in a few bands over time: an echo follows the played voice at some delay in
all bands at once, whatever the room and the loudspeaker do to its colour; another voice does not.
"""

import numpy as np

from models.shapes import FloatArray, PcmArray
from server.voice.media_time import PACKET_MS, PACKET_SAMPLES, PLAYOUT_RATE_HZ

COMPARED_PACKETS = 320 // PACKET_MS
MAX_DELAY_PACKETS = 1_000 // PACKET_MS  # network both ways, buffers, loudspeaker, room
ECHO_LIKENESS = 0.75
FAINT_DBFS = -48.0  # of 320 ms; an echo that noise covers is no longer like what was played
_BAND_EDGES_HZ = (150, 300, 500, 800, 1_200, 1_800, 2_700, 4_000, 6_000)
_FLOOR_DB = -70.0
_FLOOR_POWER = 10 ** (_FLOOR_DB / 10)


class EchoGuard:
    """Remembers a second of both sides. One call each per 20 ms."""

    def __init__(self) -> None:
        self._played: FloatArray = np.full(
            (MAX_DELAY_PACKETS + COMPARED_PACKETS, len(_BAND_EDGES_HZ) - 1), _FLOOR_DB, np.float32
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
        a second before: around 0.9 for an echo, around 0.55 for another voice."""
        windows = np.lib.stride_tricks.sliding_window_view(self._played, COMPARED_PACKETS, axis=0)
        heard = (self._heard - self._heard.mean(axis=0)).T  # [bands, packets], as each window
        together = np.tensordot(windows, heard, axes=2)
        power = np.var(windows, axis=-1).sum(axis=-1) * COMPARED_PACKETS * np.sum(heard**2)
        return float(np.max(together / np.sqrt(np.maximum(power, 1.0))))

    @property
    def is_echo(self) -> bool:
        """What the microphone hears is most likely the avatar, or too faint to tell."""
        power = float(np.mean(np.sum(10 ** (self._heard / 10), axis=1)))
        return power < _FAINT_POWER or self.likeness() >= ECHO_LIKENESS


_EDGE_BINS = np.round(np.array(_BAND_EDGES_HZ) * PACKET_SAMPLES / PLAYOUT_RATE_HZ).astype(int)
_FAINT_POWER = 10 ** (FAINT_DBFS / 10)


def _scaled_window() -> FloatArray:
    """Hann's, so that the power of all bands together is that of the sound."""
    window = np.hanning(PACKET_SAMPLES)
    scale = np.sqrt(2 / np.mean(window**2)) / PACKET_SAMPLES / 32768.0
    scaled: FloatArray = (window * scale).astype(np.float32)
    return scaled


_WINDOW = _scaled_window()


def band_levels(packet: PcmArray) -> FloatArray:
    """Level in dB of each band [8] of one packet [960], at least -70."""
    spectrum = np.fft.rfft(packet * _WINDOW)[: _EDGE_BINS[-1]]
    power = spectrum.real**2 + spectrum.imag**2
    bands = np.add.reduceat(power, _EDGE_BINS[:-1])
    levels: FloatArray = (10 * np.log10(np.maximum(bands, _FLOOR_POWER))).astype(np.float32)
    return levels
