"""All sessions of a server: who may start one, who has ended, what each one holds."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Coroutine

import structlog

from models.errors import VisavisError
from models.timing import FPS
from server.api.problems import ApiError
from server.config.settings import Settings
from server.engine.messages import EngineInfo, PortraitPlan, SecondCost
from server.engine.pool import EnginePool, LinkPlan, NoLaneError, PooledEngine
from server.metrics import Metrics
from server.sessions.capacity import AtCapacityError, Capacity
from server.sessions.events import ErrorEvent
from server.sessions.hop_phases import HopPhases
from server.sessions.live_session import LiveSession, SessionPlan
from server.sessions.session import Session
from server.sessions.timing import SessionTiming
from server.speech_synthesis.synthesiser import SpeechSynthesiser

log = structlog.get_logger(__name__)

_WATCH_S = 1.0
_FAREWELL_S = 1.0  # for listeners to be told of the end, when the server stops


class DrainingError(VisavisError):
    """The server is about to stop and starts nothing new."""

    code = "draining"


class SessionRegistry:
    """Starts, finds and ends sessions; once a second it looks who is over."""

    def __init__(
        self,
        pool: EnginePool,
        settings: Settings,
        metrics: Metrics,
        capacity: Capacity,
        synthesiser: SpeechSynthesiser | None = None,
    ) -> None:
        self.capacity = capacity
        self._pool = pool
        self._synthesiser = synthesiser
        self._settings = settings
        self._metrics = metrics
        self.decoding = asyncio.Semaphore(2)  # sound files decoded at the same time
        self.draining = False
        self._sessions: dict[str, LiveSession] = {}
        self._phases = HopPhases()
        self._tasks: set[asyncio.Task[None]] = set()

    def all(self) -> list[LiveSession]:
        """Every running session."""
        return list(self._sessions.values())

    def find(self, session_id: str) -> LiveSession | None:
        """None for one that is not there, or has ended."""
        return self._sessions.get(session_id)

    def get(self, session_id: str) -> LiveSession:
        """Raises ApiError ``not_found``."""
        if session_id not in self._sessions:
            raise ApiError("not_found", f"there is no session {session_id!r}; it may have ended")
        return self._sessions[session_id]

    async def start(self, plan: SessionPlan) -> LiveSession:
        """A new session, its first idle pictures under way. Raises AtCapacityError,
        PortraitError, OutputError, EngineUnavailableError, DrainingError."""
        if self.draining:
            raise DrainingError("the server is stopping; try again when it is back")
        portrait = PortraitPlan(plan.avatar.avatar_id, plan.avatar.image, plan.output)
        if self._pool.info is not None:  # those inside must not wait for a portrait in vain
            self._check_room(self.capacity.usual_cost(self._pool.info))
        facts = await self._pool.prepare(portrait)
        info = self._pool.info
        assert info is not None
        self._check_room(self.capacity.cost(info, plan.mode, facts.size))
        session_id = f"s_{secrets.token_hex(8)}"
        try:
            link = self._pool.link(LinkPlan(session_id, portrait, facts.size, plan.mode, plan.seed))
        except NoLaneError as error:  # one that has ended has not hung up yet
            raise self._refusal() from error
        try:
            live = self._opened(session_id, plan, link, info)
        except BaseException:
            link.close()
            raise
        self._sessions[session_id] = live
        self._metrics.sessions_started.inc()
        self._metrics.sessions.set(len(self._sessions))
        log.info("session_started", session=session_id, avatar=plan.avatar.avatar_id)
        return live

    def _check_room(self, new: SecondCost) -> None:
        """Raises AtCapacityError."""
        info = self._pool.info
        assert info is not None
        running = [
            self.capacity.cost(info, live.plan.mode, live.size) for live in self._sessions.values()
        ]
        if not self.capacity.admits(running, new):
            raise self._refusal()

    def _refusal(self) -> AtCapacityError:
        self._metrics.sessions_refused.inc()
        remaining = [live.remaining_s for live in self._sessions.values()]
        return AtCapacityError(len(remaining), remaining)

    def _opened(
        self, session_id: str, plan: SessionPlan, link: PooledEngine, info: EngineInfo
    ) -> LiveSession:
        larger_ms = info.larger_ms(link.plan.size)
        session = Session(
            engine=link,
            timing=SessionTiming.for_engine(info.timing(plan.mode), larger_ms),
            mode=plan.mode,
            levels=plan.levels,
            max_speech_s=self._settings.limits.max_speech_s,
            listen=plan.listen,
        )
        session.voice.microphone_drives = plan.voice_in != "api"
        link.listener = session
        session.prime()
        self._phases.period_s = info.live.hop_frames / FPS
        return LiveSession(
            session_id,
            plan,
            link,
            session,
            self._settings,
            self._metrics,
            self._synthesiser,
            self._phases,
        )

    async def end(self, session_id: str, reason: str) -> None:
        """End one session; one that is gone already is no error."""
        live = self._sessions.pop(session_id, None)
        if live is None:
            return
        self._metrics.sessions.set(len(self._sessions))
        log.info("session_ended", session=session_id, reason=reason)
        await live.end(reason)

    def watch(self) -> None:
        """Begin to look after the sessions."""
        self._keep(self._watch())

    async def drain(self, limit_s: float) -> None:
        """Nothing new is started; what runs may go on for ``limit_s``, then it ends."""
        self.draining = True
        warning = ErrorEvent("draining", f"the server stops within {limit_s:g} seconds")
        for live in self.all():
            live.session.events.publish(warning)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                while self._sessions:
                    await asyncio.sleep(_WATCH_S / 10)
        await self.end_all("server_stopping")

    async def end_all(self, reason: str) -> None:
        """End every session, and let their listeners hear of it."""
        self.draining = True
        lives = self.all()
        await asyncio.gather(*(self.end(live.session_id, reason) for live in lives))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FAREWELL_S):
                while any(live.session.events.listeners for live in lives):
                    await asyncio.sleep(_WATCH_S / 100)

    async def close(self) -> None:
        """End what is left."""
        await self.end_all("server_stopping")
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _watch(self) -> None:
        sampled = time.monotonic()
        while True:
            await asyncio.sleep(_WATCH_S)
            elapsed = time.monotonic() - sampled
            sampled += elapsed
            self._metrics.loop_lag_s.set(max(0.0, elapsed - _WATCH_S))
            self._metrics.loop_tasks.set(len(asyncio.all_tasks()))
            self._metrics.engine_queue.set(self._pool.client.queued_commands)
            for live in self.all():
                try:
                    self._look_after(live, elapsed)
                except Exception as error:  # the others must be looked after all the same
                    log.error("session_broken", session=live.session_id, exc_info=error)
                    self._keep(self.end(live.session_id, "internal_error"))

    def _look_after(self, live: LiveSession, elapsed_s: float) -> None:
        live.session.viewers = live.connections.viewers
        live.session.events.publish(live.session.sample_stats(elapsed_s))
        if reason := live.over(self._settings.limits):
            self._keep(self.end(live.session_id, reason))  # not waited for: it may take its time
        else:
            live.connections.drop_unconnected(self._settings.limits.connect_timeout_s)

    def _keep(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
