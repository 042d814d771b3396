"""One encode for all who watch: who gets what, when there are key frames, what is left out.

Frames are counted, not seconds: nothing here waits for a clock.
"""

import asyncio
import itertools
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

import numpy as np
import pytest
from av import Packet

from server.config.encoding import EncodingSettings
from server.encoding.bit_rate import is_slow, shared_bit_s
from server.encoding.codec_stream import (
    ENCODING_AT_ONCE,
    FAILURES_IN_A_ROW,
    KEY_FRAME_GAP,
    REPETITION_GAP,
    SLOW_KEY_FRAME_GAP,
)
from server.encoding.shared_video import SharedVideo
from server.metrics import Metrics
from server.webrtc.tracks import VideoTrack
from tests.inline_executor import InlineExecutor
from tests.test_server_encoders import decode, face, psnr_db

SETTINGS = EncodingSettings()


class Watching:
    """A track whose connection takes everything at once."""

    def __init__(self, codec: Any = "VP8") -> None:
        self.dropped = 0
        self.track = VideoTrack(self._drop)
        self.track.codec = codec
        self.packets: list[Packet] = []

    def _drop(self) -> None:
        self.dropped += 1

    async def take(self) -> None:
        while self.track.queued:
            self.packets.append(await self.track.recv())

    @property
    def keys(self) -> list[int]:
        return [packet.pts for packet in self.packets if packet.is_keyframe]

    @property
    def frames(self) -> list[int]:
        return [packet.pts for packet in self.packets]


class Stage:
    """A session's pictures and its watchers; encoders work at once."""

    def __init__(self, new_thread: Callable[[], Executor] = InlineExecutor) -> None:
        self.metrics = Metrics()
        self.video = SharedVideo(SETTINGS, self.metrics, new_thread)
        self.watching: list[Watching] = []
        self.frame = 0

    def join(self, codec: str = "VP8") -> Watching:
        watching = Watching(codec)
        self.watching.append(watching)
        self.video.add(watching.track)
        return watching

    async def play(self, frames: int, *, taking: bool = True) -> None:
        for _ in range(frames):
            self.video.encode(face(128, 128, self.frame % 25), self.frame)
            self.video.release(self.frame)
            await self.settle(taking=taking)
            self.frame += 1

    async def settle(self, *, taking: bool = True) -> None:
        for _ in range(3):
            await asyncio.sleep(0)
        if taking:
            for watching in self.watching:
                await watching.take()

    @property
    def encoded(self) -> float:
        text = self.metrics.exposition().decode()
        (line,) = [x for x in text.splitlines() if x.startswith("visavis_encode_seconds_count")]
        return float(line.split()[1])


async def test_four_viewers_cost_one_encode() -> None:
    stage = Stage()
    four = [stage.join() for _ in range(4)]
    await stage.play(20)
    assert stage.encoded == 20
    for watching in four:
        assert watching.frames == list(range(20))
        assert watching.keys == [0]
        assert [bytes(p) for p in watching.packets] == [bytes(p) for p in four[0].packets]


async def test_each_codec_is_encoded_once_and_only_while_it_is_watched() -> None:
    stage = Stage()
    vp8, h264 = stage.join("VP8"), stage.join("H264")
    await stage.play(10)
    assert stage.encoded == 20
    for codec, watching in (("vp8", vp8), ("h264", h264)):
        decoded = decode(codec, watching.packets)
        assert len(decoded) == 10
        assert min(psnr_db(a, face(128, 128, k)) for k, a in enumerate(decoded)) > 33
    stage.video.remove(h264.track)
    await stage.play(10)
    assert stage.encoded == 30


async def test_a_late_viewer_begins_with_a_key_frame_at_once_which_all_share() -> None:
    stage = Stage()
    first = stage.join()
    await stage.play(30)
    late, later = stage.join(), stage.join()
    await stage.play(20)
    assert late.frames[0] == later.frames[0] == 30
    assert first.keys == [0, 30]
    decoded = decode("vp8", late.packets)
    assert psnr_db(decoded[0], face(128, 128, 30 % 25)) > 33


async def test_lost_pictures_bring_a_key_frame_but_not_one_for_each_request() -> None:
    stage = Stage()
    watching = stage.join()
    await stage.play(40)
    for _ in range(100):
        watching.track.wants_key_frame = True
        await stage.play(1)
    keys = watching.keys
    assert keys[:2] == [0, 40]
    assert all(b - a == KEY_FRAME_GAP for a, b in itertools.pairwise(keys[1:]))
    assert len(watching.packets) == 140  # what could still be shown was not held back


async def test_a_connection_that_takes_nothing_goes_on_with_a_key_frame() -> None:
    stage = Stage()
    stalled, other = stage.join(), stage.join()
    await stage.play(20)
    stage.watching.remove(stalled)
    await stage.play(8)
    assert stalled.track.queued <= 3
    stage.watching.append(stalled)
    await stage.play(30)
    resumed = next(k for k, p in enumerate(stalled.packets) if p.pts >= 20)
    assert stalled.packets[resumed].is_keyframe or stalled.packets[resumed].pts == 20
    gap = [b for a, b in zip(stalled.frames, stalled.frames[1:], strict=False) if b != a + 1]
    assert gap
    assert all(frame in stalled.keys for frame in gap)
    assert other.frames == list(range(58))


