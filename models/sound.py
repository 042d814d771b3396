"""Sound files and streams into the one form the encoder takes: mono float32 at 16 kHz.

WAV, FLAC, MP3, OGG Vorbis and Opus are read by libsndfile; what it does not know (M4A, AAC, the
sound of a video) by FFmpeg through PyAV. Resampling is soxr's, the same for files and streams.
"""

import io
from pathlib import Path

import numpy as np

from models.errors import SoundError
from models.shapes import FloatArray
from models.timing import SAMPLE_RATE_HZ

ACCEPTED = "WAV, FLAC, MP3, OGG, Opus or M4A"
MIN_RATE_HZ, MAX_RATE_HZ = 4_000, 384_000
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
    wave, rate_hz = _decode(data, name, max_seconds)
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise SoundError(
            f"{name} has a sample rate of {rate_hz} Hz; accepted: {MIN_RATE_HZ} to {MAX_RATE_HZ}"
        )
    if wave.size == 0:
        raise SoundError(f"{name} holds no sound; accepted: {ACCEPTED} with at least one sample")
    if wave.size > max_seconds * rate_hz:
        raise SoundError(f"{name} is longer than {max_seconds:g} s")
    if not np.isfinite(wave).all():
        raise SoundError(f"{name} holds samples that are not finite numbers")
    return resample(wave, rate_hz, out_rate_hz)


def resample(wave: FloatArray, rate_hz: int, out_rate_hz: int = SAMPLE_RATE_HZ) -> FloatArray:
    """A whole wave [n] at ``rate_hz`` -> [N] at 16 kHz or ``out_rate_hz``."""
    if rate_hz == out_rate_hz:
        return wave.astype(np.float32, copy=False)
    import soxr

    resampled: FloatArray = soxr.resample(wave.astype(np.float32), rate_hz, out_rate_hz)
    return resampled


class StreamResampler:
    """Resamples a voice that arrives in packets of any size.

    The output equals that of one big packet. A few milliseconds stay inside until ``finish``.
    Raises SoundError for a rate outside 4 to 384 kHz.
    """

    def __init__(self, in_rate: int) -> None:
        if not MIN_RATE_HZ <= in_rate <= MAX_RATE_HZ:
            raise SoundError(
                f"sample rate {in_rate} Hz; accepted: {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz"
            )
        self.in_rate = in_rate
        self._stream = None
        if in_rate != SAMPLE_RATE_HZ:
            import soxr

            self._stream = soxr.ResampleStream(in_rate, SAMPLE_RATE_HZ, 1, dtype="float32")

    def push(self, samples: FloatArray) -> FloatArray:
        """Samples [n] at ``in_rate`` -> those [m] at 16 kHz that they complete (m may be 0)."""
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


def _decode(data: bytes, name: str, max_seconds: float) -> tuple[FloatArray, int]:
    """File bytes -> (mono wave [n], its rate in Hz)."""
    import soundfile

    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            # told by the header, so that a huge file is refused before it fills the memory
            if file.frames > max_seconds * file.samplerate:
                raise SoundError(f"{name} is longer than {max_seconds:g} s")
            channels = file.read(dtype="float32", always_2d=True)  # [n, channels]
            return channels.mean(axis=1, dtype=np.float32), int(file.samplerate)
    except (soundfile.SoundFileError, RuntimeError):
        return _decode_ffmpeg(data, name, max_seconds)


def _decode_ffmpeg(data: bytes, name: str, max_seconds: float) -> tuple[FloatArray, int]:
    """What libsndfile does not know, through FFmpeg. Raises SoundError when it is no sound."""
    import av

    try:
        with av.open(io.BytesIO(data), metadata_errors="ignore") as container:
            if not container.streams.audio:
                raise SoundError(f"{name} has no sound track; accepted: {ACCEPTED}")
            stream = container.streams.audio[0]
            rate_hz = int(stream.codec_context.sample_rate)
            mono = av.AudioResampler(format="flt", layout="mono", rate=rate_hz)
            parts: list[FloatArray] = []
            length = 0
            for packet in container.decode(stream):
                for frame in mono.resample(packet):
                    parts.append(frame.to_ndarray().reshape(-1))
                    length += parts[-1].size
                if length > max_seconds * rate_hz:
                    raise SoundError(f"{name} is longer than {max_seconds:g} s")
            parts += [frame.to_ndarray().reshape(-1) for frame in mono.resample(None)]
    except (av.error.FFmpegError, ValueError) as error:
        raise SoundError(f"{name} is no sound that can be read; accepted: {ACCEPTED}") from error
    return np.concatenate([np.zeros(0, np.float32), *parts]), rate_hz
