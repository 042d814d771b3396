"""``python -m server render``: a session without clients, as fast as its pictures come."""

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from models.errors import ConfigError, VisavisError
from models.shapes import PcmArray
from models.sound import read_sound
from server.avatars import load_shipped
from server.engine.config import MotionLevels, load_engine_config
from server.engine.messages import PortraitPlan
from server.engine.pool import EnginePool, LinkPlan
from server.metrics import Metrics
from server.sessions.session import PacedMedia, Session
from server.sessions.timing import SessionTiming
from server.videos.render_job import RenderJob
from server.videos.video_file import VideoFile
from server.voice.media_time import PLAYOUT_RATE_HZ, SAMPLES_PER_PICTURE, to_ms
from server.voice.pcm import to_pcm

STALL_LIMIT_S = 300.0  # at low priority, beside sessions that take every core


class RenderStalledError(VisavisError):
    """The engine gives no more pictures."""

    code = "render_stalled"


async def render_file(job: RenderJob, report: Callable[[int, int], None] | None = None) -> None:
    """Render with a progress bar, or with calls of ``report(frames done, frames in all)``.

    Raises ConfigError (OutputError is one), SoundError, PortraitError, WeightsError.
    """
    sources = await read_sources(job)
    async with open_engine(job.engine, sources.image) as pool:
        await render_with(pool, job, sources, report)


@dataclass(frozen=True, slots=True)
class RenderSources:
    """A job's files, read: a picture file's bytes, and speech [n] at 48 kHz."""

    image: bytes
    pcm: PcmArray


async def read_sources(job: RenderJob) -> RenderSources:
    """Before an engine is loaded. Raises ConfigError, SoundError."""
    image = avatar_image(job.avatar)
    wave = await asyncio.to_thread(read_sound, job.audio, out_rate_hz=PLAYOUT_RATE_HZ)
    if not job.out.parent.is_dir():
        raise ConfigError(f"there is no folder {job.out.parent} to write {job.out.name} to")
    return RenderSources(image, to_pcm(wave))


async def render_with(
    pool: EnginePool,
    job: RenderJob,
    sources: RenderSources,
    report: Callable[[int, int], None] | None = None,
) -> None:
    """``render_file`` with an engine that is loaded; its lane is free again afterwards."""
    plan = await offline_plan(pool, sources.image, job)
    session = offline_session(pool, plan, job.levels, len(sources.pcm))
    frames = -(-len(sources.pcm) // SAMPLES_PER_PICTURE)
    done = 0
    try:
        with (
            VideoFile(job.out, *plan.size) as video,
            tqdm(total=frames, unit="frame", disable=report is not None) as progress,
        ):
            async for media in offline_media(session, sources.pcm):
                await asyncio.to_thread(video.add, media)
                progress.update(int(media.picture_due))
                done += int(media.picture_due)
                if report is not None and media.picture_due:
                    report(done, frames)
    finally:
        pool.close_session(plan.session_id)


@asynccontextmanager
async def open_engine(engine: str, image: bytes) -> AsyncIterator[EnginePool]:
    """An engine worker of one lane, ready. Raises EngineFailedError, ConfigError."""
    pool = EnginePool(load_engine_config(engine), 1, image, Metrics())
    try:
        await pool.client.start()
        await pool.client.wait_ready()
        yield pool
    finally:
        await pool.close()


async def offline_plan(pool: EnginePool, image: bytes, job: RenderJob) -> LinkPlan:
    """The session's plan, its portrait prepared. Raises PortraitError, OutputError."""
    portrait = PortraitPlan(hashlib.sha256(image).hexdigest(), image, job.output)
    facts = await pool.prepare(portrait)
    # replies to an earlier session of the same engine must not be taken for this one's
    session_id = f"offline_{secrets.token_hex(8)}"
    return LinkPlan(session_id, portrait, facts.size, job.mode, job.seed)


def offline_session(
    pool: EnginePool, plan: LinkPlan, levels: MotionLevels, samples: int
) -> Session:
    """A session on lane 0 whose queue holds ``samples`` of speech."""
    info = pool.info
    assert info is not None
    link = pool.link(plan)
    session = Session(
        engine=link,
        timing=SessionTiming.for_engine(info.timing(plan.mode), info.larger_ms(plan.size)),
        mode=plan.mode,
        levels=levels,
        max_speech_s=to_ms(samples) / 1000 + 1,
    )
    link.listener = session
    return session


async def offline_media(session: Session, pcm: PcmArray) -> AsyncIterator[PacedMedia]:
    """All sound and pictures of a speech [n] at 48 kHz, every picture waited for.

    Raises RenderStalledError.
    """
    session.say(pcm)
    session.prime()
    frames = -(-len(pcm) // SAMPLES_PER_PICTURE)
    while session.frame < frames:
        await _picture_ready(session)
        yield session.tick()


async def _picture_ready(session: Session) -> None:
    if not session.picture_due or session.picture_ready.is_set():
        return
    try:
        async with asyncio.timeout(STALL_LIMIT_S):
            await session.picture_ready.wait()
    except TimeoutError as error:
        raise RenderStalledError(f"no picture for frame {session.frame}") from error


def avatar_image(avatar: str) -> bytes:
    """The picture file's bytes. Raises ConfigError."""
    shipped = {name: a for a in load_shipped() for name in (a.avatar_id, a.facts.name.lower())}
    if avatar.lower() in shipped:
        return shipped[avatar.lower()].image
    path = Path(avatar)
    if not path.is_file():
        names = ", ".join(a.avatar_id for a in load_shipped())
        raise ConfigError(f"there is no avatar {avatar!r}; shipped: {names}; or a picture file")
    return path.read_bytes()
