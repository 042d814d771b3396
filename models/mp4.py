"""MP4 files as every browser plays them: H264 (yuv420p) with AAC."""

from collections.abc import Mapping
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from models.errors import ConfigError
from models.shapes import FloatArray

CRF = 18  # visually lossless
THREADS = 2
AAC_RATES_HZ = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
_H264_OPTIONS: Mapping[str, str] = {"preset": "veryfast", "crf": str(CRF)}
_AAC_BITS_PER_S = 160_000
_AAC_SAMPLES = 1024  # of a packet
_BT601, _LIMITED_RANGE = 6, 1  # FFmpeg's names for what OpenCV's RGB -> I420 makes


class Mp4Writer:
    """A context manager; a file that was not finished is removed.

    ``size``: width and height, both even. ``sound``: rate in Hz and layout ("mono", "stereo"),
    or None for a file without sound. Raises ConfigError for an odd size or a file that cannot be
    written.
    """

    def __init__(
        self,
        path: Path,
        size: tuple[int, int],
        fps: Fraction | int,
        sound: tuple[int, str] | None = None,
    ) -> None:
        import av

        width, height = size
        if width % 2 or height % 2 or min(size) < 2:
            raise ConfigError(f"a video of {width}x{height} pixels; accepted: even sides")
        self._path = path
        try:
            path.open("wb").close()  # PyAV opens it with the first packet: too late to refuse
        except OSError as error:
            raise ConfigError(f"{path} cannot be written: {error.strerror}") from error
        flags = {"movflags": "+faststart"}
        self._container: Any = av.open(str(path), "w", "mp4", options=flags)
        self._video = self._container.add_stream("libx264", rate=fps, options=dict(_H264_OPTIONS))
        self._video.width, self._video.height = width, height
        self._video.pix_fmt = "yuv420p"
        # the container gives the stream a time base of its own once it has begun
        self._picture_s = self._video.time_base = 1 / Fraction(fps)
        self._video.codec_context.thread_count = THREADS
        self._video.codec_context.colorspace = _BT601
        self._video.codec_context.color_range = _LIMITED_RANGE
        self._audio = None
        if sound is not None:
            self._rate_hz, self._layout = sound
            self._audio = self._container.add_stream("aac", rate=self._rate_hz, layout=self._layout)
            self._audio.bit_rate = _AAC_BITS_PER_S
            self._resampler = av.AudioResampler(
                "fltp", self._layout, self._rate_hz, frame_size=_AAC_SAMPLES
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self.finish()
        except BaseException:
            self.discard()
            raise
        if kind is not None:
            self.discard()

    def add_picture(self, frame: Any, index: int) -> None:
        """The ``av.VideoFrame`` (yuv420p, of the file's size) number ``index``, in order."""
        frame.pts, frame.time_base = index, self._picture_s
        self._container.mux(self._video.encode(frame))

    def add_sound(self, frame: Any) -> None:
        """The next ``av.AudioFrame`` with its time stamp; any format, rate and layout."""
        for whole in self._resampler.resample(frame):
            self._container.mux(self._audio.encode(whole))  # type: ignore[union-attr]

    def add_wave(self, wave: FloatArray, at: int) -> None:
        """Sound [channels, n] of the file's rate and layout, from sample ``at`` on."""
        import av

        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(wave), "fltp", self._layout)
        frame.sample_rate, frame.pts = self._rate_hz, at
        frame.time_base = Fraction(1, self._rate_hz)
        self.add_sound(frame)

    def finish(self) -> None:
        """Write what the encoders hold back, and the index."""
        if self._audio is not None:
            self.add_sound(None)
            self._container.mux(self._audio.encode(None))
        self._container.mux(self._video.encode(None))
        self._container.close()

    def discard(self) -> None:
        """Give the file up."""
        import av

        # closing writes an index: nothing to index yet, or the disk is full
        with suppress(OSError, ValueError, av.error.FFmpegError):
            self._container.close()
        self._path.unlink(missing_ok=True)
