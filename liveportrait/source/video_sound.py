"""The sound that accompanies a video, from another file."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from models.containers import demuxer_of_file
from models.errors import ConfigError, SoundError
from models.mp4 import AAC_RATES_HZ
from models.shapes import FloatArray

_RATE_HZ = 48_000  # for rates that AAC does not have


@dataclass(frozen=True, slots=True)
class VideoSound:
    """The sound track of a file: its rate and layout ("mono" or "stereo") once decoded."""

    path: Path
    rate_hz: int
    layout: str

    @classmethod
    def of(cls, path: Path) -> Self | None:
        """None when the file has no sound track. Raises ConfigError or SoundError."""
        import av

        try:
            demuxer = demuxer_of_file(path)
        except OSError as error:
            raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
        if demuxer is None:
            raise SoundError(f"{path} has no sound that can be read")
        try:
            with av.open(str(path), format=demuxer, metadata_errors="ignore") as container:
                if not container.streams.audio:
                    return None
                codec: Any = container.streams.audio[0].codec_context
                rate_hz = codec.sample_rate if codec.sample_rate in AAC_RATES_HZ else _RATE_HZ
                return cls(path, rate_hz, "mono" if codec.channels == 1 else "stereo")
        except (av.error.FFmpegError, ValueError) as error:
            raise SoundError(f"{path} has no sound that can be read") from error

    def chunks(self) -> Iterator[FloatArray]:
        """Pieces [channels, n] of the wave, from the moment of the first picture on.

        Where the track is damaged it ends: a finished picture is worth more than its last sound.
        """
        import av

        demuxer = demuxer_of_file(self.path)
        with av.open(str(self.path), format=demuxer, metadata_errors="ignore") as container:
            stream: Any = container.streams.audio[0]
            to_wave = av.AudioResampler("fltp", self.layout, self.rate_hz)
            ahead: int | None = None  # samples to drop before the first picture
            try:
                for frame in container.decode(stream):
                    if ahead is None:
                        ahead = round(
                            (_video_start_s(container) - (frame.time or 0)) * self.rate_hz
                        )
                        if ahead < 0:
                            yield np.zeros((_channels(self.layout), -ahead), np.float32)
                    for piece in to_wave.resample(frame):
                        wave: FloatArray = piece.to_ndarray()
                        if ahead > 0:
                            dropped = min(ahead, wave.shape[1])
                            wave, ahead = wave[:, dropped:], ahead - dropped
                        yield wave
            except av.error.FFmpegError:
                return
            for piece in to_wave.resample(None):
                yield piece.to_ndarray()


def _video_start_s(container: Any) -> float:
    for stream in container.streams.video:
        if stream.start_time is not None:
            return float(stream.start_time * stream.time_base)
    return 0.0


def _channels(layout: str) -> int:
    return 1 if layout == "mono" else 2
