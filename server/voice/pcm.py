"""Samples as the timeline holds them: int16, mono, 48 kHz; and the way there from other rates."""

import numpy as np
import soxr

from models.shapes import FloatArray, PcmArray
from server.voice.media_time import PLAYOUT_RATE_HZ


def to_pcm(wave: FloatArray) -> PcmArray:
    """[-1, 1] float [n] -> int16 [n]; louder is clipped."""
    pcm: PcmArray = np.round(np.clip(wave, -1.0, 32767 / 32768) * 32768).astype(np.int16)
    return pcm


class PcmConverter:
    """PCM16LE bytes in pieces of any length, even odd, at a fixed rate -> int16 at 48 kHz."""

    def __init__(self, rate_hz: int) -> None:
        self._half = b""  # the first byte of a sample that was cut in two
        self._stream: soxr.ResampleStream | None = None
        if rate_hz != PLAYOUT_RATE_HZ:
            # float inside: soxr dithers int16, and then packets of other sizes sound otherwise
            self._stream = soxr.ResampleStream(rate_hz, PLAYOUT_RATE_HZ, 1, dtype="float32")

    def push(self, data: bytes) -> PcmArray:
        """The samples [n] that these bytes complete."""
        data = self._half + data
        whole = len(data) // 2 * 2
        self._half = data[whole:]
        return self._resampled(np.frombuffer(data[:whole], "<i2").astype(np.int16), last=False)

    def finish(self) -> PcmArray:
        """What was still inside."""
        return self._resampled(np.zeros(0, np.int16), last=True)

    def _resampled(self, pcm: PcmArray, *, last: bool) -> PcmArray:
        if self._stream is None:
            return pcm
        wave = self._stream.resample_chunk(pcm.astype(np.float32), last=last)
        converted: PcmArray = np.clip(np.round(wave), -32768, 32767).astype(np.int16)
        return converted
