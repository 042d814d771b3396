"""The worker's loop with its commands and replies, in this process."""

from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.motion import Motion
from models.shapes import FloatArray
from server.avatars import load_shipped
from server.engine.config import Engine, Mode, MotionLevels, build_engine, load_engine_config
from server.engine.frame_ring import FrameRing
from server.engine.messages import (
    CloseSession,
    Command,
    FeedSession,
    FramesReady,
    MotionReady,
    OpenSession,
    PortraitFacts,
    PortraitPrepared,
    PortraitRefused,
    PreparePortrait,
    Reply,
    RewindSession,
    SessionFailed,
    Shutdown,
)
from server.engine.worker import EngineWorker
from tests.fake_engine import (
    SIZE,
    FakeGenerator,
    FakePortrait,
    FakeRenderer,
    FakeStream,
    write_config,
)

VOICE = np.zeros(640 * 10, np.float32)


def opened(session_id: str, lane: int) -> OpenSession:
    return OpenSession(session_id, "anna", lane, 0, 0, "live", 0, MotionLevels())


class Desk:
    """A worker whose commands are all given beforehand."""

    def __init__(self, engine: Engine, max_batch: int = 8) -> None:
        self.ours, theirs = Pipe()
        self.ring = FrameRing(2)
        self.worker = EngineWorker(engine, self.ring, theirs, max_batch)
        self.worker._portraits["anna"] = FakePortrait()

    def run(self, *commands: Command) -> list[Reply]:
        """Until the last command is done and nothing is left to render."""
        for command in commands:
            self.worker._handle(command)
        while any(s.voice or s.renderable for s in self.worker._sessions.values()):
            self.worker.work()
        self.ours.send(Shutdown())
        self.worker.serve()
        self.worker._stopping = False
        replies = []
        while self.ours.poll():
            replies.append(self.ours.recv())
        return replies


def frames(replies: list[Reply]) -> list[tuple[str, int, int]]:
    return [
        (f.session_id, f.frame, f.revision)
        for reply in replies
        if isinstance(reply, FramesReady)
        for f in reply.frames
    ]


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return build_engine(load_engine_config(str(write_config(tmp_path))))


def test_frames_are_rendered_as_far_as_allowed(engine: Engine) -> None:
    desk = Desk(engine)
    replies = desk.run(opened("a", 0), FeedSession("a", VOICE, 0, 2))
    assert frames(replies) == [("a", 0, 0), ("a", 1, 0), ("a", 2, 0)]
    more = desk.run(FeedSession("a", VOICE[:0], 1, 9))
    assert frames(more) == [("a", 3, 0), ("a", 4, 0)]
    assert desk.ring.slot(0, 4, (SIZE, SIZE)).any()
    desk.ring.close()


def test_frames_of_all_sessions_share_calls_the_most_urgent_first(engine: Engine) -> None:
    desk = Desk(engine, max_batch=4)
    desk.worker._handle(opened("a", 0))
    desk.worker._handle(opened("b", 1))
    desk.worker._handle(FeedSession("a", VOICE, 0, 9))
    desk.worker._handle(FeedSession("b", VOICE, 0, 9))
    for session in desk.worker._sessions.values():
        while session.voice:
            session.step(engine)
    replies = desk.run()
    batches = [r.frames for r in replies if isinstance(r, FramesReady)]
    assert [len(batch) for batch in batches] == [4, 4, 2]
    assert [(f.session_id, f.frame) for f in batches[0]] == [("a", 0), ("b", 0), ("a", 1), ("b", 1)]
    desk.ring.close()


def test_a_rewind_renders_the_frames_again_under_the_new_revision(engine: Engine) -> None:
    desk = Desk(engine)
    desk.run(opened("a", 0), FeedSession("a", np.zeros(640 * 20, np.float32), 0, 12))
    replies = desk.run(
        RewindSession("a", 10, 1, to_rest=True),
        FeedSession("a", np.zeros(640 * 10, np.float32), 5, 12),
    )
    assert frames(replies) == [("a", 10, 1), ("a", 11, 1), ("a", 12, 1)]
    desk.ring.close()


def test_portraits_are_prepared_or_refused_with_their_code(engine: Engine) -> None:
    desk = Desk(engine)
    good = load_shipped()[0].image
    for request, image in ((1, good), (2, b"text"), (3, dark_png())):
        desk.worker._prepare(PreparePortrait(request, "x", image))
    replies = desk.run()
    assert replies[0] == PortraitPrepared(1, PortraitFacts((SIZE, SIZE)))
    codes = [(r.request_id, r.code) for r in replies if isinstance(r, PortraitRefused)]
    assert codes == [(2, "not_an_image"), (3, "no_face")]
    desk.ring.close()


def dark_png() -> bytes:
    import cv2

    return bytes(cv2.imencode(".png", np.zeros((64, 64, 3), np.uint8))[1])


BROKEN = FakePortrait((2, 2))


class BreakingRenderer(FakeRenderer):
    """Fails to drive one portrait."""

    def drive(self, portrait: FakePortrait, generated: Motion) -> Motion:
        if portrait == BROKEN:
            raise RuntimeError("no such face")
        return super().drive(portrait, generated)


def test_one_sessions_trouble_does_not_end_the_others() -> None:
    desk = Desk(Engine("fake", FakeGenerator(), BreakingRenderer(), lambda levels: levels))
    desk.worker._portraits["cracked"] = BROKEN
    bad = OpenSession("bad", "cracked", 1, 0, 0, "live", 0, MotionLevels())
    unknown = OpenSession("unknown", "nobody", 1, 0, 0, "live", 0, MotionLevels())
    feeds = [FeedSession(name, VOICE, 0, 4) for name in ("a", "bad", "gone")]
    replies = desk.run(opened("a", 0), bad, unknown, *feeds)
    failed = [r.session_id for r in replies if isinstance(r, SessionFailed)]
    assert sorted(failed) == ["bad", "unknown"]
    assert len(frames(replies)) == 5
    desk.run(CloseSession("a"))
    assert not desk.worker._sessions
    desk.ring.close()


class ListeningStream(FakeStream):
    """Says that a hop's features took 30 ms."""

    def push(self, samples: FloatArray) -> Motion:
        motion = super().push(samples)
        self.features_s += 0.03 * bool(len(motion))
        return motion


class ListeningGenerator(FakeGenerator):
    """Starts such streams."""

    def start(self, *, mode: Mode, seed: int, controls: Any) -> ListeningStream:
        del seed
        return ListeningStream(mode, controls)


def test_a_hops_features_are_timed_apart_from_its_motion() -> None:
    desk = Desk(Engine("fake", ListeningGenerator(), FakeRenderer(), lambda levels: levels))
    replies = desk.run(opened("a", 0), FeedSession("a", VOICE, 0, 2))
    (hop,) = [reply for reply in replies if isinstance(reply, MotionReady)]
    assert (hop.session_id, hop.frames) == ("a", 5)
    assert hop.features_ms == pytest.approx(30.0)
    desk.ring.close()
