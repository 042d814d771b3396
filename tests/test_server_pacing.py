"""The pacing clock in virtual time."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest
from aiortc.mediastreams import MediaStreamError

from server.config.encoding import EncodingSettings
from server.encoding.shared_video import SharedVideo
from server.metrics import Metrics
from server.sessions.hop_phases import HopPhases
from server.sessions.session import Session
from server.voice.media_time import PACKET_SAMPLES
from server.webrtc.pacing import SLIP_S, PacingClock, TrackPair
from server.webrtc.tracks import QUEUED_PACKETS
from tests.inline_engine import InlineEngine
from tests.inline_executor import InlineExecutor
from tests.test_server_session import make_session
from tests.virtual_time import VirtualLoop, run_virtually

CLOCK_HZ = {"audio": 48_000, "video": 90_000}
Taken = list[tuple[float, str, int]]  # (virtual second, kind, pts)


def make_clock(session: Session, metrics: Metrics) -> PacingClock:
    """A clock whose encoders take no virtual time."""
    return PacingClock(
        session, SharedVideo(EncodingSettings(), metrics, InlineExecutor), metrics, HopPhases()
    )


async def take(tracks: TrackPair, taken: Taken) -> None:
    """What a connection does: take everything at once."""
    loop = asyncio.get_running_loop()

    async def one(kind: str) -> None:
        track = tracks.audio if kind == "audio" else tracks.video
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                taken.append(
                    (loop.time(), kind, round(frame.pts * frame.time_base * CLOCK_HZ[kind]))
                )

    await asyncio.gather(one("audio"), one("video"))


async def work_always(link: InlineEngine) -> None:
    while True:
        link.work()
        await asyncio.sleep(0.005)


def run(
    scenario: Callable[[PacingClock, TrackPair, VirtualLoop], Awaitable[None]],
) -> tuple[Taken, Session, Metrics]:
    """Clock, engine and a taking connection around a scenario."""
    loop, taken, metrics = VirtualLoop(), Taken(), Metrics()
    sessions: list[Session] = []

    async def play() -> None:
        session, link = make_session()
        link.i420 = True
        sessions.append(session)
        session.prime()
        clock = make_clock(session, metrics)
        tracks = clock.new_tracks()
        helpers = [loop.create_task(work_always(link)), loop.create_task(take(tracks, taken))]
        clock.attach(tracks)
        await scenario(clock, tracks, loop)
        await clock.stop()
        for helper in helpers:
            helper.cancel()
        await asyncio.gather(*helpers, return_exceptions=True)

    run_virtually(play(), loop)
    return taken, sessions[0], metrics


async def two_seconds(clock: PacingClock, tracks: TrackPair, loop: VirtualLoop) -> None:
    del clock, tracks, loop
    await asyncio.sleep(2.0)


def test_packets_leave_at_their_media_times() -> None:
    taken, session, _ = run(two_seconds)
    start = taken[0][0]
    sounds = [(at, pts) for at, kind, pts in taken if kind == "audio"]
    pictures = [(at, pts) for at, kind, pts in taken if kind == "video"]
    assert len(sounds) in (100, 101)
    assert len(pictures) in (50, 51)
    for at, pts in sounds:
        assert at - start == pytest.approx(pts / 48_000, abs=1e-6)
    for at, pts in pictures:
        assert at - start == pytest.approx(pts / 90_000, abs=1e-6)
    assert session.pictures.late == 0


def test_a_picture_leaves_in_the_same_instant_as_its_sound() -> None:
    taken, _, _ = run(two_seconds)
    sound_left = {pts / 48_000: at for at, kind, pts in taken if kind == "audio"}
    for at, kind, pts in taken:
        if kind == "video":
            assert sound_left[pts / 90_000] == at


def test_a_short_stall_is_made_up_for() -> None:
    async def stalled(clock: PacingClock, tracks: TrackPair, loop: VirtualLoop) -> None:
        del tracks
        await asyncio.sleep(1.0)
        loop.stall(0.3)
        await asyncio.sleep(1.0)
        assert clock.slips == 0

    taken, session, _ = run(stalled)
    last = max(pts for _, kind, pts in taken if kind == "audio")
    assert last / 48_000 == pytest.approx(2.3, abs=0.05)
    pts_in_order = [pts for _, kind, pts in taken if kind == "audio"]
    assert pts_in_order == list(range(0, last + 1, PACKET_SAMPLES))
    assert session.position == last + PACKET_SAMPLES


def test_a_long_stall_moves_the_clock_instead_of_bursting() -> None:
    async def stalled(clock: PacingClock, tracks: TrackPair, loop: VirtualLoop) -> None:
        del tracks
        await asyncio.sleep(1.0)
        loop.stall(SLIP_S + 1.0)
        await asyncio.sleep(1.0)
        assert clock.slips == 1

    taken, _, _ = run(stalled)
    last = max(pts for _, kind, pts in taken if kind == "audio")
    assert last / 48_000 == pytest.approx(2.0, abs=0.05)


def test_the_media_clock_goes_on_between_two_connections() -> None:
    async def reconnected(clock: PacingClock, tracks: TrackPair, loop: VirtualLoop) -> None:
        await asyncio.sleep(0.5)
        clock.detach(tracks)
        await asyncio.sleep(0.5)
        again, taken = clock.new_tracks(), Taken()
        taker = loop.create_task(take(again, taken))
        clock.attach(again)
        await asyncio.sleep(0.5)
        assert taken[0][2] / 48_000 == pytest.approx(1.0, abs=0.05)
        taker.cancel()
        await asyncio.gather(taker, return_exceptions=True)

    run(reconnected)


def test_what_nobody_takes_is_dropped_and_counted() -> None:
    async def unread(clock: PacingClock, tracks: TrackPair, loop: VirtualLoop) -> None:
        del tracks, loop
        deaf = clock.new_tracks()
        clock.attach(deaf)
        await asyncio.sleep(1.0)
        assert deaf.audio.queued == QUEUED_PACKETS
        assert (await deaf.audio.recv()).pts > 0

    _, _, metrics = run(unread)
    text = metrics.exposition().decode()
    assert 'visavis_dropped_total{what="sound"} 4' in text
    # three wait, the fourth makes them worthless; twice a second there is a key frame to go on from
    assert 'visavis_dropped_total{what="picture"} 6' in text


def test_without_an_engine_the_clock_starts_all_the_same() -> None:
    loop = VirtualLoop()

    async def play() -> None:
        session, _ = make_session()
        clock = make_clock(session, Metrics())
        tracks, taken = clock.new_tracks(), Taken()
        taker = loop.create_task(take(tracks, taken))
        clock.attach(tracks)
        await asyncio.sleep(5.0)
        assert {kind for _, kind, _ in taken} == {"audio"}
        assert session.pictures.late > 0
        await clock.stop()
        await asyncio.gather(taker, return_exceptions=True)

    run_virtually(play(), loop)


def test_a_clock_that_breaks_says_so() -> None:
    loop = VirtualLoop()

    async def play() -> None:
        session, link = make_session()  # RGB pictures, which are no frames for a connection
        session.prime()
        link.work()
        clock = make_clock(session, Metrics())
        clock.attach(clock.new_tracks())
        failed_before = clock.failed
        await asyncio.sleep(1.0)
        assert (failed_before, clock.failed) == (False, True)
        await clock.stop()

    run_virtually(play(), loop)


def test_a_picture_taken_ahead_is_shown_at_its_own_frame_only() -> None:
    session, link = make_session()
    link.i420 = True
    session.prime()
    link.work()
    session.tick()
    assert session.picture_ahead() is None  # the next tick is in the middle of a frame
    session.tick()
    ahead = session.picture_ahead()
    assert ahead is not None
    assert session.picture_ahead() is ahead
    session.interrupt()  # what is on its way already is not taken back
    link.work()
    assert session.tick().picture is ahead
    session.tick()
    link.work()
    later = session.tick().picture
    assert later is not None
    assert later is not ahead
    assert session.pictures.sent == 3
