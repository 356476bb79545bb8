"""The event log's file: its tables, how an older one becomes one of this version, and whether it is whole."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from noonday_coordinator.store.chain import Audit, Chained, Head, audit
from noonday_coordinator.store.sqlite import BUSY, SMALL_CACHE, is_full
from noonday_shared.errors import Permanent, Temporary

SCHEMA = 2
QUICK = 512 << 20
"""Bytes of a file that a start looks through whole, which takes 2 s a GB where it is in memory. Of a larger one only
what is read is looked at; `noonday audit` looks at all."""
_TABLES = """
CREATE TABLE events (
  seq INTEGER PRIMARY KEY, at REAL NOT NULL, by TEXT NOT NULL, kind TEXT NOT NULL,
  rollout TEXT NOT NULL, app TEXT NOT NULL, body TEXT NOT NULL, hash TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX events_of_rollout ON events (rollout, seq) WHERE rollout <> '';
CREATE INDEX events_told ON events (app, seq) WHERE kind NOT IN ('host-reported', 'logs-watched', 'assigned');
PRAGMA user_version = 2;
"""
_CHAIN_ADDED = "ALTER TABLE events ADD COLUMN hash TEXT NOT NULL DEFAULT ''; PRAGMA user_version = 2;"
_CHAINED = "SELECT seq, at, by, kind, rollout, app, body, hash FROM events ORDER BY seq"
AUDIT = "noonday audit --log {path} says where"


def connect(path: Path) -> sqlite3.Connection:
    """For reading and writing, from any thread, one at a time; a commit is on disk when it returns."""
    connection = sqlite3.connect(path, timeout=BUSY, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(SMALL_CACHE)
    return connection


def reader(path: Path) -> sqlite3.Connection:
    """For reading what is there; never makes a file. Raises `sqlite3.Error`."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY)


def prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Make the tables, or bring those of an older version up to this one. Raises `Permanent` for a newer one."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        connection.executescript(f"BEGIN; {_TABLES} COMMIT;")
    elif version == 1:
        connection.executescript(f"BEGIN; {_CHAIN_ADDED} COMMIT;")
    elif version != SCHEMA:
        text = f"{path} has schema {version}, and this version knows {SCHEMA}"
        raise refused(text, "start the Noonday that wrote it")


def damage(connection: sqlite3.Connection, *, most: int | None = None) -> str:
    """What is wrong with the file, as a sentence; empty when nothing is found. `most`: bytes of the largest file whose
    every page is looked at."""
    size = connection.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").fetchone()[0]
    if most is None or size <= most:
        # Not the quick one: it passes over an index that lacks records, and with it a history that leaves them out.
        found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
        if found != "ok":
            return f"SQLite finds damage in the event log: {found}."
    count, last = connection.execute("SELECT count(*), coalesce(max(seq), 0) FROM events").fetchone()
    return "" if count == last else f"{last - count} of {last} records are missing from the event log."


def audit_file(path: Path, noted: Head | None = None) -> Audit:
    """Look through the whole file and along its chain, also while a coordinator writes it; 10 s for a million records.
    `noted`: as in `audit`. Raises `Permanent` for what is no event log, `Temporary` for what can't be read now."""
    with as_ours(path, "read"), closing(reader(path)) as connection:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version not in (1, SCHEMA):
            raise refused(f"{path} has schema {version}, and this version knows {SCHEMA}", "name an event log")
        # Text that is no longer UTF-8 is read as something else, so its hash names the record that it is in.
        connection.text_factory = lambda raw: raw.decode(errors="replace")
        connection.execute("BEGIN")  # one instant of a file that goes on growing
        found = audit(_chained(connection, version), noted)
        words = found.words or damage(connection)
    return found if words == found.words else Audit(found.records, found.chained_from, found.head, 0, words)


def chain_of(connection: sqlite3.Connection) -> Head:
    """The end of the chain. Reads all of a log that has none yet."""
    row = connection.execute("SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1").fetchone()
    if row is None or row[1]:
        return Head(*row) if row else Head()
    return audit(connection.execute(_CHAINED)).head


def _chained(connection: sqlite3.Connection, version: int) -> Iterator[Chained]:
    yield from connection.execute(_CHAINED if version == SCHEMA else _CHAINED.replace(", hash", ", ''"))


@contextmanager
def as_ours(path: Path, doing: str) -> Iterator[None]:
    """SQLite's errors as sentences: `Temporary` where it may pass, `Permanent` for damage."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if not hasattr(error, "sqlite_errorcode"):  # not SQLite's: text was found that can't be decoded
            raise _damaged(path, "a text in it is not UTF-8") from error
        raise _not_now(path, doing, error) from error
    except sqlite3.DatabaseError as error:
        if type(error) is not sqlite3.DatabaseError:
            raise  # a misuse of ours, which no backup mends
        raise _damaged(path, str(error)) from error


def refused(why: str, next_action: str) -> Permanent:
    return Permanent(f"The event log can't be used: {why}.", rule="event-log", next_action=next_action)


def _damaged(path: Path, why: str) -> Permanent:
    return refused(f"{path} is damaged ({why})", f"{AUDIT.format(path=path)}; restore a backup")


def full(path: Path) -> Temporary:
    text = (
        f"The disk of the event log {path} is full, so nothing was kept of this and nothing was changed. Rollouts "
        "under way stay as they are, and go on by themselves once there is room."
    )
    return Temporary(text, rule="disk-full", next_action=f"free space there: df -h {path.parent}")


def _not_now(path: Path, doing: str, error: sqlite3.OperationalError) -> Temporary:
    if is_full(error, path.parent):
        return full(path)
    text = f"The event log {path} can't be {doing}: {error}."
    fix = f"check the disk and the folder's owner: df -h {path.parent}, ls -l {path.parent}"
    return Temporary(text, rule="event-log", next_action=fix)
