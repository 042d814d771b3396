"""Sound files piece by piece, so that a small file that claims hours cannot fill the memory."""

import io
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from models.containers import HEAD_BYTES, demuxer_of
from models.errors import SoundError
from models.shapes import FloatArray

ACCEPTED = "WAV, FLAC, MP3, OGG, Opus or M4A"
MAX_CHANNELS = 8
MIN_RATE_HZ, MAX_RATE_HZ = 4_000, 384_000
MAX_DECODING_S = 60.0
_PIECE_SAMPLES = 65_536
_UNKNOWN_FRAMES = 1 << 62  # libsndfile cannot read to the end of those


@dataclass(frozen=True, slots=True)
class SoundFile:
    """``pieces`` are mono [n] at ``rate_hz``; they are decoded as they are asked for."""

    rate_hz: int
    pieces: Iterator[FloatArray]


def open_sound(
    data: bytes, name: str, max_seconds: float, now: Callable[[], float] = time.monotonic
) -> SoundFile:
    """Look at a file's header. Raises SoundError, and so may each piece."""
    demuxer = demuxer_of(data[:HEAD_BYTES])
    if demuxer is None:
        raise _no_sound(name)
    file = _open_libsndfile(data, name, max_seconds) or _open_ffmpeg(data, name, demuxer)
    return SoundFile(file.rate_hz, _within(file, name, max_seconds, now))


def _within(
    file: SoundFile, name: str, max_seconds: float, now: Callable[[], float]
) -> Iterator[FloatArray]:
    """The pieces, as long as they are finite, and neither too many nor too slow."""
    give_up_at = now() + MAX_DECODING_S
    length = 0
    for piece in file.pieces:
        length += piece.size
        if length > max_seconds * file.rate_hz:
            raise _too_long(name, max_seconds)
        if not np.isfinite(piece).all():
            raise SoundError(f"{name} holds samples that are not finite numbers")
        if now() > give_up_at:
            raise SoundError(f"{name} takes longer than {MAX_DECODING_S:g} s to decode")
        yield piece
    if length == 0:
        raise SoundError(f"{name} holds no sound; accepted: {ACCEPTED} with at least one sample")


def _open_libsndfile(data: bytes, name: str, max_seconds: float) -> SoundFile | None:
    """None for what it does not know, and for streams whose length the header does not tell."""
    import soundfile

    try:
        file = soundfile.SoundFile(io.BytesIO(data))
    except (soundfile.SoundFileError, RuntimeError):
        return None
    if file.frames >= _UNKNOWN_FRAMES:
        file.close()
        return None
    _check_form(name, int(file.samplerate), int(file.channels))
    if file.frames > max_seconds * file.samplerate:
        raise _too_long(name, max_seconds)

    def pieces() -> Iterator[FloatArray]:
        with file:
            while True:
                try:
                    piece = file.read(_PIECE_SAMPLES, dtype="float32", always_2d=True)
                except (soundfile.SoundFileError, RuntimeError) as error:
                    raise _no_sound(name) from error
                if len(piece) == 0:
                    return
                yield piece.mean(axis=1, dtype=np.float32)

    return SoundFile(int(file.samplerate), pieces())


def _open_ffmpeg(data: bytes, name: str, demuxer: str) -> SoundFile:
    """What libsndfile does not know. Raises SoundError when it is no sound."""
    import av

    damaged = (av.error.FFmpegError, ValueError)
    try:
        container = av.open(io.BytesIO(data), format=demuxer, metadata_errors="ignore")
    except damaged as error:
        raise _no_sound(name) from error
    if not container.streams.audio:
        container.close()
        raise SoundError(f"{name} has no sound track; accepted: {ACCEPTED}")
    stream = container.streams.audio[0]
    rate_hz = int(stream.codec_context.sample_rate or 0)
    try:
        _check_form(name, rate_hz, int(stream.codec_context.channels))
    except SoundError:
        container.close()
        raise

    def pieces() -> Iterator[FloatArray]:
        mono = av.AudioResampler(format="flt", layout="mono", rate=rate_hz)
        with container:
            try:
                for frame in container.decode(stream):
                    for piece in mono.resample(frame):
                        yield piece.to_ndarray().reshape(-1)
                for piece in mono.resample(None):
                    yield piece.to_ndarray().reshape(-1)
            except damaged as error:
                raise _no_sound(name) from error

    return SoundFile(rate_hz, pieces())


def _check_form(name: str, rate_hz: int, channels: int) -> None:
    """Told by the header, before anything is decoded."""
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise SoundError(
            f"{name} has a sample rate of {rate_hz} Hz; accepted: {MIN_RATE_HZ} to {MAX_RATE_HZ}"
        )
    if not 1 <= channels <= MAX_CHANNELS:
        raise SoundError(f"{name} has {channels} channels; accepted: 1 to {MAX_CHANNELS}")


def _no_sound(name: str) -> SoundError:
    return SoundError(f"{name} is no sound that can be read; accepted: {ACCEPTED}")


def _too_long(name: str, max_seconds: float) -> SoundError:
    return SoundError(f"{name} is longer than {max_seconds:g} s")