async def test_a_still_picture_is_encoded_five_times_a_second_and_for_whoever_comes() -> None:
    stage = Stage()
    stage.join()
    await stage.play(30)
    before, still = stage.encoded, face(128, 128, 4)
    for frame in range(30, 80):
        stage.video.repeat(still, frame)
        stage.video.release(frame)
        await stage.settle()
    assert stage.encoded - before == 50 / REPETITION_GAP
    late = stage.join()
    stage.video.repeat(still, 81)
    stage.video.release(81)
    await stage.settle()
    assert late.keys == [81]


async def test_a_picture_encoded_ahead_waits_for_its_time() -> None:
    stage = Stage()
    watching = stage.join()
    stage.video.encode(face(128, 128, 0), 0)
    await stage.settle()
    assert watching.packets == []
    stage.video.release(0)
    await stage.settle()
    assert watching.frames == [0]


class SlowExecutor(InlineExecutor):
    """Finishes nothing until it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[tuple[Future[Any], Callable[[], Any]]] = []

    def submit(self, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.waiting.append((future, lambda: work(*args, **kwargs)))
        return future

    def finish(self) -> None:
        for future, work in self.waiting:
            future.set_result(work())
        self.waiting.clear()


async def test_an_encoder_that_is_too_slow_leaves_pictures_out_in_order() -> None:
    threads: list[SlowExecutor] = []

    def new_thread() -> Executor:
        threads.append(SlowExecutor())
        return threads[-1]

    stage = Stage(new_thread)
    watching = stage.join()
    await stage.play(10)
    assert watching.packets == []
    threads[0].finish()
    await stage.settle()
    assert watching.frames == list(range(ENCODING_AT_ONCE))
    text = stage.metrics.exposition().decode()
    assert f'visavis_dropped_total{{what="unencoded picture"}} {10 - ENCODING_AT_ONCE}' in text
    assert len(decode("vp8", watching.packets)) == ENCODING_AT_ONCE


async def test_a_picture_that_cannot_be_encoded_is_left_out_and_many_are_told() -> None:
    stage = Stage()
    watching = stage.join()
    await stage.play(5)
    broken = np.zeros((128, 128, 3), np.uint8)
    stage.video.encode(broken, 5)
    stage.video.release(5)
    await stage.settle()
    stage.frame = 6
    await stage.play(5)
    assert watching.frames == [*range(5), *range(6, 11)]
    assert 6 in watching.keys
    assert not stage.video.failed
    for frame in range(20, 20 + FAILURES_IN_A_ROW):
        stage.video.encode(broken, frame)
        stage.video.release(frame)
        await stage.settle()
    assert stage.video.failed


async def test_the_thread_ends_with_the_last_viewer() -> None:
    import threading

    video = SharedVideo(SETTINGS, Metrics())
    watching = Watching()
    video.add(watching.track)
    video.encode(face(128, 128, 0), 0)
    encoders = [t for t in threading.enumerate() if t.name.startswith("encoder")]
    assert len(encoders) == 1
    video.remove(watching.track)
    await asyncio.to_thread(encoders[0].join, 10)
    assert not encoders[0].is_alive()


async def test_a_viewer_left_behind_waits_longer_for_its_key_frames() -> None:
    stage = Stage()
    fast, _, slow = stage.join(), stage.join(), stage.join()
    fast.track.limit.bit_s = 4_000_000
    slow.track.limit.bit_s = 30_000
    await stage.play(1)
    for _ in range(SLOW_KEY_FRAME_GAP):
        slow.track.wants_key_frame = True
        await stage.play(1)
    assert fast.keys == [0, SLOW_KEY_FRAME_GAP]


@pytest.mark.parametrize(
    ("limits", "shared"),
    [
        ([], 1_000_000),
        ([3_000_000], 1_000_000),
        ([600_000], 600_000),
        ([100_000], 300_000),  # the floor
        ([3_000_000, 500_000], 500_000),  # the slowest decides
        ([3_000_000, 200_000], 1_000_000),  # unless it is far behind the others
        ([900_000, 400_000, 800_000], 400_000),
        ([100_000, 110_000, 900_000], 300_000),  # two of three: then it is the fast one's luck
    ],
)
def test_the_slowest_viewer_decides_unless_it_is_far_behind(limits: list[int], shared: int) -> None:
    assert shared_bit_s(limits, 300_000, 1_000_000) == shared


def test_one_viewer_alone_is_never_left_behind() -> None:
    assert not is_slow(1000, [1000], 1_000_000)


def test_bit_rates_follow_the_size() -> None:
    assert SETTINGS.ceiling_bit_s(512, 512) == 1_000_000
    assert SETTINGS.ceiling_bit_s(256, 256) == pytest.approx(354_000, rel=0.01)
    assert SETTINGS.ceiling_bit_s(768, 768) == pytest.approx(1_837_000, rel=0.01)
    assert SETTINGS.floor_bit_s(768, 768) == SETTINGS.floor_bit_s(512, 512) == 300_000
    assert SETTINGS.floor_bit_s(256, 256) < SETTINGS.ceiling_bit_s(256, 256)
