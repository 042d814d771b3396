"""A microphone that plays a speech in real time and remembers when each packet left."""

import asyncio
import time
from fractions import Fraction

import numpy as np
from aiortc import MediaStreamTrack
from av import AudioFrame

from models.shapes import FloatArray, PcmArray
from server.voice.media_time import PACKET_SAMPLES, PLAYOUT_RATE_HZ


class SpeechMicrophone(MediaStreamTrack):  # type: ignore[misc]  # aiortc has no types here
    """Plays a wave [n] at 48 kHz again and again."""

    kind = "audio"

    def __init__(self, wave: FloatArray) -> None:
        super().__init__()
        pcm = (np.clip(wave, -1, 1) * 32767).astype(np.int16)
        self.pcm: PcmArray = pcm[: len(pcm) // PACKET_SAMPLES * PACKET_SAMPLES]
        self.first_left_at: float | None = None
        self._packets = 0

    async def recv(self) -> AudioFrame:
        """The next 20 ms, when they are due."""
        if self.first_left_at is None:
            self.first_left_at = time.monotonic()
        due = self.first_left_at + self._packets * PACKET_SAMPLES / PLAYOUT_RATE_HZ
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        start = self._packets * PACKET_SAMPLES % len(self.pcm)
        samples = self.pcm[None, start : start + PACKET_SAMPLES]
        frame = AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate, frame.time_base = PLAYOUT_RATE_HZ, Fraction(1, PLAYOUT_RATE_HZ)
        frame.pts = self._packets * PACKET_SAMPLES
        self._packets += 1
        return frame

    def said(self, left_from: float, samples: int) -> PcmArray:
        """The samples [n] that left from a moment of ``time.monotonic`` on."""
        assert self.first_left_at is not None
        first = round((left_from - self.first_left_at) * PLAYOUT_RATE_HZ)
        return self.pcm[np.arange(first, first + samples) % len(self.pcm)]
