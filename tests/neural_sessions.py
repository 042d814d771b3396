"""A voice through the LivePortrait engine, as the worker gives it one."""

import numpy as np

from liveportrait.renderer import Portrait
from models.images import decode_image
from server.avatars import load_shipped
from server.engine.config import Engine, MotionLevels
from server.engine.messages import FeedSession, OpenSession
from server.engine.worker_session import WorkerSession


def spoken_session(engine: Engine) -> tuple[Portrait, WorkerSession]:
    """The first shipped portrait, and its session after 15 frames of noise."""
    portrait = engine.renderer.prepare(decode_image(load_shipped()[0].image))
    session = WorkerSession.open(
        engine, portrait, OpenSession("s", "anna", 0, 0, 0, "live", 0, MotionLevels())
    )
    noise = np.random.default_rng(0).normal(0, 0.1, 640 * 15).astype(np.float32)
    session.feed(FeedSession("s", noise, 0, 10))
    while session.voice:
        session.step(engine)
    return portrait, session
