"""One codec's encoder in its thread, and those who watch what it makes."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Protocol

import structlog
from av import Packet

from models.shapes import Image
from models.timing import FPS
from server.config.encoding import EncodingSettings
from server.encoding.bit_rate import is_slow, shared_bit_s
from server.encoding.codecs import VideoCodec, VideoEncoder

log = structlog.get_logger(__name__)

# between two key frames that viewers ask for; those of viewers left behind wait longer
KEY_FRAME_GAP = FPS // 2
SLOW_KEY_FRAME_GAP = 3 * FPS
REPETITION_GAP = FPS // 5  # a still picture is sent five times a second, in case one was lost
FAILURES_IN_A_ROW = 5  # then it is not chance
ENCODING_AT_ONCE = 3  # pictures; when the encoder is slower than that, new ones are left out


class Viewer(Protocol):
    """Whoever takes packets."""

    codec: VideoCodec
    wants_key_frame: bool

    @property
    def limit_bit_s(self) -> int | None:
        """What its connection can take, where that is known to be little."""

    def take(self, packet: Packet) -> None:
        """A packet whose time has come."""


@dataclass(slots=True)
class _UnderWay:
    frame: int
    packet: Packet | None = None
    finished: bool = False


class CodecStream:
    """Everything but ``_work`` runs on the event loop."""

    def __init__(
        self,
        new_encoder: Callable[[tuple[int, int]], VideoEncoder],
        settings: EncodingSettings,
        thread: Executor,
        on_encoded: Callable[[float], None],
        on_left_out: Callable[[], None],
    ) -> None:
        """``new_encoder``: for pictures of (width, height). ``on_encoded``: took seconds."""
        self.viewers: list[Viewer] = []
        self._new_encoder = new_encoder
        self._settings = settings
        self._thread = thread
        self._on_encoded = on_encoded
        self._on_left_out = on_left_out
        self._encoder: VideoEncoder | None = None
        self._under_way: deque[_UnderWay] = deque()
        self._failures = 0
        self._ceiling_bit_s = 0
        self._released = -1
        self._newest = -REPETITION_GAP
        self._last_key = -SLOW_KEY_FRAME_GAP

    @property
    def failed(self) -> bool:
        """No picture comes out any more."""
        return self._failures >= FAILURES_IN_A_ROW

    def add(self, viewer: Viewer) -> None:
        """Begins with the next key frame."""
        viewer.wants_key_frame = True
        self.viewers.append(viewer)

    def remove(self, viewer: Viewer) -> None:
        """One that is gone already is no error."""
        if viewer in self.viewers:
            self.viewers.remove(viewer)

    def encode(self, picture: Image, frame: int) -> None:
        """Hand a picture to the thread, unless ``frame`` has been given one already."""
        if frame <= self._newest:
            return
        if len(self._under_way) >= ENCODING_AT_ONCE:
            self._on_left_out()
            return
        height, width = picture.shape[0] * 2 // 3, picture.shape[1]
        self._ceiling_bit_s = self._settings.ceiling_bit_s(width, height)
        if self._encoder is None:
            self._encoder = self._new_encoder((width, height))
        key = self._key_frame_due(frame)
        if key:
            self._last_key = frame
        self._newest = frame
        job = _UnderWay(frame)
        self._under_way.append(job)
        work = asyncio.get_running_loop().run_in_executor(
            self._thread, _work, self._encoder, picture, frame, key, self._bit_s(width, height)
        )
        work.add_done_callback(lambda done: self._finish(job, done))

    def needs_repetition(self, frame: int) -> bool:
        """Nothing has been sent for a while, or somebody waits for a key frame."""
        return frame - self._newest >= REPETITION_GAP or self._key_frame_due(frame)

    def release(self, frame: int) -> None:
        """Pictures up to ``frame`` may leave."""
        self._released = frame
        self._send()

    def close(self) -> None:
        """The thread ends when it has finished its picture."""
        self.viewers.clear()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _key_frame_due(self, frame: int) -> bool:
        since = frame - self._last_key
        if since < KEY_FRAME_GAP:
            return False
        return any(
            viewer.wants_key_frame
            and (since >= SLOW_KEY_FRAME_GAP or not self._left_behind(viewer))
            for viewer in self.viewers
        )

    def _left_behind(self, viewer: Viewer) -> bool:
        return is_slow(self._limit(viewer), self._limits(), self._ceiling_bit_s)

    def _limits(self) -> list[int]:
        return [self._limit(viewer) for viewer in self.viewers]

    def _limit(self, viewer: Viewer) -> int:
        return self._ceiling_bit_s if viewer.limit_bit_s is None else viewer.limit_bit_s

    def _bit_s(self, width: int, height: int) -> int:
        floor = self._settings.floor_bit_s(width, height)
        return shared_bit_s(self._limits(), floor, self._ceiling_bit_s)

    def _finish(self, job: _UnderWay, done: "asyncio.Future[tuple[Packet, float]]") -> None:
        job.finished = True
        if done.cancelled():
            return
        if (error := done.exception()) is not None:
            log.error("encoding_failed", reason=f"{type(error).__name__}: {error}")
            self._failures += 1
            self._encoder = None  # the next picture begins anew, with a key frame
        else:
            job.packet, took_s = done.result()
            self._failures = 0
            self._on_encoded(took_s)
        self._send()

    def _send(self) -> None:
        while self._under_way:
            job = self._under_way[0]
            if not job.finished or job.frame > self._released:
                return
            self._under_way.popleft()
            if job.packet is not None:
                self._hand_out(job.packet, job.frame)

    def _hand_out(self, packet: Packet, frame: int) -> None:
        if packet.is_keyframe:  # asked for, or the encoder began anew
            self._last_key = max(self._last_key, frame)
        for viewer in self.viewers:
            if packet.is_keyframe:
                viewer.wants_key_frame = False
            viewer.take(packet)


def _work(
    encoder: VideoEncoder, picture: Image, frame: int, key: bool, bit_s: int
) -> tuple[Packet, float]:
    """In the thread: the packet, and how long it took in seconds."""
    began = time.perf_counter()
    packet = encoder.encode(picture, frame, key=key, bit_s=bit_s)
    return packet, time.perf_counter() - began
