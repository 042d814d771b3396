"""The parts of one running server, made once and handed to every route."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from server.avatars import AvatarStore, load_shipped
from server.config.settings import Settings
from server.encoding.price import encode_cpu_ms
from server.engine.config import load_engine_config
from server.engine.pool import EnginePool
from server.jobs.runner import JobRunner
from server.metrics import Metrics
from server.sessions.capacity import Capacity
from server.sessions.registry import SessionRegistry
from server.speech_synthesis.choice import make_synthesiser
from server.speech_synthesis.synthesiser import SpeechSynthesiser
from server.storage.storage import Storage, open_storage
from server.videos.queue import VideoQueue
from server.videos.spoken_text import TextSpeaker
from server.videos.video_store import VideoStore
from server.voice.activity_model import load_network
from server.webrtc.peer import tune_webrtc


@dataclass(frozen=True, slots=True)
class ServerContext:
    """See the module."""

    settings: Settings
    metrics: Metrics
    storage: Storage
    jobs: JobRunner
    avatars: AvatarStore
    videos: VideoStore
    video_queue: VideoQueue
    text_speaker: TextSpeaker
    pool: EnginePool
    sessions: SessionRegistry
    synthesiser: SpeechSynthesiser | None  # None: texts are not spoken


@asynccontextmanager
async def running_server(settings: Settings) -> AsyncIterator[ServerContext]:
    """Start the engine worker and everything around it; end it all afterwards.

    The worker may still be loading when this yields. Raises ConfigError:
    BadStorageError where nothing can be kept.
    """
    tune_webrtc()
    metrics = Metrics()
    shipped = load_shipped()
    config = load_engine_config(settings.engine)
    async with open_storage(settings.storage) as storage:
        avatars = AvatarStore(shipped, storage, settings.limits.max_uploaded_avatars)
        encode_ms = await asyncio.to_thread(encode_cpu_ms, shipped[0].image, settings.encoding)
        capacity = Capacity(settings.limits.max_sessions, encode_ms)
        pool = EnginePool(config, capacity.lanes, shipped[0].image, metrics)
        synthesiser = make_synthesiser(settings)
        sessions = SessionRegistry(pool, settings, metrics, capacity, synthesiser)
        jobs = JobRunner()
        videos = VideoStore(storage, settings.videos)
        speaker = TextSpeaker(
            synthesiser, settings.speech.max_text_chars, settings.videos.max_video_s
        )
        queue = VideoQueue(videos, storage, jobs, settings.engine, speaker)
        await asyncio.to_thread(load_network)  # else the first session would wait for it
        try:
            await pool.client.start()
            sessions.watch()
            if synthesiser is not None and settings.speech.preload:
                await synthesiser.start()
            queue.watch()
            yield ServerContext(
                settings=settings,
                metrics=metrics,
                storage=storage,
                jobs=jobs,
                avatars=avatars,
                videos=videos,
                video_queue=queue,
                text_speaker=speaker,
                pool=pool,
                sessions=sessions,
                synthesiser=synthesiser,
            )
        finally:
            await queue.close()
            await sessions.close()
            if synthesiser is not None:
                await synthesiser.close()
            await pool.close()
