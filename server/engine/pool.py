"""Sessions on one engine worker: who owns which lane of the ring, and who gets which reply."""

import asyncio
import time
from collections import deque
from dataclasses import dataclass
from typing import Protocol

import structlog

from models.errors import VisavisError
from models.shapes import FloatArray, Image
from server.engine.client import EngineClient, EngineFailedError
from server.engine.config import EngineConfig, Mode, MotionLevels
from server.engine.degradation import LADDER, Degradation
from server.engine.frame_ring import FrameRing
from server.engine.messages import (
    CloseSession,
    DegradationChanged,
    EngineInfo,
    FeedSession,
    FramesReady,
    Heartbeat,
    MotionReady,
    OpenSession,
    PicturesRepeated,
    PortraitFacts,
    PortraitPlan,
    PortraitPrepared,
    PortraitRefused,
    Reply,
    RewindSession,
    SessionFailed,
    SetLevels,
)
from server.engine.portraits import PreparedPortraits
from server.metrics import Metrics

FAILURES = 4  # of one session within FAILURE_WINDOW_S: it is given up
FAILURE_WINDOW_S = 60.0
FIRST_PAUSE_S = 0.1  # after a session's failure; doubled with every further one
BROUGHT_BACK_AT_ONCE = 2  # each may have a portrait prepared

log = structlog.get_logger(__name__)


class EngineListener(Protocol):
    """What a session hears from its engine."""

    features_ms: float
    motion_ms: float
    render_ms: float

    def frame_rendered(self, frame: int, revision: int, *, repeats: bool = False) -> None:
        """A frame lies in the ring, or shows the picture before it once more."""

    def engine_lost(self, message: str) -> None:
        """The engine forgot the session."""

    def engine_back(self) -> None:
        """The engine can be opened again."""

    def engine_gave_up(self, message: str) -> None:
        """The engine cannot go on with this session."""


class NoLaneError(VisavisError):
    """Every lane of the ring is taken."""

    code = "at_capacity"


@dataclass(frozen=True, slots=True)
class LinkPlan:
    """What does not change while a session lives."""

    session_id: str
    portrait: PortraitPlan
    size: tuple[int, int]  # of its pictures, width and height
    mode: Mode
    seed: int


class PooledEngine:
    """One session's link to the worker (session.EngineLink)."""

    def __init__(self, pool: "EnginePool", plan: LinkPlan, lane: int) -> None:
        self.plan = plan
        self.lane = lane
        self.listener: EngineListener | None = None
        self.given_up = False
        self._pool = pool
        self._failed_at: deque[float] = deque(maxlen=FAILURES)

    @property
    def pause_s(self) -> float:
        """Before the next try: what was missing may be there again by then."""
        return FIRST_PAUSE_S * 2.0 ** len(self._failed_at)

    def fail(self, message: str) -> None:
        """The engine has lost the session; after a few times in a short while it is given up."""
        now = time.monotonic()
        self._failed_at.append(now)
        if self.listener:
            self.listener.engine_lost(message)
        if len(self._failed_at) == FAILURES and now - self._failed_at[0] < FAILURE_WINDOW_S:
            self.give_up(f"the engine failed {FAILURES} times with this session")

    def give_up(self, message: str) -> None:
        """Nothing more is tried."""
        log.error("engine_session_given_up", session=self.plan.session_id, reason=message)
        self.given_up = True
        if self.listener:
            self.listener.engine_gave_up(message)

    def open(self, start_frame: int, revision: int, levels: MotionLevels) -> None:
        """Begin a motion stream at ``start_frame``."""
        self._pool.client.send(
            OpenSession(
                session_id=self.plan.session_id,
                portrait_id=self.plan.portrait.portrait_id,
                lane=self.lane,
                start_frame=start_frame,
                revision=revision,
                mode=self.plan.mode,
                seed=self.plan.seed,
                levels=levels,
            )
        )

    def feed(self, voice: FloatArray, played_frame: int, render_until: int) -> None:
        """More voice [n] at 16 kHz, and leave to render."""
        self._pool.client.send(FeedSession(self.plan.session_id, voice, played_frame, render_until))

    def rewind(self, frame: int, revision: int, *, to_rest: bool) -> None:
        """Forget voice and motion from ``frame`` on."""
        self._pool.client.send(RewindSession(self.plan.session_id, frame, revision, to_rest))

    def set_levels(self, levels: MotionLevels) -> None:
        """Change the motion's levels."""
        self._pool.client.send(SetLevels(self.plan.session_id, levels))

    @property
    def degraded(self) -> Degradation:
        """What the engine does without at the moment."""
        return self._pool.degraded

    def picture(self, frame: int) -> Image:
        """The I420 picture [H * 3 / 2, W] of a rendered frame, in the ring."""
        return self._pool.ring.slot(self.lane, frame, self.plan.size)

    def close(self) -> None:
        """Forget the session; its lane is free again."""
        self._pool.release(self)


