"""What every video encoder has in common, and which one a codec's name stands for."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, Protocol

from av import Packet, VideoFrame
from av.video.frame import PictureType

from models.shapes import Image
from models.timing import FPS

VideoCodec = Literal["VP8", "H264"]
TIME_BASE = Fraction(1, FPS)  # a packet's pts is the number of its frame
NEVER = 1 << 20  # frames between key frames that nobody asked for


@dataclass(frozen=True, slots=True)
class VideoFormat:
    """Fixed for an encoder's life."""

    width: int
    height: int
    key_every: int = NEVER  # frames


class VideoEncoder(Protocol):
    """Used by one thread at a time; one thread of its own is all it takes."""

    def encode(self, picture: Image, frame: int, *, key: bool, bit_s: int) -> Packet:
        """One I420 picture [H * 3 / 2, W] to one packet; ``frame`` must grow from call to call."""


def as_frame(picture: Image, frame: int, *, key: bool) -> VideoFrame:
    """The picture's own memory as a frame: nothing is converted, and next to nothing copied.

    PyAV finds the V plane in foreign memory only where it begins with a row: in pictures whose
    height is a multiple of 4. The others (some in full framing) are copied.
    """
    whole_rows = picture.shape[0] % 6 == 0
    wrap = VideoFrame.from_numpy_buffer if whole_rows else VideoFrame.from_ndarray
    video_frame = wrap(picture, format="yuv420p")
    video_frame.pts, video_frame.time_base = frame, TIME_BASE
    video_frame.pict_type = PictureType.I if key else PictureType.NONE
    return video_frame
