"""H264 and AAC in an MP4, from the same packets that a live session would send."""

from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av

from models.shapes import Image
from models.timing import FPS
from server.media_time import PACKET_SAMPLES, PLAYOUT_RATE_HZ, SAMPLES_PER_PICTURE
from server.session import PacedMedia
from server.tracks import audio_frame, video_frame

_H264_OPTIONS = {"preset": "veryfast", "crf": "18"}


class VideoFile:
    """A context manager; a file that was not finished is removed."""

    def __init__(self, path: Path, width: int, height: int) -> None:
        self._path = path
        self._container: Any = av.open(str(path), "w", options={"movflags": "+faststart"})
        self._video = self._container.add_stream("libx264", rate=FPS, options=_H264_OPTIONS)
        self._video.width, self._video.height = width, height
        self._video.pix_fmt = "yuv420p"
        self._video.time_base = Fraction(1, FPS)
        self._audio = self._container.add_stream("aac", rate=PLAYOUT_RATE_HZ, layout="mono")
        self._resampler = av.AudioResampler("fltp", "mono", PLAYOUT_RATE_HZ, frame_size=1024)

    def __enter__(self) -> "VideoFile":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self._mux_sound(None)
            for stream in (self._video, self._audio):
                self._container.mux(stream.encode(None))
        self._container.close()
        if kind is not None:
            self._path.unlink(missing_ok=True)

    def add(self, media: PacedMedia) -> None:
        """20 ms of sound, and a picture where one is due."""
        if media.picture is not None:
            self._mux_picture(media.picture, media.position)
        self._mux_sound(audio_frame(media.sound, media.position))

    def _mux_picture(self, picture: Image, position: int) -> None:
        frame = video_frame(picture, position)
        frame.pts, frame.time_base = position // SAMPLES_PER_PICTURE, Fraction(1, FPS)
        self._container.mux(self._video.encode(frame))

    def _mux_sound(self, frame: Any) -> None:
        for whole in self._resampler.resample(frame):
            self._container.mux(self._audio.encode(whole))


assert SAMPLES_PER_PICTURE % PACKET_SAMPLES == 0
