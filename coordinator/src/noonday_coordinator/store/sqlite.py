"""SQLite for what may be lost: evidence, which comes again."""

from __future__ import annotations

import errno
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from noonday_shared.errors import Permanent, Temporary

BUSY = 5.0
"""Seconds that a database is waited for which another program has locked: somebody looks into it by hand."""

SMALL_CACHE = "PRAGMA cache_size = -256"
"""KB of pages that a connection keeps. SQLite's own 2 MB fill up as a log grows, and what is written is hardly ever
read by who wrote it."""

_ROOM = 1 << 20
"""Bytes; with fewer than that an I/O error is the full disk's."""


def is_full(error: sqlite3.Error | OSError, folder: Path) -> bool:
    """Whether it says that the disk has no room. SQLite calls it an I/O error where the file of its shared memory finds
    none."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK)
    return code == sqlite3.SQLITE_FULL or (code & 0xFF == sqlite3.SQLITE_IOERR and _free(folder) < _ROOM)


def no_room(path: Path) -> Temporary:
    """The refusal of a start."""
    text = f"The disk of {path} is full, so the coordinator can't start; nothing was lost."
    return Temporary(text, rule="disk-full", next_action=f"free space there: df -h {path.parent}")


def _free(folder: Path) -> int:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return _ROOM  # the folder is gone, which is another trouble


def open_lossy(path: Path, tables: str, *, rule: str, what: str) -> sqlite3.Connection:
    """A connection for any thread, one at a time. Raises `Permanent` when the file can't be used, `Temporary` when
    there is no room for it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        connection = sqlite3.connect(path, timeout=BUSY, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        # Evidence is cumulative and comes again: what a power cut takes is soon there again.
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(SMALL_CACHE)
        connection.executescript(tables)
    except (sqlite3.Error, OSError) as error:
        if is_full(error, path.parent):
            raise no_room(path) from error
        raise Permanent(
            f"{what} in {path} can't be used: {error}.",
            rule=rule,
            next_action=f"restore {path} from a backup, or move it away: what it holds is then forgotten",
        ) from error
    return connection


@contextmanager
def written(connection: sqlite3.Connection, *, rule: str, what: str) -> Iterator[None]:
    """One transaction. Raises `Temporary` when the disk refuses."""
    try:
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            yield
    except sqlite3.Error as error:
        raise Temporary(
            f"{what} can't be written: {error}.",
            rule=rule,
            next_action="check disk space in the coordinator's data_dir: df",
        ) from error


@contextmanager
def reading(*, rule: str, what: str) -> Iterator[None]:
    """Raises `Temporary` when the disk does not give it back."""
    try:
        yield
    except sqlite3.Error as error:
        raise Temporary(
            f"{what} can't be read: {error}.",
            rule=rule,
            next_action="check the disk of the coordinator's data_dir: df, dmesg",
        ) from error
