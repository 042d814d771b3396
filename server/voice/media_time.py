"""The session's media clock: positions in samples at 48 kHz, pictures of 1920 samples each.

The encoder's voice is the same timeline at 16 kHz, so picture k belongs to the samples
``[1920 k, 1920 (k + 1))`` that are heard and to ``[640 k, 640 (k + 1))`` that are encoded.
"""

from models.timing import FPS, SAMPLE_RATE_HZ

PLAYOUT_RATE_HZ = 48_000
SAMPLES_PER_PICTURE = PLAYOUT_RATE_HZ // FPS
PACKET_MS = 20
PACKET_SAMPLES = PLAYOUT_RATE_HZ * PACKET_MS // 1000
PACKETS_PER_PICTURE = SAMPLES_PER_PICTURE // PACKET_SAMPLES
ENCODER_PACKET_SAMPLES = SAMPLE_RATE_HZ * PACKET_MS // 1000

VIDEO_CLOCK_HZ = 90_000
VIDEO_TICKS_PER_PICTURE = VIDEO_CLOCK_HZ // FPS


def to_ms(samples: int) -> int:
    """Whole milliseconds of ``samples`` at 48 kHz."""
    return samples * 1000 // PLAYOUT_RATE_HZ


def from_ms(milliseconds: float) -> int:
    """Samples at 48 kHz that ``milliseconds`` last."""
    return round(milliseconds * PLAYOUT_RATE_HZ / 1000)
