"""One session inside the engine worker: a machine too slow, a voice taken back."""

import numpy as np
import pytest

from models.shapes import FloatArray
from models.timing import SAMPLES_PER_FRAME
from server.engine.config import Engine, MotionLevels
from server.engine.messages import FeedSession, OpenSession, RewindSession
from server.engine.worker_session import BLEND_FRAMES, MOST_CATCH_UP_FRAMES, WorkerSession
from tests.fake_engine import LOOKAHEAD_FRAMES as LOOKAHEAD
from tests.fake_engine import FakeGenerator, FakeRenderer

ENGINE = Engine("fake", FakeGenerator(), FakeRenderer(), lambda levels: levels)


def opened_session(frames: int) -> WorkerSession:
    """A session with the motion of ``frames`` frames waiting to be rendered."""
    engine = ENGINE
    levels = MotionLevels(head=1.0, expression=1.0, blink=1.0, gaze=1.0)
    command = OpenSession("s", "anna", 0, 0, 1, "live", 0, levels)
    session = WorkerSession.open(engine, "portrait", command)
    silence: FloatArray = np.zeros((frames + LOOKAHEAD) * SAMPLES_PER_FRAME, np.float32)
    session.feed(FeedSession("s", silence, played_frame=0, render_until=100))
    while session.voice:
        session.step(engine)
    assert len(session.motions) == frames
    return session


def play(session: WorkerSession, frame: int) -> None:
    session.feed(FeedSession("s", np.zeros(0, np.float32), frame, render_until=100))
    session.skip_late()


def test_pictures_that_are_in_time_are_all_kept() -> None:
    session = opened_session(20)
    play(session, 0)
    assert session.renderable == range(20)


@pytest.mark.parametrize(("into_frame_s", "next_frame"), [(0.01, 7), (0.03, 8)])
def test_a_late_session_goes_on_with_a_picture_that_can_still_be_shown(
    into_frame_s: float, next_frame: int
) -> None:
    session = opened_session(20)
    now_s = 100.0
    session.now_s = lambda: now_s
    session.feed(FeedSession("s", np.zeros(0, np.float32), 7, render_until=100))
    now_s += into_frame_s
    session.skip_late()
    assert session.next_frame == next_frame
    assert len(session.motions) == 20 - next_frame
    assert float(session.motions[0].pitch[0]) == next_frame  # the frame's own motion


def test_a_session_that_is_late_again_and_again_goes_further_ahead() -> None:
    session = opened_session(60)
    session.now_s = lambda: 100.0
    ahead = []
    for played in (7, 9, 12, 16):
        play(session, played)
        ahead.append(session.next_frame - played)
    assert ahead == [0, 2, 3, 4]
    session.pass_frame()  # drawn before its time
    play(session, session.next_frame - 1)
    play(session, session.next_frame + 2)
    assert session.next_frame == session.played_frame


def test_there_is_an_end_to_going_further_ahead() -> None:
    session = opened_session(400)
    for _ in range(20):
        play(session, session.next_frame + 1)
    assert session.next_frame - session.played_frame == MOST_CATCH_UP_FRAMES


def test_a_session_that_is_late_beyond_its_motion_drops_what_it_has() -> None:
    session = opened_session(10)
    play(session, 30)
    assert (session.next_frame, len(session.motions)) == (10, 0)


def waiting_frames(session: WorkerSession) -> list[float]:
    return [float(motion.pitch[0]) for motion in session.motions]


def say(session: WorkerSession, frames: int, level: float) -> None:
    voice: FloatArray = np.full(frames * SAMPLES_PER_FRAME, level, np.float32)
    session.feed(FeedSession("s", voice, session.played_frame, render_until=100))
    while session.voice:
        session.step(ENGINE)


@pytest.mark.parametrize("frame", range(8, 19))
@pytest.mark.parametrize("to_rest", [False, True])
def test_a_rewind_to_any_frame_keeps_the_frames_before_it_and_replaces_those_after(
    frame: int, to_rest: bool
) -> None:
    session = opened_session(20)
    session.rewind(ENGINE, RewindSession("s", frame, 2, to_rest))
    assert waiting_frames(session)[:4] == [0, 1, 2, 3]
    assert session.pushed_samples == frame // 5 * 5 * SAMPLES_PER_FRAME  # the stream's grid
    say(session, 40, level=0.1)
    assert session.revision == 2
    seen = waiting_frames(session)
    settled = frame + BLEND_FRAMES
    assert seen[:frame] == list(range(frame))
    assert seen[settled:] == list(range(settled, len(seen)))
    assert np.all(np.diff(seen) > 0)  # led over, without a jump back
    levels = np.array([float(motion.exp[0, 0, 0]) for motion in session.motions])
    assert (levels[:frame] == 0).all()  # the silence up to the frame is not replaced
    assert levels[settled:] == pytest.approx(100, abs=0.1)


def test_a_rewind_to_voice_that_is_not_encoded_yet_keeps_what_comes_before_it() -> None:
    session = opened_session(20)
    voice: FloatArray = np.full(30 * SAMPLES_PER_FRAME, 0.1, np.float32)
    session.feed(FeedSession("s", voice, 0, render_until=100))
    session.rewind(ENGINE, RewindSession("s", 41, 2, to_rest=False))
    assert session.pushed_samples == 40 * SAMPLES_PER_FRAME
    say(session, 20, level=0.0)
    levels = np.array([float(motion.exp[0, 0, 0]) for motion in session.motions])
    assert levels[25:40] == pytest.approx(100, abs=0.1)
    assert (levels[46:] == 0).all()


def test_interrupting_before_the_first_hop_is_no_error() -> None:
    session = opened_session(0)
    session.rewind(ENGINE, RewindSession("s", 1, 2, to_rest=True))
    say(session, 20, level=0.1)
    assert len(session.motions) > 0
