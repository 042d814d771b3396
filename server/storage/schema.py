"""The tables, and how an older database becomes this one."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Connection, DateTime, String, Text, TypeDecorator, inspect
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from server.storage.errors import BadStorageError

SCHEMA_VERSION = 1
Migration = Callable[[Connection], None]
# from version n to n + 1; both databases must understand what they do
MIGRATIONS: Mapping[int, Migration] = {}

_ID_CHARS = 40
_OWNER_CHARS = 64


class UtcDateTime(TypeDecorator[datetime]):
    """SQLite forgets time zones: everything is UTC, and says so again when it is read."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To UTC."""
        del dialect
        return value.astimezone(UTC) if value is not None else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """UTC again."""
        del dialect
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """All tables."""


class SchemaVersionRow(Base):
    """One row."""

    __tablename__ = "schema_version"

    row_id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[int]


class AvatarRow(Base):
    """An uploaded portrait; its picture is the file ``<avatar_id>.picture``."""

    __tablename__ = "avatars"

    avatar_id: Mapped[str] = mapped_column(String(_ID_CHARS), primary_key=True)
    owner: Mapped[str] = mapped_column(String(_OWNER_CHARS), index=True)
    name: Mapped[str] = mapped_column(String(80))
    media_type: Mapped[str] = mapped_column(String(20))
    sha256: Mapped[str] = mapped_column(String(64))
    byte_count: Mapped[int]
    warnings: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class VideoRow(Base):
    """A video, or the job that will make it; files ``<video_id>.mp4`` and what it is made from."""

    __tablename__ = "videos"

    video_id: Mapped[str] = mapped_column(String(_ID_CHARS), primary_key=True)
    owner: Mapped[str] = mapped_column(String(_OWNER_CHARS), index=True)
    status: Mapped[str] = mapped_column(String(12), index=True)
    avatar_id: Mapped[str | None] = mapped_column(String(_ID_CHARS))
    text: Mapped[str | None] = mapped_column(Text)
    voice: Mapped[str | None] = mapped_column(String(80))
    look: Mapped[dict[str, Any]] = mapped_column(JSON)  # output, motion and seed
    duration_s: Mapped[float | None]
    progress: Mapped[float] = mapped_column(default=0.0)
    tries: Mapped[int] = mapped_column(default=0)
    byte_count: Mapped[int] = mapped_column(BigInteger, default=0)
    error_code: Mapped[str | None] = mapped_column(String(40))
    error_message: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


def bring_up_to_date(
    connection: Connection,
    migrations: Mapping[int, Migration] = MIGRATIONS,
    version: int = SCHEMA_VERSION,
) -> None:
    """Make the tables, or lead an older database forward, in the caller's transaction.

    Raises BadStorageError for a database that a newer version of the server has written.
    """
    table = SchemaVersionRow.__table__
    if not inspect(connection).has_table(SchemaVersionRow.__tablename__):
        Base.metadata.create_all(connection)
        connection.execute(table.insert().values(row_id=1, version=version))  # type: ignore[attr-defined]
        return
    found: int = connection.execute(table.select()).one().version
    if found > version:
        raise BadStorageError(
            f"the database has schema version {found}, this server knows {version}: it was written"
            " by a newer Visavis. Use that one, or another storage.folder"
        )
    for step in range(found, version):
        migrations[step](connection)
    if found < version:
        connection.execute(table.update().values(version=version))  # type: ignore[attr-defined]