class EnginePool:
    """Lanes, links and replies. ``failed`` resolves when there will be no engine."""

    def __init__(
        self, config: EngineConfig, lanes: int, warm_image: bytes, metrics: Metrics
    ) -> None:
        self.config = config
        self.ring = FrameRing(lanes)
        self.client = EngineClient(config, self.ring.name, lanes, warm_image)
        self.portraits = PreparedPortraits(self.client)
        self.client.on_reply = self._take
        self.client.on_lost = self._lost
        self.client.on_ready = self._ready
        self.client.on_failed = self._gone
        self.failed: asyncio.Future[EngineFailedError] = asyncio.get_running_loop().create_future()
        self.degraded: Degradation = "none"
        self._metrics = metrics
        self._free_lanes = list(range(lanes))
        self._links: dict[str, PooledEngine] = {}
        self._bringing_back = asyncio.Semaphore(BROUGHT_BACK_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def info(self) -> EngineInfo | None:
        """The loaded engine, once there is one."""
        return self.client.info

    async def prepare(self, plan: PortraitPlan) -> PortraitFacts:
        """Make a portrait known to the worker.

        Raises PortraitError, EngineUnavailableError, and OutputError for what the engine cannot do.
        """
        if self.info is not None:
            self.info.choices.check(plan.output, self.config.name)
        return await self.portraits.prepare(plan)

    def forget(self, avatar_id: str) -> None:
        """An avatar was deleted; running sessions keep theirs."""
        self.portraits.forget(avatar_id)

    def link(self, plan: LinkPlan) -> PooledEngine:
        """A lane for a new session. Raises NoLaneError."""
        if not self._free_lanes:
            raise NoLaneError("every place is taken; try again when a session has ended")
        link = PooledEngine(self, plan, self._free_lanes.pop(0))
        self._links[plan.session_id] = link
        return link

    def release(self, link: PooledEngine) -> None:
        """The session is over."""
        if self._links.pop(link.plan.session_id, None) is not None:
            self.client.send(CloseSession(link.plan.session_id))
            self._free_lanes.append(link.lane)

    def close_session(self, session_id: str) -> None:
        """Forget a session, if there is such a one; its lane is free again."""
        if link := self._links.get(session_id):
            link.close()

    async def close(self) -> None:
        """End the worker and free the ring."""
        for task in self._tasks:
            task.cancel()
        await self.client.close()
        self.ring.close()

    def _take(self, reply: Reply) -> None:
        match reply:
            case FramesReady():
                self._frames_ready(reply)
            case PicturesRepeated():
                self._pictures_repeated(reply)
            case MotionReady():
                self._motion_ready(reply)
            case DegradationChanged():
                log.warning("degradation", level=reply.level, before=self.degraded)
                self._degrade(reply.level)
            case PortraitPrepared() | PortraitRefused():
                self.portraits.take(reply)
            case SessionFailed():
                log.error("engine_session_failed", session=reply.session_id, reason=reply.message)
                if link := self._links.get(reply.session_id):
                    self.portraits.doubt(link.plan.portrait)
                    link.fail("the engine lost this session and starts it again")
                    self._bring_back_soon(link, link.pause_s)
            case Heartbeat():
                self._metrics.waiting_frames.set(reply.waiting_frames)

    def _frames_ready(self, reply: FramesReady) -> None:
        per_frame_ms = reply.render_ms / len(reply.frames)
        self._metrics.render_s.observe(per_frame_ms / 1000)
        self._metrics.batch_frames.observe(len(reply.frames))
        for rendered in reply.frames:
            if listener := self._listener(rendered.session_id):
                listener.render_ms = per_frame_ms
                listener.frame_rendered(rendered.frame, rendered.revision)

    def _pictures_repeated(self, reply: PicturesRepeated) -> None:
        self._metrics.frames_repeated.inc(len(reply.frames))
        for repeated in reply.frames:
            if listener := self._listener(repeated.session_id):
                listener.frame_rendered(repeated.frame, repeated.revision, repeats=True)

    def _motion_ready(self, reply: MotionReady) -> None:
        self._metrics.features_s.observe(reply.features_ms / 1000)
        self._metrics.motion_s.observe(reply.motion_ms / 1000)
        self._metrics.motion_frames.inc(reply.frames)
        if listener := self._listener(reply.session_id):
            listener.features_ms = reply.features_ms
            listener.motion_ms = reply.motion_ms

    def _degrade(self, level: Degradation) -> None:
        self.degraded = level
        self._metrics.degradation.set(LADDER.index(level))

    def _listener(self, session_id: str) -> EngineListener | None:
        link = self._links.get(session_id)
        return link.listener if link else None

    def _lost(self) -> None:
        self._metrics.engine_restarts.inc()
        self._degrade("none")  # a new worker begins with all there is
        self.portraits.lose_all()
        for link in self._links.values():
            link.fail("the engine died and is being restarted")

    def _ready(self) -> None:
        for link in list(self._links.values()):
            self._bring_back_soon(link)

    def _bring_back_soon(self, link: PooledEngine, pause_s: float = 0.0) -> None:
        if link.given_up:
            return
        task = asyncio.get_running_loop().create_task(self._bring_back(link, pause_s))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _bring_back(self, link: PooledEngine, pause_s: float) -> None:
        await asyncio.sleep(pause_s)
        try:
            async with self._bringing_back:
                await self.portraits.prepare(link.plan.portrait)
        except VisavisError as error:
            if self.client.ready:  # otherwise the next worker is asked
                link.give_up(f"the portrait cannot be prepared again: {error}")
            return
        if link.listener and self._links.get(link.plan.session_id) is link and not link.given_up:
            link.listener.engine_back()

    def _gone(self, error: EngineFailedError) -> None:
        if not self.failed.done():
            self.failed.set_result(error)
