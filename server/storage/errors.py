"""What can go wrong with rows and files, by name."""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, OperationalError

from models.errors import ConfigError, VisavisError

_DISK_IS_FULL = {errno.ENOSPC, errno.EDQUOT}
_READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}
# SQLSTATE of PostgreSQL
_FULL_STATES = {"53100", "53200"}
_READ_ONLY_STATES = {"25006"}


class StorageError(VisavisError):
    """Something could not be kept or found."""

    code = "storage_unavailable"


class StorageFullError(StorageError):
    """The disk, or what may be used of it, is full. Nothing of what was to be kept is left."""

    code = "storage_full"


class StorageReadOnlyError(StorageError):
    """Folder or database may not be written."""

    code = "storage_read_only"


class BadStorageError(ConfigError):
    """The storage cannot be opened at all: the settings, or the folder, must change."""


FULL_TEXT = "the server's disk is full; nothing was kept. Delete videos or avatars, or make room"
READ_ONLY_TEXT = "the server's storage cannot be written; nothing was kept"
GONE_TEXT = "the server's database does not answer; try again"


@contextmanager
def named_file_errors() -> Iterator[None]:
    """OSError -> StorageFullError or StorageReadOnlyError, where it is one of these."""
    try:
        yield
    except OSError as error:
        if (named := storage_error(error)) is not None:
            raise named from error
        raise


@contextmanager
def named_database_errors() -> Iterator[None]:
    """What the database's driver raises -> a StorageError, where people can mend it."""
    try:
        yield
    except DBAPIError as error:
        if (named := _database_error(error)) is not None:
            raise named from error
        raise
    except OSError as error:  # a database server that is not there
        raise StorageError(GONE_TEXT) from error


def storage_error(error: BaseException) -> StorageError | None:
    """What an error of a write means for the storage; PyAV's are OSErrors, too."""
    if not isinstance(error, OSError):
        return None
    if error.errno in _DISK_IS_FULL:
        return StorageFullError(FULL_TEXT)
    if error.errno in _READ_ONLY:
        return StorageReadOnlyError(READ_ONLY_TEXT)
    return None


def _database_error(error: DBAPIError) -> StorageError | None:
    state = getattr(error.orig, "sqlstate", None) or ""
    primary = _sqlite_code(error.orig)
    if state in _FULL_STATES or primary == sqlite3.SQLITE_FULL:
        return StorageFullError(FULL_TEXT)
    if state in _READ_ONLY_STATES or primary == sqlite3.SQLITE_READONLY:
        return StorageReadOnlyError(READ_ONLY_TEXT)
    lost = error.connection_invalidated or state.startswith(("08", "57P"))
    if lost or isinstance(error, OperationalError):
        return StorageError(GONE_TEXT)
    return None


def _sqlite_code(error: BaseException | None) -> int:
    """The primary result code; an extended one holds it in its low byte."""
    for cause in (error, getattr(error, "__cause__", None)):
        if isinstance(code := getattr(cause, "sqlite_errorcode", None), int):
            return code & 0xFF
    return 0
