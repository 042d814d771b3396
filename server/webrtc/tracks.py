"""The two WebRTC tracks of a session: what the pacing clock releases, the connection sends.

aiortc takes a packet's time of sending for its place in time, so the tracks add no waiting of
their own: ``recv`` returns as soon as something has been released. What is encoded already
(av.Packet) aiortc only packs; a frame it encodes for this connection alone.
"""

import asyncio
from collections.abc import Callable
from fractions import Fraction

import numpy as np
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame, Packet

from models.shapes import PcmArray
from server.encoding.codecs import VideoCodec
from server.voice.media_time import PLAYOUT_RATE_HZ
from server.webrtc.bandwidth import ReceiverLimit

QUEUED_PICTURES = 3
QUEUED_PACKETS = 10
_AUDIO_TIME_BASE = Fraction(1, PLAYOUT_RATE_HZ)


class PacedTrack(MediaStreamTrack):  # type: ignore[misc]  # aiortc has no types for mypy here
    """A bounded queue of packets; when the connection takes too few, the oldest is dropped."""

    def __init__(self, kind: str, queued: int, on_drop: Callable[[], None]) -> None:
        super().__init__()
        self.kind = kind
        self._packets: asyncio.Queue[AudioFrame | Packet | None] = asyncio.Queue(queued)
        self._on_drop = on_drop

    @property
    def queued(self) -> int:
        """Packets that wait for the connection."""
        return self._packets.qsize()

    def release(self, packet: AudioFrame | Packet | None) -> None:
        """Hand a packet to the connection now; None ends the track."""
        if self._packets.full():
            self._drop_oldest()
        self._packets.put_nowait(packet)

    async def recv(self) -> AudioFrame | Packet:
        """The next packet; raises MediaStreamError when the track has ended."""
        packet = await self._packets.get()
        if packet is None:
            self.stop()
            raise MediaStreamError
        return packet

    def _drop_oldest(self) -> None:
        self._packets.get_nowait()
        self._on_drop()


class AudioTrack(PacedTrack):
    """``takes_opus``: what the peer has agreed to; otherwise it gets frames."""

    takes_opus = True

    def __init__(self, on_drop: Callable[[], None]) -> None:
        super().__init__("audio", QUEUED_PACKETS, on_drop)


class VideoTrack(PacedTrack):
    """A viewer of a shared encoder (codec_stream.Viewer). ``codec``: what the peer agreed to."""

    def __init__(self, on_drop: Callable[[], None]) -> None:
        super().__init__("video", QUEUED_PICTURES, on_drop)
        self.codec: VideoCodec = "VP8"
        self.limit = ReceiverLimit()
        self.wants_key_frame = True
        self._in_step = False

    @property
    def limit_bit_s(self) -> int | None:
        """What the connection can take, where it is less than it was sent."""
        return self.limit.bit_s

    def take(self, packet: Packet) -> None:
        """Release it, unless it leans on a picture that this connection never got."""
        if self._packets.full():
            self._fall_out_of_step()
        self._in_step = self._in_step or packet.is_keyframe
        if self._in_step:
            self.limit.sent(packet.size)
            self.release(packet)

    def _fall_out_of_step(self) -> None:
        """All that waits leans on what has to go, and so does what follows."""
        while self.queued:
            self._drop_oldest()
        self._in_step, self.wants_key_frame = False, True


def audio_frame(sound: PcmArray, position: int) -> AudioFrame:
    """Sound [n] at a media position in samples at 48 kHz."""
    frame = AudioFrame("s16", "mono", len(sound))
    frame.planes[0].update(np.ascontiguousarray(sound))
    frame.sample_rate = PLAYOUT_RATE_HZ
    frame.pts = position
    frame.time_base = _AUDIO_TIME_BASE
    return frame
