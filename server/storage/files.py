"""Files named by ids of our own: written whole or not at all."""

import asyncio
import contextlib
import os
import re
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

from server.storage.errors import BadStorageError, named_file_errors

_NAME = re.compile(r"[a-z]+_[0-9a-f]{16}\.[a-z0-9]+")
_TEMPORARY = ".part"


def new_id(kind: str) -> str:
    """``av_6b1f...``: what rows and files are called."""
    return f"{kind}_{secrets.token_hex(8)}"


class FileStore:
    """The files of one folder, which is made with its parents, for this user alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def open(self) -> None:
        """Make the folder and see that it can be written. Raises BadStorageError."""
        try:
            for folder in (self.folder.parent, self.folder):  # parents get no mode of their own
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            probe = self.folder / f"probe{_TEMPORARY}"
            probe.write_bytes(b"")
            probe.unlink()
        except OSError as error:
            raise BadStorageError(
                f"the storage folder {self.folder} cannot be written: {error.strerror}; choose"
                " another one with storage.folder (VISAVIS_STORAGE__FOLDER)"
            ) from error

    def path(self, name: str) -> Path:
        """Where the file ``<id>.<kind>`` is, or would be."""
        assert _NAME.fullmatch(name), name  # ids come from new_id, never from a request
        return self.folder / name

    async def write(self, name: str, data: bytes) -> None:
        """Raises StorageFullError, StorageReadOnlyError; then there is no such file."""
        await asyncio.to_thread(self._write, name, data)

    async def read(self, name: str) -> bytes | None:
        """The file's bytes; None where it is gone."""

        def read() -> bytes | None:
            with contextlib.suppress(FileNotFoundError):
                return self.path(name).read_bytes()
            return None

        return await asyncio.to_thread(read)

    async def remove(self, *names: str) -> None:
        """Those that are there. Raises StorageReadOnlyError."""

        def remove() -> None:
            with named_file_errors():
                for name in names:
                    self.path(name).unlink(missing_ok=True)

        await asyncio.to_thread(remove)

    async def remove_all(self, file_id: str) -> None:
        """Every file of one id, half-made ones among them. Raises StorageReadOnlyError."""

        def remove() -> None:
            with named_file_errors():
                for path in self.folder.glob(f"{file_id}.*"):
                    path.unlink(missing_ok=True)

        await asyncio.to_thread(remove)

    def publish(self, temporary: Path, name: str) -> None:
        """A file that is whole now gets its name; blocks until it is on the disk.

        Raises StorageFullError, StorageReadOnlyError.
        """
        with named_file_errors():
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            temporary.replace(self.path(name))
            self._sync_folder()

    def temporary(self, name: str) -> Path:
        """Where a file is made before it is published."""
        return self.path(name).with_name(f"{name}.{secrets.token_hex(4)}{_TEMPORARY}")

    def orphans(self, known_ids: set[str], min_age_s: float) -> list[Path]:
        """Files of no row, and half-made ones; young ones may still get their row."""
        oldest = time.time() - min_age_s
        return [
            path
            for path in self._own_files()
            if path.name.split(".")[0] not in known_ids or path.name.endswith(_TEMPORARY)
            if path.stat().st_mtime <= oldest
        ]

    def _own_files(self) -> Iterator[Path]:
        for path in self.folder.iterdir():
            if _NAME.match(path.name) and path.is_file():
                yield path

    def _write(self, name: str, data: bytes) -> None:
        temporary = self.temporary(name)
        try:
            with named_file_errors():
                temporary.touch(mode=0o600)
                temporary.write_bytes(data)
            self.publish(temporary, name)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def _sync_folder(self) -> None:
        handle = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
