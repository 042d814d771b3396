"""The parts of one running server, made once and handed to every route."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from server.avatars import AvatarStore, load_shipped
from server.config.settings import Settings
from server.engine.config import load_engine_config
from server.engine.pool import EnginePool
from server.jobs.runner import JobRunner
from server.metrics import Metrics
from server.sessions.registry import SessionRegistry
from server.storage.storage import Storage, open_storage
from server.webrtc.peer import tune_webrtc


@dataclass(frozen=True, slots=True)
class ServerContext:
    """See the module."""

    settings: Settings
    metrics: Metrics
    storage: Storage
    jobs: JobRunner
    avatars: AvatarStore
    pool: EnginePool
    sessions: SessionRegistry


@asynccontextmanager
async def running_server(settings: Settings) -> AsyncIterator[ServerContext]:
    """Start the engine worker and everything around it; end it all afterwards.

    The worker may still be loading when this yields. Raises ConfigError:
    BadStorageError where nothing can be kept.
    """
    tune_webrtc(settings.webrtc)
    metrics = Metrics()
    shipped = load_shipped()
    config = load_engine_config(settings.engine)
    async with open_storage(settings.storage) as storage:
        avatars = AvatarStore(shipped, storage, settings.limits.max_uploaded_avatars)
        pool = EnginePool(config, settings.limits.max_sessions, shipped[0].image, metrics)
        sessions = SessionRegistry(pool, settings, metrics)
        jobs = JobRunner()
        try:
            await pool.client.start()
            sessions.watch()
            yield ServerContext(settings, metrics, storage, jobs, avatars, pool, sessions)
        finally:
            await asyncio.to_thread(jobs.close)
            await sessions.close()
            await pool.close()
