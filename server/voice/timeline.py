"""The one continuous voice of a session, kept from the playout point to the newest sample."""

import numpy as np

from models.shapes import FloatArray, PcmArray
from server.voice.downsample import MARGIN_SAMPLES, encoder_block
from server.voice.media_time import PACKET_SAMPLES, SAMPLES_PER_PICTURE

_HISTORY_SAMPLES = 25 * SAMPLES_PER_PICTURE  # kept behind the reader before it is thrown away


class VoiceTimeline:
    """Samples at 48 kHz, int16, at absolute positions; what was never written reads as silence.

    ``written`` is where the next sample goes. ``next_blocks`` hands every 20 ms on to the encoder
    exactly once, unless the timeline is truncated below it.
    """

    def __init__(self) -> None:
        self.written = 0
        self._start = 0
        self._samples: PcmArray = np.zeros(0, np.int16)  # [written - start]
        self._encoded_packets = 0

    def write(self, pcm: PcmArray) -> None:
        """Append [n] samples."""
        self._samples = np.concatenate([self._samples, pcm])
        self.written += len(pcm)

    def write_silence(self, samples: int) -> None:
        """Append ``samples`` zeros."""
        self.write(np.zeros(samples, np.int16))

    def read(self, position: int, samples: int) -> PcmArray:
        """The voice [samples] from ``position`` on, zeros where there is none."""
        voice = np.zeros(samples, np.int16)
        first = max(position, self._start)
        last = min(position + samples, self.written)
        if last > first:
            voice[first - position : last - position] = self._samples[
                first - self._start : last - self._start
            ]
        return voice

    def truncate(self, position: int) -> None:
        """Forget the voice from ``position`` on; what is written next continues from there."""
        if position > self.written:
            self.write_silence(position - self.written)
        self._samples = self._samples[: max(0, position - self._start)]
        self.written = position
        self.encode_again_from(position)

    def encode_again_from(self, position: int) -> None:
        """Hand the voice from ``position`` (a whole packet) on to the encoder once more."""
        if position % PACKET_SAMPLES:
            raise ValueError(f"position {position} is not at the edge of a packet")
        self._encoded_packets = min(self._encoded_packets, position // PACKET_SAMPLES)

    def skip_encoding_to(self, position: int) -> None:
        """Leave the voice before ``position`` (a whole packet) out of the encoder's."""
        self._encoded_packets = position // PACKET_SAMPLES

    def silence_from(self, position: int, fade_samples: int) -> None:
        """Turn what is written from ``position`` on into silence, after a short fade."""
        first = max(0, position - self._start)
        tail = self._samples[first:].astype(np.float32)
        ramp = np.zeros(len(tail), np.float32)
        ramp[:fade_samples] = np.linspace(1.0, 0.0, fade_samples, dtype=np.float32)[: len(tail)]
        self._samples = np.concatenate([self._samples[:first], (tail * ramp).astype(np.int16)])

    def next_blocks(self) -> FloatArray:
        """The voice [m] at 16 kHz that became complete since the last call; m is 320 a packet."""
        blocks: list[FloatArray] = []
        while (self._encoded_packets + 1) * PACKET_SAMPLES + MARGIN_SAMPLES <= self.written:
            start = self._encoded_packets * PACKET_SAMPLES - MARGIN_SAMPLES
            blocks.append(encoder_block(self.read(start, PACKET_SAMPLES + 2 * MARGIN_SAMPLES)))
            self._encoded_packets += 1
        return np.concatenate(blocks) if blocks else np.zeros(0, np.float32)

    def forget_before(self, position: int) -> None:
        """Free what lies well before ``position``."""
        stale = position - _HISTORY_SAMPLES - self._start
        if stale > _HISTORY_SAMPLES:
            self._samples = self._samples[stale:].copy()
            self._start += stale
