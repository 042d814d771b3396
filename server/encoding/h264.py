"""H264, constrained baseline: by NVENC where it opens, else by x264. No B frames, no waiting."""

import functools
from fractions import Fraction

import numpy as np
import structlog
from av import CodecContext, Packet
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc

from models.shapes import Image
from models.timing import FPS
from server.encoding.codecs import TIME_BASE, VideoFormat, as_frame

log = structlog.get_logger(__name__)

X264_OPTIONS = {
    "preset": "superfast",
    "tune": "zerolatency",
    "profile": "baseline",
    "forced-idr": "1",
    # headers with every key frame, and key frames only where they are asked for
    "x264-params": "repeat-headers=1:scenecut=0:sliced-threads=0",
}
NVENC_OPTIONS = {
    "preset": "p3",
    "tune": "ull",
    "profile": "baseline",
    "rc": "cbr",
    "zerolatency": "1",
    "delay": "0",
    "forced-idr": "1",
    "no-scenecut": "1",
}
BUFFER_S = 0.5
FINEST, COARSEST = 16, 51  # quantizers; finer is not seen, and makes a still face cost a rate
_PROBE_PX = 256


class H264Encoder:
    """See codecs.VideoEncoder. Both libraries take another bit rate while they run."""

    def __init__(self, video_format: VideoFormat, *, nvenc: bool) -> None:
        self._format = video_format
        self._nvenc = nvenc
        self._codec: VideoCodecContext | None = None

    @property
    def library(self) -> str | None:
        """What encodes, once it does."""
        return self._codec.name if self._codec else None

    def encode(self, picture: Image, frame: int, *, key: bool, bit_s: int) -> Packet:
        """One picture to one packet."""
        if self._codec is None:
            nvenc = self._nvenc and nvenc_opens()
            self._codec = open_h264(self._format, bit_s, nvenc=nvenc)
        elif self._codec.bit_rate != bit_s:
            self._codec.bit_rate = bit_s
        (packet,) = self._codec.encode(as_frame(picture, frame, key=key))
        return packet


def open_h264(
    video_format: VideoFormat,
    bit_s: int,
    *,
    nvenc: bool = False,
    options: dict[str, str] | None = None,
) -> VideoCodecContext:
    """An encoder on one thread."""
    codec: VideoCodecContext = CodecContext.create("h264_nvenc" if nvenc else "libx264", "w")
    codec.width, codec.height = video_format.width, video_format.height
    codec.pix_fmt = "yuv420p"
    codec.time_base, codec.framerate = TIME_BASE, Fraction(FPS)
    codec.bit_rate = bit_s
    codec.gop_size = video_format.key_every
    codec.max_b_frames = 0
    # the engine's colours; receivers take large pictures for BT.709 where nothing is said
    codec.colorspace = Colorspace.SMPTE170M
    codec.color_primaries = ColorPrimaries.SMPTE170M
    codec.color_trc = ColorTrc.SMPTE170M
    codec.color_range = ColorRange.MPEG
    codec.qmin, codec.qmax = FINEST, COARSEST
    codec.thread_count = 1
    usual = NVENC_OPTIONS if nvenc else X264_OPTIONS
    rates = {"maxrate": str(bit_s), "bufsize": str(round(bit_s * BUFFER_S))}
    codec.options = (options or usual) | rates
    return codec


@functools.cache
def nvenc_opens() -> bool:
    """NVENC does not only exist, it encodes a picture: asked once, as the driver's answer stays."""
    grey = np.full((_PROBE_PX * 3 // 2, _PROBE_PX), 128, np.uint8)
    try:
        codec = open_h264(VideoFormat(_PROBE_PX, _PROBE_PX), 500_000, nvenc=True)
        packets = [*codec.encode(as_frame(grey, 0, key=True)), *codec.encode(None)]
    except (FFmpegError, ValueError) as error:
        log.info("nvenc_not_used", reason=str(error))
        return False
    return bool(packets)
