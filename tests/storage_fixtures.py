"""Both databases: SQLite in a folder, and a real PostgreSQL that the tests start and end."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
from pydantic import SecretStr

from server.config.storage import StorageSettings
from server.storage.storage import Storage, open_storage

_NUMBERS = count(1)
_OPTIONS = "-c listen_addresses='' -c fsync=off -c max_connections=40"


@dataclass(frozen=True)
class PostgresServer:
    """Reached through the socket in ``folder`` alone."""

    binaries: Path
    folder: Path

    def new_database(self) -> str:
        """The URL of an empty database."""
        name = f"visavis_{next(_NUMBERS)}"
        self.run("createdb", "-h", str(self.folder), "-U", "postgres", name)
        return f"postgresql://postgres@/{name}?host={self.folder}"

    def run(self, program: str, *arguments: str) -> None:
        """As a user who is not root: PostgreSQL insists."""
        command = [str(self.binaries / program), *arguments]
        if os.geteuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        subprocess.run(command, check=True, capture_output=True, cwd="/", timeout=60)


def _binaries() -> Path | None:
    if (found := shutil.which("initdb")) is not None:
        return Path(found).resolve().parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return versions[-1].parent if versions else None


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """Skipped where it is not installed."""
    binaries = _binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL here (apt-get install postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="visavis-pg-"))
    server = PostgresServer(binaries, folder)
    data = str(folder / "data")
    try:
        if os.geteuid() == 0:
            with contextlib.suppress(KeyError):
                os.chown(folder, pwd.getpwnam("postgres").pw_uid, -1)
        server.run("initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync")
        log = str(folder / "log")
        options = f"{_OPTIONS} -k {folder}"
        server.run("pg_ctl", "-D", data, "-l", log, "-o", options, "-w", "start")
        yield server
        server.run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def storage_settings(request: pytest.FixtureRequest, tmp_path: Path) -> StorageSettings:
    """A folder and an empty database of either kind."""
    url = ""
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        url = server.new_database()
    return StorageSettings(folder=tmp_path / "storage", database_url=SecretStr(url))


@pytest.fixture
async def storage(storage_settings: StorageSettings) -> AsyncIterator[Storage]:
    """One that is open."""
    async with open_storage(storage_settings) as opened:
        yield opened


@asynccontextmanager
async def sqlite_storage(folder: Path) -> AsyncIterator[Storage]:
    """For what has nothing to do with the database."""
    async with open_storage(StorageSettings(folder=folder / "storage")) as opened:
        yield opened
