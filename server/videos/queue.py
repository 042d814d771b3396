"""Makes the videos that wait, one after the other, each in a process that gives way."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import structlog

from models.errors import VisavisError
from server.engine.config import Mode
from server.jobs.runner import JobCancelledError, JobCrashedError, JobRunner
from server.jobs.task import Task
from server.storage.errors import StorageError
from server.storage.schema import VideoRow
from server.storage.storage import Storage
from server.videos.render_job import RenderJob
from server.videos.render_task import RenderTask
from server.videos.spoken_text import TextSpeaker, wav_file
from server.videos.video import look_of
from server.videos.video_store import (
    MAX_TRIES,
    VideoStore,
    background_file,
    content_file,
    portrait_file,
    sound_file,
)
from server.voice.media_time import PLAYOUT_RATE_HZ

log = structlog.get_logger(__name__)

MODE: Mode = "chunk"  # nobody waits for the first picture, and whole seconds at once cost less
_LOOK_S = 2.0  # between looks at the table: another server may have added a video
_PROGRESS_S = 0.5
_TIDY_EVERY_S = 600.0
_STOP_WITHIN_S = 10.0


class VideoQueue:
    """One task for all videos of a storage; of several servers the first one makes them."""

    def __init__(
        self,
        videos: VideoStore,
        storage: Storage,
        jobs: JobRunner,
        engine: str,
        speaker: TextSpeaker,
        task_of: Callable[[RenderJob], Task] = RenderTask,
    ) -> None:
        self._videos = videos
        self._storage = storage
        self._jobs = jobs
        self._engine = engine
        self._speaker = speaker
        self._task_of = task_of
        self._thread = ThreadPoolExecutor(1, "visavis-videos")
        self._news = asyncio.Event()
        self._serving: asyncio.Task[None] | None = None
        self._recovered = False
        self._stopping = False
        self._tidy_at = 0.0

    def watch(self) -> None:
        """Begin."""
        self._serving = asyncio.get_running_loop().create_task(self._serve())

    def wake(self) -> None:
        """A video was added or cancelled."""
        self._news.set()

    async def close(self) -> None:
        """Ends the running job; its video will be begun again by the next server."""
        self._stopping = True
        self._news.set()
        await asyncio.to_thread(self._jobs.close)
        if self._serving is not None:
            await asyncio.wait({self._serving}, timeout=_STOP_WITHIN_S)
            self._serving.cancel()
        self._thread.shutdown(wait=False)

    async def _serve(self) -> None:
        while not self._stopping:
            self._news.clear()
            try:
                if self._storage.lock.take():
                    await self._serve_waiting()
            except StorageError as error:
                log.error("video_queue_waits", reason=str(error))
                self._recovered = False  # what became of the running one could not be noted
            except Exception:
                log.exception("video_queue_failed")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), _LOOK_S)

    async def _serve_waiting(self) -> None:
        if not self._recovered:
            await self._videos.recover()
            self._recovered = True
        if time.monotonic() >= self._tidy_at:
            self._tidy_at = time.monotonic() + _TIDY_EVERY_S
            await self.tidy()
        while not self._stopping and (row := await self._videos.claim()) is not None:
            await self._make(row)

    async def tidy(self) -> None:
        """Remove what has expired and what belongs to nothing."""
        if gone := await self._videos.expire():
            log.info("videos_expired", videos=len(gone))
        await self._storage.sweep()

    async def _make(self, row: VideoRow) -> None:
        """To its end, whatever that is; the files it was made from go with it."""
        video_id = row.video_id
        log.info("video_begun", video=video_id, attempt=row.tries)
        try:
            await self._render(row)
        except JobCancelledError:
            # by its owner, then there is nothing to put back; or because the server stops
            self._stopping |= await self._videos.put_back(row, try_counts=False)
        except JobCrashedError as error:
            log.error("video_crashed", video=video_id, attempt=row.tries, reason=str(error))
            if row.tries < MAX_TRIES:
                await self._videos.put_back(row, try_counts=True)
            else:
                await self._videos.fail(video_id, error.code, f"{error}; it was tried twice")
        except VisavisError as error:
            log.warning("video_failed", video=video_id, code=error.code, reason=str(error))
            await self._videos.fail(video_id, error.code, str(error))
        except Exception as error:
            log.exception("video_failed", video=video_id)
            await self._videos.fail(video_id, "internal", f"{type(error).__name__}: {error}")
        await self._remove_sources(video_id, row.owner)

    async def _render(self, row: VideoRow) -> None:
        files, video_id = self._storage.files, row.video_id
        await self._speak(row)
        made = files.temporary(content_file(video_id))
        task = self._task_of(await self._job(row, made))
        try:
            await self._run(video_id, task)
            byte_count = made.stat().st_size
            await asyncio.to_thread(files.publish, made, content_file(video_id))
        finally:
            made.unlink(missing_ok=True)
        if not await self._videos.finish(video_id, byte_count):
            raise JobCancelledError("cancelled")
        log.info("video_done", video=video_id, bytes=byte_count)

    async def _speak(self, row: VideoRow) -> None:
        """The sound of a text, once: a second try finds it there."""
        files, video_id = self._storage.files, row.video_id
        if row.text is None or files.path(sound_file(video_id)).is_file():
            return

        async def go_on() -> None:
            if self._stopping or not await self._videos.advance(video_id, progress=0.0):
                raise JobCancelledError("cancelled, or the server is stopping")

        pcm = await self._speaker.speak(row.text, row.voice, go_on)
        await files.write(sound_file(video_id), wav_file(pcm))
        await self._videos.advance(video_id, duration_s=len(pcm) / PLAYOUT_RATE_HZ)

    async def _job(self, row: VideoRow, out: Path) -> RenderJob:
        files, video_id = self._storage.files, row.video_id
        look = look_of(row.look, await files.read(background_file(video_id)))
        return RenderJob(
            avatar=str(files.path(portrait_file(video_id))),
            audio=files.path(sound_file(video_id)),
            out=out,
            seed=look.seed,
            engine=self._engine,
            mode=MODE,
            output=look.output,
            levels=look.levels,
        )

    async def _run(self, video_id: str, task: Task) -> None:
        """In the job's process, its progress noted. Raises JobFailedError, JobCancelledError."""
        done = _Progress()
        running = asyncio.get_running_loop().run_in_executor(
            self._thread, self._jobs.run, video_id, task, done.report
        )
        while not (await asyncio.wait({running}, timeout=_PROGRESS_S))[0]:
            await self._follow(video_id, done)
        await running

    async def _follow(self, video_id: str, done: "_Progress") -> None:
        try:
            wanted = await self._videos.advance(video_id, progress=done.share)
        except StorageError as error:  # the video may yet be made
            log.warning("video_progress_not_kept", video=video_id, reason=str(error))
            return
        if not wanted:
            await asyncio.to_thread(self._jobs.cancel, video_id)

    async def _remove_sources(self, video_id: str, owner: str) -> None:
        try:
            row = await self._videos.get(video_id, owner)
            status = row.status
        except VisavisError:
            status = "gone"
        match status:
            case "queued" | "running":
                return
            case "done":
                names = (portrait_file, sound_file, background_file)
                await self._storage.files.remove(*(name(video_id) for name in names))
            case _:
                await self._storage.files.remove_all(video_id)


class _Progress:
    """Written by the job's thread, read by the event loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._share = 0.0

    @property
    def share(self) -> float:
        """0 to just under 1: the file is not there yet."""
        with self._lock:
            return self._share

    def report(self, done: int, total: int, what: str) -> None:
        """Of a JobRunner."""
        del what
        if total:
            with self._lock:
                self._share = min(0.99, done / total)
