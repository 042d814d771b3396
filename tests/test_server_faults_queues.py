"""Queues that are full, workers that take nothing, clocks that jump."""

import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from server.avatars import load_shipped
from server.config.settings import Limits
from server.engine.client import EngineUnavailableError
from server.engine.config import MotionLevels, load_engine_config
from server.engine.messages import PortraitPlan
from server.engine.pool import FAILURES, EnginePool, LinkPlan
from server.engine.portraits import PreparedPortraits
from server.engine.worker_process import QUEUED_COMMANDS
from server.metrics import Metrics
from tests.fault_fixtures import switched_on, until
from tests.faulty_engine import PREPARES_FOR_EVER, write_config
from tests.server_fixtures import FakeServer, started_session

IMAGE = load_shipped()[0].image
ANNA = PortraitPlan("anna", IMAGE)


def new_pool(folder: Path) -> EnginePool:
    return EnginePool(load_engine_config(str(write_config(folder))), 1, IMAGE, Metrics())


class Gone:
    """A session's ear for its engine."""

    motion_ms = render_ms = 0.0

    def __init__(self) -> None:
        self.lost = 0
        self.given_up = 0

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None  # what this test does not look at

    def engine_lost(self, message: str) -> None:
        del message
        self.lost += 1

    def engine_gave_up(self, message: str) -> None:
        del message
        self.given_up += 1


async def test_a_worker_that_takes_nothing_more_is_replaced(tmp_path: Path) -> None:
    pool = new_pool(tmp_path)
    try:
        await pool.client.start()
        await pool.client.wait_ready()
        stuck = pool.client.process_id
        assert stuck is not None
        os.kill(stuck, signal.SIGSTOP)
        link = pool.link(LinkPlan("s", ANNA, (64, 64), "live", 0))
        sent = 0
        while pool.client.queued_commands < QUEUED_COMMANDS and sent < 100 * QUEUED_COMMANDS:
            link.set_levels(MotionLevels())
            sent += 1
        link.set_levels(MotionLevels())
        await until(lambda: pool.client.process_id not in (stuck, None), "another worker")
        await pool.client.wait_ready()
        await pool.prepare(ANNA)
    finally:
        await pool.close()


async def test_a_portrait_that_takes_for_ever_is_not_waited_for(tmp_path: Path) -> None:
    pool = new_pool(tmp_path)
    try:
        await pool.client.start()
        await pool.client.wait_ready()
        impatient = PreparedPortraits(pool.client, limit_s=0.2)
        with (
            switched_on(tmp_path / PREPARES_FOR_EVER),
            pytest.raises(EngineUnavailableError, match="no portrait within"),
        ):
            await impatient.prepare(ANNA)
        await pool.prepare(ANNA)  # and the worker is none the worse for it
    finally:
        await pool.close()


async def test_a_session_that_lives_through_too_many_deaths_is_given_up(tmp_path: Path) -> None:
    """One of them may be what the engine dies of; the server and new sessions live on."""
    pool = new_pool(tmp_path)
    try:
        link, ear = pool.link(LinkPlan("s", ANNA, (64, 64), "live", 0)), Gone()
        link.listener = ear
        for _ in range(FAILURES - 1):
            pool._lost()
        assert (ear.lost, ear.given_up) == (FAILURES - 1, 0)
        pool._lost()
        assert (ear.lost, ear.given_up) == (FAILURES, 1)
        link.close()
    finally:
        await pool.close()


async def test_the_wall_clock_may_be_set(
    fake_server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    class NextYear(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> "datetime":  # type: ignore[override]
            return datetime.now(tz or UTC) + timedelta(days=365)

    async with started_session(fake_server) as (_, session):
        live = fake_server.app.state.context.sessions.get(session["id"])
        monkeypatch.setattr("server.sessions.live_session.datetime", NextYear)
        assert live.over(Limits()) is None
        live._born -= live.plan.max_duration_s
        assert live.over(Limits()) == "max_duration"
