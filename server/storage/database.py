"""One database, SQLite or PostgreSQL: opened, brought up to date, read and written in turns."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from server.storage.errors import BadStorageError, named_database_errors
from server.storage.schema import bring_up_to_date

SQLITE_NAME = "visavis.sqlite3"
_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "postgresql": "postgresql+asyncpg",
    "postgres": "postgresql+asyncpg",
}
_BUSY_TIMEOUT_S = 10.0
_CONNECTIONS = 4
_WRITERS_LOCK = 0x7669736176697300  # of pg_advisory_xact_lock; any number of our own


class Database:
    """Sessions to read and to write; writers take turns, so a count holds until the commit."""

    def __init__(self, url: URL) -> None:
        self.url = url
        self._engine = _make_engine(url)
        self._writer = self._engine.execution_options(writes=True)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """A consistent view. Raises StorageError."""
        with named_database_errors():
            async with AsyncSession(self._engine, expire_on_commit=False) as session:
                yield session

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncSession]:
        """One transaction: all of it is kept at the end, or nothing. Raises StorageError:
        StorageFullError, StorageReadOnlyError."""
        with named_database_errors():
            async with (
                AsyncSession(self._writer, expire_on_commit=False) as session,
                session.begin(),
            ):
                yield session

    async def prepare(self) -> None:
        """Make or update the tables. Raises BadStorageError."""
        try:
            async with self._writer.begin() as connection:
                await connection.run_sync(bring_up_to_date)
        except (DBAPIError, OSError) as error:
            shown = self.url.render_as_string(hide_password=True)
            reason = error.orig if isinstance(error, DBAPIError) else error
            raise BadStorageError(f"cannot use the database {shown}: {reason}") from error

    async def close(self) -> None:
        """Close every connection."""
        await self._engine.dispose()


def database_url(given: str, folder: Path) -> URL:
    """The URL with the driver that is used. Raises BadStorageError, which tells no password."""
    if not given:
        return URL.create(_DRIVERS["sqlite"], database=str(folder / SQLITE_NAME))
    accepted = "accepted: postgresql://user:password@host/name, sqlite:////path, or nothing"
    try:
        url = make_url(given)
    except ArgumentError as error:
        raise BadStorageError(f"storage.database_url cannot be read; {accepted}") from error
    kind = url.get_backend_name()
    if kind not in _DRIVERS:
        raise BadStorageError(f"storage.database_url names a {kind!r} database; {accepted}")
    return url.set(drivername=_DRIVERS[kind])


def _make_engine(url: URL) -> AsyncEngine:
    options: dict[str, Any] = {"pool_size": _CONNECTIONS, "max_overflow": 0}
    if url.get_backend_name() == "sqlite":
        engine = create_async_engine(url, connect_args={"timeout": _BUSY_TIMEOUT_S}, **options)
        event.listen(engine.sync_engine, "connect", _set_up_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
        return engine
    try:
        # pre-ping: the database may have been started anew since the last call
        engine = create_async_engine(url, pool_pre_ping=True, **options)
    except ModuleNotFoundError as error:
        raise BadStorageError(
            f"PostgreSQL needs the package {error.name}: pip install 'visavis[postgres]'"
        ) from error
    event.listen(engine.sync_engine, "begin", _begin_postgresql)
    return engine


def _set_up_sqlite(connection: Any, record: Any) -> None:
    del record
    connection.isolation_level = None  # transactions are begun below, DDL among them
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # a reader that turns writer may find the database changed under it: writers say so at once
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _begin_postgresql(connection: Connection) -> None:
    if connection.get_execution_options().get("writes", False):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITERS_LOCK})")
