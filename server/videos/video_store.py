"""Videos' rows and files. Other people's videos answer as if they were not there."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from server.api.problems import ApiError
from server.config.videos import VideoSettings
from server.storage.files import new_id
from server.storage.schema import VideoRow
from server.storage.storage import Storage
from server.videos.video import ENDED, WAITING, VideoOrder

MAX_TRIES = 2
MAX_LISTED = 200

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The wall clock: what rows say must hold after a restart."""
    return datetime.now(UTC)


def portrait_file(video_id: str) -> str:
    """The picture that speaks, a copy: its avatar may be deleted meanwhile."""
    return f"{video_id}.portrait"


def sound_file(video_id: str) -> str:
    """What it says."""
    return f"{video_id}.sound"


def background_file(video_id: str) -> str:
    """The picture behind it, where there is one."""
    return f"{video_id}.background"


def content_file(video_id: str) -> str:
    """The MP4."""
    return f"{video_id}.mp4"


class VideoStore:
    """Every call may raise StorageError; then nothing has changed."""

    def __init__(self, storage: Storage, settings: VideoSettings, now: Clock = utc_now) -> None:
        self.settings = settings
        self._storage = storage
        self._now = now
        self._served: dict[str, datetime] = {}  # owners, and when a video of theirs was begun

    async def check_room(self, owner: str) -> None:
        """Before work is done for an order. Raises ApiError ``video_queue_full``."""
        async with self._storage.database.reading() as session:
            await self._check_room(session, owner)

    async def add(self, order: VideoOrder) -> VideoRow:
        """A queued video. Raises ApiError ``video_queue_full``, StorageFullError."""
        video_id = new_id("v")
        row = VideoRow(
            video_id=video_id,
            owner=order.owner,
            status="queued",
            avatar_id=order.avatar_id,
            text=order.text,
            voice=order.voice,
            look=order.look.as_json(),
            duration_s=order.duration_s,
            progress=0.0,
            tries=0,
            byte_count=0,
            created_at=self._now(),
        )
        files = self._storage.files
        try:
            for name, data in (
                (portrait_file(video_id), order.portrait),
                (sound_file(video_id), order.sound),
                (background_file(video_id), order.look.background_picture),
            ):
                if data is not None:
                    await files.write(name, data)
            async with self._storage.database.writing() as session:
                await self._check_room(session, order.owner)
                session.add(row)
        except BaseException:
            await files.remove_all(video_id)
            raise
        return row

    async def all(self, owner: str) -> list[VideoRow]:
        """The owner's, newest first; at most MAX_LISTED."""
        newest = (
            select(VideoRow)
            .where(VideoRow.owner == owner)
            .order_by(VideoRow.created_at.desc(), VideoRow.video_id)
            .limit(MAX_LISTED)
        )
        async with self._storage.database.reading() as session:
            return list(await session.scalars(newest))

    async def get(self, video_id: str, owner: str) -> VideoRow:
        """Raises ApiError ``not_found``."""
        async with self._storage.database.reading() as session:
            return await _own_row(session, video_id, owner)

    async def delete(self, video_id: str, owner: str) -> None:
        """A waiting one is cancelled, one that has ended is forgotten.

        The files of a running one go when its process has ended. Raises ApiError ``not_found``.
        """
        async with self._storage.database.writing() as session:
            row = await _own_row(session, video_id, owner)
            before = row.status
            if before in WAITING:
                row.status, row.finished_at = "cancelled", self._now()
            else:
                await session.delete(row)
        if before != "running":
            await self._storage.files.remove_all(video_id)

    async def claim(self) -> VideoRow | None:
        """The next video to make, now running: the oldest of the owner who has waited longest."""
        first = datetime.min.replace(tzinfo=UTC)
        async with self._storage.database.writing() as session:
            waiting = select(VideoRow).where(VideoRow.status == "queued")
            queued = list(await session.scalars(waiting))
            if not queued:
                return None
            row = min(queued, key=lambda r: (self._served.get(r.owner, first), r.created_at))
            row.status, row.progress, row.tries = "running", 0.0, row.tries + 1
        self._served[row.owner] = self._now()
        return row

    async def advance(self, video_id: str, **changes: Any) -> bool:
        """Note how a running video gets on; False when it was cancelled meanwhile."""
        return await self._change(video_id, changes)

    async def finish(self, video_id: str, byte_count: int) -> bool:
        """It is done; False when it was cancelled at the last moment."""
        done = {"status": "done", "progress": 1.0, "byte_count": byte_count}
        return await self._change(video_id, {**done, "finished_at": self._now()})

    async def fail(self, video_id: str, code: str, message: str) -> None:
        """It will not be made."""
        failed = {"status": "failed", "error_code": code, "error_message": message}
        await self._change(video_id, {**failed, "finished_at": self._now()})

    async def put_back(self, row: VideoRow, *, try_counts: bool) -> bool:
        """Running -> queued; ``try_counts``: it was begun in earnest. False when it was cancelled
        meanwhile."""
        tries = row.tries if try_counts else row.tries - 1
        return await self._change(
            row.video_id, {"status": "queued", "progress": 0.0, "tries": tries}
        )

    async def recover(self) -> None:
        """After a start: what ran when the server died is begun again, or given up."""
        async with self._storage.database.writing() as session:
            running = select(VideoRow).where(VideoRow.status == "running")
            for row in await session.scalars(running):
                if row.tries < MAX_TRIES:
                    row.status, row.progress = "queued", 0.0
                    continue
                row.status, row.finished_at = "failed", self._now()
                row.error_code = "interrupted"
                row.error_message = f"the server ended {row.tries} times while it made this video"

    async def expire(self) -> list[str]:
        """Forget what is too old, and the oldest of whoever has most when there is too much."""
        gone: list[str] = []
        oldest = self._now() - timedelta(days=self.settings.keep_days)
        ended = select(VideoRow).where(VideoRow.status.in_(ENDED)).order_by(VideoRow.finished_at)
        async with self._storage.database.writing() as session:
            kept: list[VideoRow] = []
            for row in await session.scalars(ended):
                if row.finished_at is None or row.finished_at > oldest:
                    kept.append(row)
                    continue
                await session.delete(row)
                gone.append(row.video_id)
            for row in too_many(kept, self.settings.max_total_bytes):
                await session.delete(row)
                gone.append(row.video_id)
        for video_id in gone:
            await self._storage.files.remove_all(video_id)
        return gone

    async def _change(self, video_id: str, changes: Mapping[str, Any]) -> bool:
        running = update(VideoRow).where(
            VideoRow.video_id == video_id, VideoRow.status == "running"
        )
        async with self._storage.database.writing() as session:
            result = await session.execute(running.values(**changes).returning(VideoRow.video_id))
            return result.first() is not None

    async def _check_room(self, session: AsyncSession, owner: str) -> None:
        waiting = (
            select(func.count())
            .select_from(VideoRow)
            .where(VideoRow.owner == owner, VideoRow.status.in_(WAITING))
        )
        most = self.settings.max_waiting_per_owner
        if (await session.scalar(waiting) or 0) >= most:
            raise ApiError("video_queue_full", f"{most} videos wait already, the most accepted")


def too_many(oldest_first: list[VideoRow], max_bytes: int) -> list[VideoRow]:
    """Videos to remove until the others fit: always the oldest of the owner with most bytes."""
    kept, removed = list(oldest_first), []
    used: dict[str, int] = {}
    for row in kept:
        used[row.owner] = used.get(row.owner, 0) + row.byte_count
    while sum(used.values()) > max_bytes:
        largest = max(used, key=lambda owner: used[owner])
        row = next(row for row in kept if row.owner == largest and row.byte_count)
        kept.remove(row)
        removed.append(row)
        used[largest] -= row.byte_count
    return removed


async def _own_row(session: AsyncSession, video_id: str, owner: str) -> VideoRow:
    row = await session.get(VideoRow, video_id)
    if row is None or row.owner != owner:
        raise ApiError("not_found", f"there is no video {video_id!r}; it may have expired")
    return row
