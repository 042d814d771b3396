"""The worker as a real process: started, killed, started again."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import cv2
import pytest

from liveportrait.output import OutputChoices
from models.errors import NoFaceError, NotAnImageError
from server.avatars import load_shipped
from server.engine.client import EngineClient, EngineFailedError, EngineUnavailableError
from server.engine.config import MotionLevels, load_engine_config
from server.engine.messages import EngineInfo, ModeTiming, PortraitPlan
from server.engine.pool import EnginePool, LinkPlan, NoLaneError
from server.metrics import Metrics
from server.sessions.events import ErrorEvent
from server.sessions.session import Session
from server.sessions.timing import SessionTiming
from tests.fake_engine import SIZE, read_frame_number, write_config
from tests.test_server_engine_worker import dark_png

IMAGE = load_shipped()[0].image
ANNA = PortraitPlan("anna", IMAGE)


@asynccontextmanager
async def running_pool(folder: Path) -> AsyncIterator[EnginePool]:
    pool = EnginePool(load_engine_config(str(write_config(folder))), 1, IMAGE, Metrics())
    try:
        await pool.client.start()
        yield pool
    finally:
        await pool.close()


async def test_life_of_a_worker(tmp_path: Path) -> None:
    async with running_pool(tmp_path) as pool:
        with pytest.raises(EngineUnavailableError):
            await pool.prepare(ANNA)
        info = await pool.client.wait_ready()
        assert (info.name, info.device, info.width) == ("fake", "fake", 128)
        await pool.prepare(ANNA)
        with pytest.raises(NotAnImageError):
            await pool.prepare(PortraitPlan("text", b"hello"))
        with pytest.raises(NoFaceError):
            await pool.prepare(PortraitPlan("dark", dark_png()))

        link = pool.link(LinkPlan("s", ANNA, (SIZE, SIZE), "live", 0))
        with pytest.raises(NoLaneError):
            pool.link(LinkPlan("t", ANNA, (SIZE, SIZE), "live", 0))
        session = Session(
            engine=link,
            timing=SessionTiming.for_engine(info.live),
            mode="live",
            levels=MotionLevels(),
            max_speech_s=10,
        )
        link.listener = session
        session.prime()
        await next_frames(session, 10)
        listener = session.events.listen()

        process_id = pool.client.process_id
        assert process_id is not None
        os.kill(process_id, signal.SIGKILL)
        async with asyncio.timeout(60):
            event = await listener.next()
        assert isinstance(event, ErrorEvent)
        await pool.client.wait_ready()
        assert pool.client.process_id != process_id
        assert pool.client.restarts == 1
        async with asyncio.timeout(60):
            while not session._engine_up:
                await asyncio.sleep(0.01)
        sent_before = session.pictures.sent
        async with asyncio.timeout(60):
            while session.pictures.sent < sent_before + 10:  # late ones are skipped, not waited for
                check_number(session)
                await asyncio.sleep(0.02)

        link.close()
        pool.link(LinkPlan("t", ANNA, (SIZE, SIZE), "live", 0)).close()


async def next_frames(session: Session, count: int) -> None:
    """Ticks that find their picture, with the number that the session has for it."""
    for _ in range(count):
        if session.picture_due:
            async with asyncio.timeout(30):
                await session.picture_ready.wait()
        check_number(session)


def check_number(session: Session) -> None:
    """One tick; its picture, if there is one, is the frame's own."""
    frame, media = session.frame, session.tick()
    if media.picture is not None:
        rgb = cv2.cvtColor(media.picture, cv2.COLOR_YUV2RGB_I420)
        assert read_frame_number(rgb) == frame - session._start_frame


async def test_an_engine_that_cannot_be_loaded_says_why(tmp_path: Path) -> None:
    path = write_config(tmp_path)
    path.write_text(path.read_text().replace("tests.fake_engine:load", "tests.fake_engine:gone"))
    pool = EnginePool(load_engine_config(str(path)), 1, IMAGE, Metrics())
    await pool.client.start()
    with pytest.raises(EngineFailedError, match="gone"):
        await pool.client.wait_ready()
    assert str(await pool.failed)
    await pool.close()


def test_an_engine_that_takes_seconds_for_a_picture_may_be_silent_longer() -> None:
    timing = ModeTiming(9, 5, 20.0)
    infos = [
        EngineInfo("x", "cpu", 64, 64, timing, timing, ms, OutputChoices()) for ms in (10.0, 3000.0)
    ]
    client = EngineClient(load_engine_config("lite"), "", 1, b"")
    limits = [client.silence_limit_s]
    for client.info in infos:
        limits.append(client.silence_limit_s)
    assert limits == [15.0, 15.0, 60.0]
