"""A server's storage: one folder, one database."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog
from sqlalchemy import select

from server.config.settings import ROOT
from server.config.storage import StorageSettings
from server.storage.database import Database, database_url
from server.storage.files import FileStore
from server.storage.schema import AvatarRow, VideoRow

log = structlog.get_logger(__name__)

ORPHAN_AGE_S = 600.0  # a file is there shortly before its row


class FolderLock:
    """Several servers may share a folder; the one that holds this looks after it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None

    def take(self) -> bool:
        """Whether this server holds it, now or already."""
        if self._handle is None:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(handle)
                return False
            self._handle = handle
        return True

    def release(self) -> None:
        """Another server may have it."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


@dataclass(frozen=True, slots=True)
class Storage:
    """See the module."""

    database: Database
    files: FileStore
    lock: FolderLock

    async def sweep(self, min_age_s: float = ORPHAN_AGE_S) -> int:
        """Remove files that belong to nothing: a crash came between file and row."""
        async with self.database.reading() as session:
            known = set(await session.scalars(select(AvatarRow.avatar_id)))
            known |= set(await session.scalars(select(VideoRow.video_id)))
        orphans = await asyncio.to_thread(self.files.orphans, known, min_age_s)
        for path in orphans:
            path.unlink(missing_ok=True)
        if orphans:
            log.info("storage_swept", files=len(orphans))
        return len(orphans)


@asynccontextmanager
async def open_storage(settings: StorageSettings) -> AsyncIterator[Storage]:
    """Folder and tables are made where they are missing. Raises BadStorageError."""
    folder = ROOT / settings.folder.expanduser()
    files = FileStore(folder / "files")
    await asyncio.to_thread(files.open)
    database = Database(database_url(settings.database_url.get_secret_value(), folder))
    lock = FolderLock(folder / "lock")
    try:
        await database.prepare()
        yield Storage(database, files, lock)
    finally:
        lock.release()
        await database.close()
