"""H264 packets and sound of one session -> NUT, the container FFmpeg takes from a pipe."""

from fractions import Fraction
from types import TracebackType
from typing import Self

import av
from av import AudioFrame, Packet

from models.timing import FPS
from server.encoding.codecs import TIME_BASE
from server.voice.media_time import PLAYOUT_RATE_HZ, SAMPLES_PER_PICTURE

_SOUND_TIME_BASE = Fraction(1, PLAYOUT_RATE_HZ)


class NutMuxer:
    """Begins with the first key frame, at time 0; sound before it is left out."""

    def __init__(self, size: tuple[int, int]) -> None:
        self._written = bytearray()
        self._first_frame: int | None = None
        self._container = av.open(_Sink(self._written), "w", format="nut")
        self._video = self._container.add_mux_stream(
            "h264", rate=FPS, width=size[0], height=size[1]
        )
        self._video.time_base = TIME_BASE
        self._audio = self._container.add_stream("pcm_s16le", rate=PLAYOUT_RATE_HZ, layout="mono")
        self._audio.time_base = _SOUND_TIME_BASE

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._container.close()

    def add_picture(self, packet: Packet) -> None:
        """One packet, whose pts is the number of its frame; others keep theirs."""
        if self._first_frame is None:
            if not packet.is_keyframe:
                return
            self._first_frame = packet.pts
        own = Packet(bytes(packet))  # the packet itself belongs to all who watch
        own.is_keyframe = packet.is_keyframe
        own.pts = own.dts = packet.pts - self._first_frame
        own.time_base, own.duration, own.stream = TIME_BASE, 1, self._video
        self._container.mux(own)

    def add_sound(self, frame: AudioFrame) -> None:
        """A frame [n] whose pts is its media position in samples at 48 kHz."""
        if self._first_frame is None:
            return
        position = frame.pts - self._first_frame * SAMPLES_PER_PICTURE
        if position < 0:
            return
        own = AudioFrame.from_ndarray(frame.to_ndarray(), format="s16", layout="mono")
        own.sample_rate, own.pts, own.time_base = PLAYOUT_RATE_HZ, position, _SOUND_TIME_BASE
        self._container.mux(self._audio.encode(own))

    def take(self) -> bytes:
        """What has been written since the last time."""
        written = bytes(self._written)
        self._written.clear()
        return written


class _Sink:
    """A file that cannot seek."""

    def __init__(self, written: bytearray) -> None:
        self._written = written

    def write(self, data: bytes) -> int:
        """Keep it until it is taken."""
        self._written += data
        return len(data)
