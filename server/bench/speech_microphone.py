"""A microphone that plays a speech in real time and remembers when each packet left.

The speech is encoded beforehand: the measuring client takes little of the machine it measures.
"""

import asyncio
import time

import numpy as np
from aiortc import MediaStreamTrack
from av import Packet

from models.shapes import FloatArray, PcmArray
from server.encoding.opus import TIME_BASE, OpusEncoder
from server.voice.media_time import PACKET_SAMPLES, PLAYOUT_RATE_HZ
from server.webrtc.tracks import audio_frame


class SpeechMicrophone(MediaStreamTrack):  # type: ignore[misc]  # aiortc has no types here
    """Plays a wave [n] at 48 kHz again and again."""

    kind = "audio"

    def __init__(self, wave: FloatArray) -> None:
        super().__init__()
        pcm = (np.clip(wave, -1, 1) * 32767).astype(np.int16)
        self.pcm: PcmArray = pcm[: len(pcm) // PACKET_SAMPLES * PACKET_SAMPLES]
        encoder = OpusEncoder()
        self._encoded = [
            bytes(encoder.encode(audio_frame(self.pcm[at : at + PACKET_SAMPLES], at)))
            for at in range(0, len(self.pcm), PACKET_SAMPLES)
        ]
        self.first_left_at: float | None = None
        self._packets = 0

    async def recv(self) -> Packet:
        """The next 20 ms, when they are due."""
        if self.first_left_at is None:
            self.first_left_at = time.monotonic()
        due = self.first_left_at + self._packets * PACKET_SAMPLES / PLAYOUT_RATE_HZ
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        packet = Packet(self._encoded[self._packets % len(self._encoded)])
        packet.pts, packet.time_base = self._packets * PACKET_SAMPLES, TIME_BASE
        self._packets += 1
        return packet

    def said(self, left_from: float, samples: int) -> PcmArray:
        """The samples [n] that left from a moment of ``time.monotonic`` on."""
        assert self.first_left_at is not None
        first = round((left_from - self.first_left_at) * PLAYOUT_RATE_HZ)
        return self.pcm[np.arange(first, first + samples) % len(self.pcm)]
