"""What a storage keeps, and what it says when it cannot: SQLite and PostgreSQL alike."""

import asyncio
import errno
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import Connection, text

from server.config.storage import StorageSettings
from server.storage.database import database_url
from server.storage.errors import (
    BadStorageError,
    StorageError,
    StorageFullError,
    StorageReadOnlyError,
)
from server.storage.files import FileStore, new_id
from server.storage.schema import bring_up_to_date
from server.storage.storage import Storage, open_storage
from tests.storage_fixtures import sqlite_storage

# opening


async def test_opening_twice_keeps_what_is_there(storage_settings: StorageSettings) -> None:
    async with open_storage(storage_settings) as first:
        await first.files.write("av_0123456789abcdef.picture", b"a face")
    async with open_storage(storage_settings) as second:
        assert await second.files.read("av_0123456789abcdef.picture") == b"a face"
    assert (storage_settings.folder / "files").stat().st_mode & 0o777 == 0o700


async def test_a_newer_database_is_left_alone(storage_settings: StorageSettings) -> None:
    async with open_storage(storage_settings) as opened, opened.database.writing() as session:
        await session.execute(text("UPDATE schema_version SET version = 99"))
    with pytest.raises(BadStorageError, match=r"schema version 99.*newer Visavis"):
        async with open_storage(storage_settings):
            pass


async def test_an_older_database_is_led_forward_step_by_step(storage: Storage) -> None:
    def add_column(connection: Connection) -> None:
        connection.execute(text("ALTER TABLE avatars ADD COLUMN likes INTEGER"))

    def fill_column(connection: Connection) -> None:
        connection.execute(text("UPDATE avatars SET likes = 0"))

    async with storage.database.writing() as session:
        connection = await session.connection()
        await connection.run_sync(bring_up_to_date, {1: add_column, 2: fill_column}, 3)
    async with storage.database.reading() as session:
        assert await session.scalar(text("SELECT version FROM schema_version")) == 3
        assert await session.scalar(text("SELECT count(likes) FROM avatars")) == 0


async def test_a_migration_that_fails_changes_nothing(storage: Storage) -> None:
    def half(connection: Connection) -> None:
        connection.execute(text("ALTER TABLE avatars ADD COLUMN likes INTEGER"))
        raise RuntimeError("half way")

    with pytest.raises(RuntimeError):
        async with storage.database.writing() as session:
            await (await session.connection()).run_sync(bring_up_to_date, {1: half}, 2)
    async with storage.database.reading() as session:
        assert await session.scalar(text("SELECT version FROM schema_version")) == 1
        columns = (await session.execute(text("SELECT * FROM avatars"))).keys()
    assert "likes" not in columns


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(BadStorageError, match=r"file/files cannot be written.*storage\.folder"):
        async with open_storage(StorageSettings(folder=tmp_path / "file")):
            pass


async def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "visavis.sqlite3").write_text("no database" * 100)
    with pytest.raises(BadStorageError, match=r"cannot use the database.*not a database"):
        async with open_storage(StorageSettings(folder=tmp_path)):
            pass


