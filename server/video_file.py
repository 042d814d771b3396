"""What a live session would send, as an MP4 file."""

from pathlib import Path
from types import TracebackType

from models.mp4 import Mp4Writer
from models.timing import FPS
from server.media_time import PACKET_SAMPLES, PLAYOUT_RATE_HZ, SAMPLES_PER_PICTURE
from server.session import PacedMedia
from server.tracks import audio_frame, video_frame


class VideoFile:
    """A context manager; a file that was not finished is removed."""

    def __init__(self, path: Path, width: int, height: int) -> None:
        self._file = Mp4Writer(path, (width, height), FPS, (PLAYOUT_RATE_HZ, "mono"))

    def __enter__(self) -> "VideoFile":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.__exit__(kind, error, trace)

    def add(self, media: PacedMedia) -> None:
        """20 ms of sound, and a picture where one is due."""
        if media.picture is not None:
            frame = video_frame(media.picture, media.position)
            self._file.add_picture(frame, media.position // SAMPLES_PER_PICTURE)
        self._file.add_sound(audio_frame(media.sound, media.position))


assert SAMPLES_PER_PICTURE % PACKET_SAMPLES == 0
