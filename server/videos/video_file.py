"""What a live session would send, as an MP4 file."""

from pathlib import Path

from av import VideoFrame

from models.mp4 import Mp4Writer
from models.timing import FPS
from server.sessions.session import PacedMedia
from server.voice.media_time import PACKET_SAMPLES, PLAYOUT_RATE_HZ, SAMPLES_PER_PICTURE
from server.webrtc.tracks import audio_frame


class VideoFile(Mp4Writer):
    """A context manager; a file that was not finished is removed."""

    def __init__(self, path: Path, width: int, height: int) -> None:
        super().__init__(path, (width, height), FPS, (PLAYOUT_RATE_HZ, "mono"))

    def add(self, media: PacedMedia) -> None:
        """20 ms of sound, and a picture where one is due."""
        if media.picture is not None:
            frame = VideoFrame.from_ndarray(media.picture, format="yuv420p")
            self.add_picture(frame, media.position // SAMPLES_PER_PICTURE)
        self.add_sound(audio_frame(media.sound, media.position))


assert SAMPLES_PER_PICTURE % PACKET_SAMPLES == 0