@pytest.mark.parametrize(
    ("url", "said"),
    [("mysql://me:secret@host/db", "'mysql'"), ("::", "cannot be read")],
)
def test_other_databases_are_refused(url: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(BadStorageError, match=said) as caught:
        database_url(url, tmp_path)
    assert "secret" not in str(caught.value)


async def test_a_database_server_that_is_not_there_is_named_without_its_password(
    tmp_path: Path,
) -> None:
    url = SecretStr(f"postgresql://me:secret@/db?host={tmp_path}")
    with pytest.raises(BadStorageError, match="cannot use the database") as caught:
        async with open_storage(StorageSettings(folder=tmp_path, database_url=url)):
            pass
    assert "secret" not in str(caught.value)


# rows


async def test_writers_take_turns(storage: Storage) -> None:
    async def add_one() -> None:
        async with storage.database.writing() as session:
            found = await session.scalar(text("SELECT version FROM schema_version"))
            await asyncio.sleep(0)
            assert found is not None
            await session.execute(text("UPDATE schema_version SET version = :v"), {"v": found + 1})

    await asyncio.gather(*(add_one() for _ in range(12)))
    async with storage.database.reading() as session:
        assert await session.scalar(text("SELECT version FROM schema_version")) == 13


@pytest.mark.parametrize("storage_settings", ["postgresql"], indirect=True)
async def test_connections_that_were_cut_are_made_anew(storage: Storage) -> None:
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"

    async def be_cut() -> None:
        async with storage.database.reading() as cut:
            await cut.execute(text("SELECT 1"))
            async with storage.database.reading() as cutter:
                await cutter.execute(text(others + " AND datname = current_database()"))
            await cut.execute(text("SELECT 1"))

    with pytest.raises(StorageError, match="does not answer"):
        await be_cut()
    async with storage.database.writing() as session:
        assert await session.scalar(text("SELECT count(*) FROM schema_version")) == 1


@pytest.mark.parametrize("storage_settings", ["sqlite"], indirect=True)
async def test_a_database_without_room_says_so(storage: Storage) -> None:

    async def fill() -> None:
        async with storage.database.writing() as session:
            await session.execute(text("CREATE TABLE filler (data TEXT)"))
            pages = await session.scalar(text("PRAGMA page_count"))
            await session.execute(text(f"PRAGMA max_page_count = {pages}"))
            await session.execute(
                text("INSERT INTO filler VALUES (:data)"), {"data": "x" * 1_000_000}
            )

    with pytest.raises(StorageFullError, match="disk is full"):
        await fill()
    async with storage.database.reading() as session:
        assert "filler" not in await session.scalars(text("SELECT name FROM sqlite_schema"))


async def test_a_database_that_may_not_be_written_says_so(storage: Storage) -> None:
    read_only = {
        "sqlite": "PRAGMA query_only = ON",
        "postgresql": "SET TRANSACTION READ ONLY",
    }[storage.database.url.get_backend_name()]

    async def write() -> None:
        async with storage.database.writing() as session:
            await session.execute(text(read_only))
            await session.execute(text("UPDATE schema_version SET version = 5"))

    with pytest.raises(StorageReadOnlyError, match="cannot be written"):
        await write()


# files


async def test_a_full_disk_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    async with sqlite_storage(tmp_path) as opened:
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(StorageFullError):
            await opened.files.write(f"{new_id('v')}.sound", b"x" * 1000)
        assert list(opened.files.folder.iterdir()) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Any:
    """A file system of 256 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here (needs root)")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


async def test_a_disk_that_is_really_full_leaves_no_file(small_disk: Path) -> None:
    files = FileStore(small_disk / "files")
    files.open()
    with pytest.raises(StorageFullError):
        await files.write(f"{new_id('v')}.sound", b"x" * 1_000_000)
    assert list(files.folder.iterdir()) == []
    await files.write(f"{new_id('v')}.sound", b"x" * 1_000)


async def test_orphans_go_when_they_are_old_enough(tmp_path: Path) -> None:
    async with sqlite_storage(tmp_path) as opened:
        for name in ("av_00112233aabbccdd.picture", "v_00112233aabbccdd.mp4"):
            await opened.files.write(name, b"orphan")
        half_made = opened.files.temporary("v_00112233aabbccdd.mp4")
        half_made.write_bytes(b"half")
        foreign = opened.files.folder / "notes.txt"
        foreign.write_text("not ours")
        assert await opened.sweep() == 0
        for path in opened.files.folder.iterdir():
            os.utime(path, (0, 0))
        assert await opened.sweep() == 3
        assert list(opened.files.folder.iterdir()) == [foreign]


@pytest.mark.parametrize("name", ["../x", "v_0.mp4", "/etc/passwd", "v_00112233aabbccdd/x.mp4", ""])
def test_names_that_are_not_ours_are_no_paths(tmp_path: Path, name: str) -> None:
    with pytest.raises(AssertionError):
        FileStore(tmp_path).path(name)


async def test_one_server_at_a_time_looks_after_a_folder(tmp_path: Path) -> None:
    async with sqlite_storage(tmp_path) as first:
        assert first.lock.take()
        assert first.lock.take()
        async with sqlite_storage(tmp_path) as second:
            assert not second.lock.take()
            first.lock.release()
            assert second.lock.take()
