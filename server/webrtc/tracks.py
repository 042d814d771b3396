"""The two WebRTC tracks of a session: what the pacing clock releases, the connection sends.

aiortc takes a packet's time of sending for its place in time, so the tracks add no waiting of
their own: ``recv`` returns as soon as the clock has released something.
"""

import asyncio
from collections.abc import Callable
from fractions import Fraction

from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame, VideoFrame

from models.shapes import Image, PcmArray
from server.voice.media_time import (
    PLAYOUT_RATE_HZ,
    SAMPLES_PER_PICTURE,
    VIDEO_CLOCK_HZ,
    VIDEO_TICKS_PER_PICTURE,
)

QUEUED_PICTURES = 3
QUEUED_PACKETS = 10
_VIDEO_TIME_BASE = Fraction(1, VIDEO_CLOCK_HZ)
_AUDIO_TIME_BASE = Fraction(1, PLAYOUT_RATE_HZ)


class PacedTrack(MediaStreamTrack):  # type: ignore[misc]  # aiortc has no types for mypy here
    """A bounded queue of frames; when the connection takes too few, the oldest is dropped."""

    def __init__(self, kind: str, queued: int, on_drop: Callable[[], None]) -> None:
        super().__init__()
        self.kind = kind
        self._frames: asyncio.Queue[AudioFrame | VideoFrame | None] = asyncio.Queue(queued)
        self._on_drop = on_drop

    @property
    def queued(self) -> int:
        """Frames that wait for the connection."""
        return self._frames.qsize()

    def release(self, frame: AudioFrame | VideoFrame | None) -> None:
        """Hand a frame to the connection now; None ends the track."""
        if self._frames.full():
            self._frames.get_nowait()
            self._on_drop()
        self._frames.put_nowait(frame)

    async def recv(self) -> AudioFrame | VideoFrame:
        """The next frame; raises MediaStreamError when the track has ended."""
        frame = await self._frames.get()
        if frame is None:
            self.stop()
            raise MediaStreamError
        return frame


def video_frame(picture: Image, position: int) -> VideoFrame:
    """An I420 picture [H * 3 / 2, W] at a media position in samples at 48 kHz."""
    frame = VideoFrame.from_ndarray(picture, format="yuv420p")
    frame.pts = position // SAMPLES_PER_PICTURE * VIDEO_TICKS_PER_PICTURE
    frame.time_base = _VIDEO_TIME_BASE
    return frame


def audio_frame(sound: PcmArray, position: int) -> AudioFrame:
    """Sound [n] at a media position in samples at 48 kHz."""
    frame = AudioFrame.from_ndarray(sound[None, :], format="s16", layout="mono")
    frame.sample_rate = PLAYOUT_RATE_HZ
    frame.pts = position
    frame.time_base = _AUDIO_TIME_BASE
    return frame
