"""Sound files and streams into the one form the encoder takes: mono float32 at 16 kHz.

WAV, FLAC, MP3, OGG Vorbis and Opus are read by libsndfile; what it does not know (M4A, AAC, the
sound of a video) by FFmpeg through PyAV. Resampling is soxr's, the same for files and streams.
"""

from pathlib import Path

import numpy as np

from models.errors import SoundError
from models.shapes import FloatArray
from models.sound_files import MAX_RATE_HZ, MIN_RATE_HZ, open_sound
from models.timing import SAMPLE_RATE_HZ

MAX_SECONDS = 3_600.0


def read_sound(
    source: Path | str | bytes,
    max_seconds: float = MAX_SECONDS,
    out_rate_hz: int = SAMPLE_RATE_HZ,
) -> FloatArray:
    """Decode a whole file (a path, or its bytes) -> wave [N], mono, within about [-1, 1].

    N samples are at 16 kHz, or at ``out_rate_hz`` for who wants to play the sound, too.

    Raises SoundError when the file is missing, is no sound, is damaged, empty or too long.
    """
    if isinstance(source, bytes):
        data, name = source, "the sound"
    else:
        name = Path(source).name
        try:
            data = Path(source).read_bytes()
        except OSError as error:
            raise SoundError(f"cannot read {name}: {error.strerror}") from error
    file = open_sound(data, name, max_seconds)
    resampler = StreamResampler(file.rate_hz, out_rate_hz)
    parts = [resampler.push(piece) for piece in file.pieces]
    return np.concatenate([*parts, resampler.finish()])


def resample(wave: FloatArray, rate_hz: int, out_rate_hz: int = SAMPLE_RATE_HZ) -> FloatArray:
    """A whole wave [n] at ``rate_hz`` -> [N] at 16 kHz or ``out_rate_hz``."""
    if rate_hz == out_rate_hz:
        return wave.astype(np.float32, copy=False)
    import soxr

    resampled: FloatArray = soxr.resample(wave.astype(np.float32), rate_hz, out_rate_hz)
    return resampled


class StreamResampler:
    """Resamples a voice that arrives in packets of any size, to 16 kHz or ``out_rate``.

    The output equals that of one big packet. A few milliseconds stay inside until ``finish``.
    Raises SoundError for a rate outside 4 to 384 kHz.
    """

    def __init__(self, in_rate: int, out_rate: int = SAMPLE_RATE_HZ) -> None:
        if not MIN_RATE_HZ <= in_rate <= MAX_RATE_HZ:
            raise SoundError(
                f"sample rate {in_rate} Hz; accepted: {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz"
            )
        self.in_rate = in_rate
        self._stream = None
        if in_rate != out_rate:
            import soxr

            self._stream = soxr.ResampleStream(in_rate, out_rate, 1, dtype="float32")

    def push(self, samples: FloatArray) -> FloatArray:
        """Samples [n] at ``in_rate`` -> those [m] at ``out_rate`` that they complete, if any."""
        return self._run(samples, last=False)

    def finish(self) -> FloatArray:
        """The tail [m] that was still inside; nothing may be pushed afterwards."""
        return self._run(np.zeros(0, np.float32), last=True)

    def _run(self, samples: FloatArray, *, last: bool) -> FloatArray:
        samples = np.ascontiguousarray(samples, np.float32)
        if samples.ndim != 1:
            raise SoundError(f"samples have shape {samples.shape}; accepted: one channel [n]")
        if self._stream is None:
            return samples
        resampled: FloatArray = self._stream.resample_chunk(samples, last=last)
        return resampled
