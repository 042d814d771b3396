"""A session's pictures, encoded once per codec for all who watch. Runs on the event loop.

``encode`` starts the work in threads when a picture is there, ``release`` says that its time has
come: packets leave in the order of their pictures, as soon as they are both encoded and due.
"""

from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor

from models.shapes import Image
from server.config.encoding import EncodingSettings
from server.encoding.codec_stream import CodecStream, Viewer
from server.encoding.codecs import VideoCodec, VideoEncoder, VideoFormat
from server.encoding.h264 import H264Encoder
from server.encoding.vp8 import Vp8Encoder
from server.metrics import Metrics

_MS_SAMPLES = 25  # of the moving mean of encode_ms: about a second


class SharedVideo:
    """``encode_ms``: what encoding one picture takes, all codecs together, mean of a second."""

    def __init__(
        self,
        settings: EncodingSettings,
        metrics: Metrics,
        new_thread: Callable[[], Executor] | None = None,
    ) -> None:
        """``new_thread``: what one stream's encoder runs in."""
        self.encode_ms = 0.0
        self._settings = settings
        self._metrics = metrics
        self._new_thread = new_thread or _thread
        self._streams: dict[VideoCodec, CodecStream] = {}

    @property
    def failed(self) -> bool:
        """An encoder gives no pictures any more."""
        return any(stream.failed for stream in self._streams.values())

    def add(self, viewer: Viewer) -> None:
        """Begins with a key frame, which it shares with whoever comes at the same time."""
        if viewer.codec not in self._streams:
            self._streams[viewer.codec] = CodecStream(
                lambda size: self._encoder(viewer.codec, size),
                self._settings,
                self._new_thread(),
                self._encoded,
                self._metrics.dropped.labels("unencoded picture").inc,
            )
        self._streams[viewer.codec].add(viewer)

    def remove(self, viewer: Viewer) -> None:
        """The last one's encoder ends with it."""
        stream = self._streams.get(viewer.codec)
        if stream is not None:
            stream.remove(viewer)
            if not stream.viewers:
                self._streams.pop(viewer.codec).close()

    def encode(self, picture: Image, frame: int) -> None:
        """Begin to encode I420 [H * 3 / 2, W], which must not change any more."""
        for stream in self._streams.values():
            stream.encode(picture, frame)

    def repeat(self, picture: Image, frame: int) -> None:
        """There is nothing new at ``frame``: encode only what keeps viewers in the picture."""
        for stream in self._streams.values():
            if stream.needs_repetition(frame):
                stream.encode(picture, frame)

    def release(self, frame: int) -> None:
        """The time of ``frame``, and of those before it, has come."""
        for stream in self._streams.values():
            stream.release(frame)

    def close(self) -> None:
        """End all threads, without waiting for them."""
        for stream in self._streams.values():
            stream.close()
        self._streams.clear()

    def _encoder(self, codec: VideoCodec, size: tuple[int, int]) -> VideoEncoder:
        video_format = VideoFormat(*size)
        if codec == "VP8":
            return Vp8Encoder(video_format)
        return H264Encoder(video_format, nvenc=self._settings.nvenc == "auto")

    def _encoded(self, took_s: float) -> None:
        self._metrics.encode_s.observe(took_s)
        total_ms = took_s * 1000 * len(self._streams)
        self.encode_ms += (total_ms - self.encode_ms) / _MS_SAMPLES


def _thread() -> Executor:
    return ThreadPoolExecutor(1, thread_name_prefix="encoder")
