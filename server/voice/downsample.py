"""48 kHz playout voice -> the 16 kHz of the encoder, block by block and without state.

Every block is computed from its own place on the timeline, so the voice may be cut, rewound and
sent again, in packets of any size, and the encoder always sees the same samples. A streaming
resampler would carry the forgotten voice across a cut.
"""

import numpy as np

from models.shapes import FloatArray, PcmArray
from models.timing import SAMPLE_RATE_HZ
from server.voice.media_time import ENCODER_PACKET_SAMPLES, PACKET_SAMPLES, PLAYOUT_RATE_HZ

FACTOR = PLAYOUT_RATE_HZ // SAMPLE_RATE_HZ
MARGIN_SAMPLES = 48  # voice a block needs on either side of itself: 1 ms
_CUTOFF_HZ = 7_600.0
_KAISER_BETA = 6.2  # about 65 dB of stop band


def _low_pass() -> FloatArray:
    """Windowed-sinc taps [2 MARGIN_SAMPLES + 1] of unit gain, scaled for int16 -> [-1, 1)."""
    places = np.arange(-MARGIN_SAMPLES, MARGIN_SAMPLES + 1)
    taps = np.sinc(2 * _CUTOFF_HZ / PLAYOUT_RATE_HZ * places)
    taps *= np.kaiser(len(places), _KAISER_BETA)
    scaled: FloatArray = (taps / taps.sum() / 32768.0).astype(np.float32)
    return scaled


_TAPS = _low_pass()
_PHASES = [np.ascontiguousarray(_TAPS[phase::FACTOR]) for phase in range(FACTOR)]


def encoder_block(voice: PcmArray) -> FloatArray:
    """One packet of voice with its margins [48 + 960 + 48] int16 -> [320] float32 at 16 kHz.

    Raises ValueError for any other length.
    """
    if voice.shape != (PACKET_SAMPLES + 2 * MARGIN_SAMPLES,):
        raise ValueError(f"a block needs {PACKET_SAMPLES} samples and two margins: {voice.shape}")
    samples = voice.astype(np.float32)
    # phase by phase: only every FACTOR-th value of the whole convolution is needed
    parts = [
        np.correlate(samples[phase::FACTOR], taps)[:ENCODER_PACKET_SAMPLES]
        for phase, taps in enumerate(_PHASES)
    ]
    block: FloatArray = np.sum(parts, axis=0)
    return block
