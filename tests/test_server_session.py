"""Sessions in virtual time: a tick is 20 ms, the engine works when the test says so."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.shapes import PcmArray
from server.engine.config import Engine, Mode, MotionLevels
from server.engine.messages import ModeTiming
from server.engine.worker_session import BLEND_FRAMES
from server.sessions.events import (
    ErrorEvent,
    Event,
    Listener,
    SpeechEnded,
    SpeechInterrupted,
    SpeechStarted,
    StateChanged,
)
from server.sessions.session import PacedMedia, Session
from server.sessions.timing import SessionTiming
from server.voice.media_time import PACKET_SAMPLES, SAMPLES_PER_PICTURE
from tests.fake_engine import (
    FakeGenerator,
    FakeRenderer,
    draw,
    read_frame_number,
    read_level,
)
from tests.inline_engine import InlineEngine
from tests.server_fixtures import tone

LIVE = ModeTiming(delay_frames=9, hop_frames=5, hop_ms=10.0)
CHUNK = ModeTiming(delay_frames=69, hop_frames=65, hop_ms=10.0)


def make_session(mode: Mode = "live") -> tuple[Session, InlineEngine]:
    engine = Engine("fake", FakeGenerator(), FakeRenderer(), lambda levels: levels)
    link = InlineEngine(engine, mode)
    session = Session(
        engine=link,
        timing=SessionTiming.for_engine(LIVE if mode == "live" else CHUNK),
        mode=mode,
        levels=MotionLevels(),
        max_speech_s=60.0,
    )
    link.session = session
    return session, link


def play(session: Session, link: InlineEngine, ticks: int) -> list[PacedMedia]:
    played = []
    for _ in range(ticks):
        link.work()
        played.append(session.tick())
    return played


def numbers(played: list[PacedMedia]) -> list[int]:
    return [read_frame_number(m.picture) for m in played if m.picture is not None]


def sound(played: list[PacedMedia]) -> PcmArray:
    return np.concatenate([media.sound for media in played])


def events(listener: Listener) -> list[Event]:
    return listener.waiting()


@pytest.mark.parametrize("mode", ["live", "chunk"])
def test_idle_pictures_come_from_the_first_tick_on_and_none_is_late(mode: Mode) -> None:
    session, link = make_session(mode)
    session.prime()
    played = play(session, link, 400)
    assert numbers(played) == list(range(200))
    assert session.pictures.late == 0
    assert not sound(played).any()
    assert session.state == "idle"


def test_a_speech_is_heard_whole_and_every_picture_belongs_to_its_own_sound() -> None:
    session, link = make_session()
    session.prime()
    play(session, link, 100)
    speech = tone(2.0) * np.repeat([1, 0, 1, 0], 24_000).astype(np.int16)
    session.say(speech)
    played = play(session, link, 250)
    heard = sound(played)
    start = int(np.flatnonzero(heard)[0]) - 1
    np.testing.assert_array_equal(heard[start : start + len(speech)], speech)
    pictures = [media.picture for media in played if media.picture is not None]
    for place, picture in enumerate(pictures):
        own = heard[place * SAMPLES_PER_PICTURE : (place + 1) * SAMPLES_PER_PICTURE] / 32768
        level = float(np.sqrt(np.mean(own**2))) * 1000
        assert read_level(picture) == pytest.approx(np.clip(level, 0, 220) + 16, abs=3)


def test_speech_that_is_there_is_heard_sooner_than_the_picture_delay() -> None:
    session, link = make_session()
    session.prime()
    play(session, link, 100)
    session.say(tone(1.0))
    start = int(np.flatnonzero(sound(play(session, link, 100)))[0])
    assert start / 48 < session.picture_delay_ms - 150
    assert session.pictures.late == 0


def test_chunk_mode_goes_back_to_the_playout_point_when_speech_comes() -> None:
    session, link = make_session("chunk")
    session.prime()
    play(session, link, 101)
    session.say(tone(1.0))
    played = play(session, link, 200)
    assert int(np.flatnonzero(sound(played))[0]) / 48 < 500
    assert session.pictures.late == 0
    ((frame, to_rest),) = link.rewinds
    assert frame == 50 + session.timing.lead_in_frames
    assert not to_rest
    seen = numbers(played)
    settled = frame + BLEND_FRAMES - 51
    assert seen[: frame - 51] == list(range(51, frame))
    assert seen[settled:] == list(range(51 + settled, 151))


def test_a_microphone_is_heard_after_exactly_the_picture_delay() -> None:
    session, link = make_session()
    session.prime()
    play(session, link, 50)
    said_at = session.position
    voice = tone(2.0)
    played: list[PacedMedia] = []
    for start in range(0, len(voice), PACKET_SAMPLES):
        session.push_microphone(voice[start : start + PACKET_SAMPLES])
        played += play(session, link, 1)
    played += play(session, link, 60)
    heard = sound(played)
    first = int(np.flatnonzero(heard)[0]) - 1
    assert said_at + first == said_at + session.timing.ahead_samples
    np.testing.assert_array_equal(heard[first : first + len(voice)], voice)
    assert session.pictures.late == 0


def test_events_carry_the_media_clock() -> None:
    session, link = make_session()
    listener = session.events.listen()
    session.say(tone(1.0), "hello")
    session.prime()
    play(session, link, 100)
    told = events(listener)
    assert told == [
        SpeechStarted("hello", 0),
        StateChanged("speaking"),
        SpeechEnded("hello", 1000),
        StateChanged("idle"),
    ]


def test_interrupt_is_silence_at_once_and_tells_how_much_was_heard() -> None:
    session, link = make_session()
    session.say(tone(3.0), "long")
    session.say(tone(1.0), "next")
    session.prime()
    play(session, link, 50)
    listener = session.events.listen()
    cut = session.interrupt()
    assert cut is not None
    assert (cut.speech_id, cut.heard) == ("long", 48_000)
    played = play(session, link, 300)
    heard = sound(played)
    assert not heard[240:].any()
    assert session.pictures.late == 0
    assert events(listener) == [
        SpeechInterrupted("long", 1000),
        SpeechInterrupted("next", 0),
        StateChanged("idle"),
    ]
    ((frame, to_rest),) = link.rewinds
    assert to_rest
    assert frame == 26
    levels = [read_level(media.picture) for media in played if media.picture is not None]
    assert max(levels[5:]) < 20


def test_interrupting_nobody_is_no_error() -> None:
    session, link = make_session()
    session.prime()
    play(session, link, 10)
    assert session.interrupt() is None
    play(session, link, 50)
    assert session.pictures.late == 0


def test_speech_after_an_interrupt_is_heard() -> None:
    session, link = make_session()
    session.say(tone(3.0))
    session.prime()
    play(session, link, 31)
    session.interrupt()
    session.say(tone(0.5))
    heard = sound(play(session, link, 100))
    assert np.count_nonzero(heard[300:]) > 23_000
    assert session.pictures.late == 0


def test_a_late_picture_is_counted_and_the_sound_goes_on() -> None:
    session, link = make_session()
    session.say(tone(2.0))
    session.prime()
    play(session, link, 20)
    stalled = [session.tick() for _ in range(40)]
    assert session.pictures.late > 0
    assert (sound(stalled) != 0).mean() > 0.9
    late_before = session.pictures.late
    caught_up = play(session, link, 20)
    assert session.pictures.late == late_before
    assert numbers(caught_up) == list(range(30, 40))


def test_frames_of_before_a_rewind_are_not_shown() -> None:
    session, link = make_session()
    session.prime()
    play(session, link, 40)
    before = session._revision
    session.interrupt()
    ((frame, _),) = link.rewinds
    session.pictures._ready.clear()
    session.frame_rendered(frame, before)
    session.frame_rendered(frame - 1, before)
    assert session.pictures._ready == {frame - 1}
    session.frame_rendered(frame, before + 1)
    assert frame in session.pictures._ready


def test_a_lost_engine_is_told_and_the_session_goes_on_with_its_voice() -> None:
    session, link = make_session()
    session.say(tone(4.0))
    session.prime()
    play(session, link, 51)
    listener = session.events.listen()
    link.worker = None
    session.engine_lost("gone")
    assert events(listener) == [ErrorEvent("engine_restarted", "gone")]
    still = play(session, link, 50)
    assert all(media.picture is None for media in still)
    assert (sound(still) != 0).mean() > 0.9
    session.engine_back()
    late_before = session.pictures.late
    back = play(session, link, 60)
    assert session.pictures.late - late_before < 6
    pictures = [media.picture for media in back if media.picture is not None]
    assert read_level(pictures[5]) > 100


def test_motion_levels_reach_the_running_stream() -> None:
    session, link = make_session()
    session.say(tone(4.0))
    session.prime()
    play(session, link, 20)
    session.set_levels(MotionLevels(head=0.0))
    played = play(session, link, 60)
    assert read_level(played[-2].picture if played[-2].picture is not None else draw(0, 99)) < 20


def test_stats_name_what_happened() -> None:
    session, link = make_session()
    session.say(tone(2.0))
    session.prime()
    play(session, link, 50)
    stats = session.sample_stats(1.0)
    assert stats.fps == 25.0
    assert stats.media_ms == 1000
    assert stats.speech_queued_ms == pytest.approx(1000, abs=60)
    assert session.stats == stats


def offline_pictures(speech: PcmArray, mode: Mode) -> list[bytes]:
    session, link = make_session(mode)
    session.say(speech)
    session.prime()
    played = play(session, link, -(-len(speech) // SAMPLES_PER_PICTURE) * 2)
    return [media.picture.tobytes() for media in played if media.picture is not None]


@settings(max_examples=8, deadline=None)
@given(
    st.lists(st.integers(101, 9_999), min_size=1, max_size=9), st.sampled_from(["live", "chunk"])
)
def test_a_stream_in_odd_packets_gives_the_frames_of_the_offline_render(
    sizes: list[int], mode: Mode
) -> None:
    pcm = (tone(1.2) * np.linspace(0, 1, 57_600)).astype(np.int16)
    session, link = make_session(mode)
    utterance = session.begin_speech()
    lead = session.timing.ahead_samples + 5 * SAMPLES_PER_PICTURE
    sent, packets = 0, itertools.cycle(sizes)
    streamed: list[bytes] = []
    while len(streamed) < len(pcm) // SAMPLES_PER_PICTURE:
        while sent < min(session.position + lead, len(pcm)):
            packet = pcm[sent : sent + next(packets)]
            session.voice.queue.add(utterance, packet)
            sent += len(packet)
        utterance.closed = sent == len(pcm)
        if session.position == 0:
            session.prime()
        (media,) = play(session, link, 1)
        if media.picture is not None:
            streamed.append(media.picture.tobytes())
        assert session.pictures.late == 0
    assert streamed == offline_pictures(pcm, mode)


@pytest.mark.parametrize("ticks", [0, 1])
def test_a_picture_that_comes_late_is_shown_at_once_until_the_next_is_due(ticks: int) -> None:
    session, link = make_session()
    session.prime()
    play(session, link, 20)
    assert session.picture_due
    frame = session.frame
    session.pictures._ready.discard(frame)
    shown: list[int] = []
    session.pictures.on_belated = lambda _, belated: shown.append(belated)
    link.session = None  # from here on nothing is drawn
    missing = session.tick()
    assert (missing.picture_due, missing.picture) == (True, None)
    for _ in range(ticks):
        session.tick()
    for _ in range(2):
        session.frame_rendered(frame, session._revision)
    assert shown == [frame]
    assert (session.pictures.late, session.pictures.sent) == (1, frame + 1)


def test_a_picture_that_comes_after_the_next_one_was_due_is_not_shown() -> None:
    session, link = make_session()
    session.prime()
    play(session, link, 20)
    frame = session.frame
    session.pictures._ready.discard(frame)
    session.pictures.on_belated = lambda *_: pytest.fail("too late")
    for _ in range(3):
        session.tick()
    session.frame_rendered(frame, session._revision)
    assert session.pictures.sent == frame + 1, "the next one was"


def test_a_picture_that_is_to_stay_is_neither_due_nor_late() -> None:
    session, link = make_session()
    session.prime()
    play(session, link, 20)
    frame = session.frame + 1
    session.pictures._ready.discard(frame)
    session.frame_rendered(frame, session._revision, repeats=True)
    link.session = None  # from here on nothing is drawn
    media = [session.tick() for _ in range(4)]
    assert [one.picture_due for one in media if one.position % SAMPLES_PER_PICTURE == 0] == [
        True,
        False,
    ]
    assert (session.pictures.repeated, session.pictures.late) == (1, 0)
    figures = session.sample_stats(1.0)
    assert (figures.frames_repeated, figures.degraded) == (1, "none")
