"""One session inside the engine worker: what it does when the machine is too slow."""

import numpy as np

from models.shapes import FloatArray
from models.timing import SAMPLES_PER_FRAME
from server.engine import Engine, MotionLevels
from server.engine_messages import FeedSession, OpenSession
from server.worker_session import CATCH_UP_FRAMES, WorkerSession
from tests.fake_engine import LOOKAHEAD_FRAMES as LOOKAHEAD
from tests.fake_engine import FakeGenerator, FakeRenderer


def opened_session(frames: int) -> WorkerSession:
    """A session with the motion of ``frames`` frames waiting to be rendered."""
    engine = Engine("fake", FakeGenerator(), FakeRenderer(), lambda levels: levels)
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
    assert (session.next_frame, session.renderable_frames) == (0, 20)


def test_a_late_session_goes_on_with_a_picture_that_can_be_in_time() -> None:
    session = opened_session(20)
    play(session, 7)
    assert session.next_frame == 7 + CATCH_UP_FRAMES
    assert len(session.motions) == 20 - session.next_frame
    assert float(session.motions[0].pitch[0]) == session.next_frame  # the frame's own motion


def test_a_session_that_is_late_beyond_its_motion_drops_what_it_has() -> None:
    session = opened_session(10)
    play(session, 30)
    assert (session.next_frame, len(session.motions)) == (10, 0)
