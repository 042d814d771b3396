"""VP8 by libvpx."""

from fractions import Fraction

from av import CodecContext, Packet
from av.video.codeccontext import VideoCodecContext

from models.shapes import Image
from models.timing import FPS
from server.encoding.codecs import TIME_BASE, VideoFormat, as_frame

# libvpx cannot be told another bit rate through FFmpeg while it runs, and beginning anew costs a
# key frame: so only for what is worth it, and not before the last one has paid off
WORTHWHILE_CHANGE = 0.3
FRAMES_BETWEEN_CHANGES = 5 * FPS

OPTIONS = {
    "deadline": "realtime",
    "cpu-used": "-12",
    "lag-in-frames": "0",
    "noise-sensitivity": "0",  # the pictures are drawn, there is no noise
    "static-thresh": "1",
    "partitions": "0",
    "undershoot-pct": "100",
    "overshoot-pct": "15",
}
BUFFER_S = 1.0
FINEST, COARSEST = 8, 56  # quantizers; finer is not seen, and makes a still face cost a rate


class Vp8Encoder:
    """See codecs.VideoEncoder."""

    def __init__(self, video_format: VideoFormat) -> None:
        self._format = video_format
        self._codec: VideoCodecContext | None = None
        self._bit_s = 0
        self._opened_at = 0

    def encode(self, picture: Image, frame: int, *, key: bool, bit_s: int) -> Packet:
        """One picture to one packet."""
        if self._codec is None or self._wants_anew(frame, bit_s):
            self._codec = open_vp8(self._format, bit_s)
            self._bit_s, self._opened_at = bit_s, frame
        (packet,) = self._codec.encode(as_frame(picture, frame, key=key))
        return packet

    def _wants_anew(self, frame: int, bit_s: int) -> bool:
        change = abs(bit_s - self._bit_s) / self._bit_s
        return change > WORTHWHILE_CHANGE and frame - self._opened_at >= FRAMES_BETWEEN_CHANGES


def open_vp8(
    video_format: VideoFormat, bit_s: int, options: dict[str, str] = OPTIONS
) -> VideoCodecContext:
    """An encoder at a constant bit rate, on one thread."""
    codec: VideoCodecContext = CodecContext.create("libvpx", "w")
    codec.width, codec.height = video_format.width, video_format.height
    codec.pix_fmt = "yuv420p"
    codec.time_base, codec.framerate = TIME_BASE, Fraction(FPS)
    codec.bit_rate = bit_s
    codec.gop_size = video_format.key_every
    codec.qmin, codec.qmax = FINEST, COARSEST
    codec.thread_count = 1
    rates = {"minrate": str(bit_s), "maxrate": str(bit_s)}  # both: a constant bit rate
    codec.options = options | rates | {"bufsize": str(round(bit_s * BUFFER_S))}
    return codec
