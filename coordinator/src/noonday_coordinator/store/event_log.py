"""The event log: every fact, in order, for ever. SQLite with one writer; what was appended survives a power cut."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from noonday_coordinator.core import events as e
from noonday_coordinator.core.events import Event, Record
from noonday_coordinator.store.codec import from_json, kind_of, to_json
from noonday_coordinator.store.lock import Lock
from noonday_shared.errors import Permanent, Temporary

_SCHEMA = 1
_TABLES = """
CREATE TABLE events (
  seq INTEGER PRIMARY KEY, at REAL NOT NULL, by TEXT NOT NULL, kind TEXT NOT NULL,
  rollout TEXT NOT NULL, app TEXT NOT NULL, body TEXT NOT NULL
) STRICT;
CREATE INDEX events_of_rollout ON events (rollout, seq) WHERE rollout <> '';
CREATE INDEX events_told ON events (app, seq) WHERE kind NOT IN ('host-reported', 'logs-watched', 'assigned');
PRAGMA user_version = 1;
"""
_COLUMNS = "SELECT seq, at, by, kind, body FROM events"
_TOLD = "kind NOT IN ('host-reported', 'logs-watched', 'assigned')"


class EventLog:
    """Safe to call from any thread. Open it once: a second coordinator on the same path is refused."""

    def __init__(self, path: Path, lock: Lock) -> None:
        self.path = path
        self._lock = lock
        self._writer = _connect(path)
        self._writing = threading.Lock()
        self._scopes = _Scopes()
        self._last = 0

    @classmethod
    def open(cls, path: Path) -> EventLog:
        """Make or open the log, and look whether it is whole. Raises `Permanent` when it can't be trusted."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = Lock.take(path.with_name(f"{path.name}.lock"))
        except OSError as error:
            raise _refused(f"{path}: {error.strerror}", "check data_dir in coordinator.toml and its owner") from error
        try:
            with _as_ours(path, "opened"):
                log = cls(path, lock)
                log._prepare()
        except BaseException:
            lock.release()
            raise
        return log

    def append(self, events: Sequence[Event], *, at: float, by: str) -> tuple[Record, ...]:
        """All of `events` or none, on disk before it returns. Raises `Temporary` when the disk refuses."""
        with self._writing, _as_ours(self.path, "written"):
            records = tuple(Record(self._last + n, at, by, event) for n, event in enumerate(events, 1))
            scopes = self._scopes.copy()
            rows = [_row(record, scopes) for record in records]
            with self._writer:
                self._writer.execute("BEGIN IMMEDIATE")
                self._writer.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
            self._scopes = scopes
            self._last += len(records)
        return records

    def read(self, after: int = 0, limit: int | None = None) -> list[Record]:
        """Records with a greater number than `after`, oldest first."""
        return self._select(f"{_COLUMNS} WHERE seq > ? ORDER BY seq LIMIT ?", (after, _limit(limit)))

    def of_rollout(self, rollout: str, after: int = 0, limit: int | None = None) -> list[Record]:
        """What happened in one rollout, and what its app's hosts reported meanwhile; oldest first."""
        where = f"{_COLUMNS} WHERE rollout = ? AND rollout <> '' AND seq > ? ORDER BY seq LIMIT ?"
        return self._select(where, (rollout, after, _limit(limit)))

    def newest(self, rollout: str, kind: str) -> Record | None:
        """The last record of this kind in one rollout."""
        where = f"{_COLUMNS} WHERE rollout = ? AND rollout <> '' AND kind = ? ORDER BY seq DESC LIMIT 1"
        return next(iter(self._select(where, (rollout, kind))), None)

    def told(self, app: str = "", before: int | None = None, limit: int = 200) -> list[Record]:
        """The newest records worth telling (no reports, no assignments) of one app, or of everything; newest first."""
        upto = before if before is not None else 1 << 62
        scope, values = ("app = ? AND", (app, upto, limit)) if app else ("", (upto, limit))
        return self._select(f"{_COLUMNS} WHERE {scope} {_TOLD} AND seq < ? ORDER BY seq DESC LIMIT ?", values)

    def trouble(self) -> str:
        """Look through the whole file; a sentence when it is damaged, else empty. Takes seconds on a large log."""
        try:
            return _damage(self._reader())
        except sqlite3.Error as error:
            return f"{self.path} can't be read: {error}."

    def close(self) -> None:
        """Safe to repeat."""
        with self._writing:
            self._writer.close()
            self._lock.release()

    def _prepare(self) -> None:
        version = self._writer.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            self._writer.executescript(f"BEGIN; {_TABLES} COMMIT;")
        elif version != _SCHEMA:
            text = f"{self.path} has schema {version}, and this version knows {_SCHEMA}"
            raise _refused(text, "start the Noonday that wrote it")
        damage = _damage(self._writer)
        if damage:
            raise _refused(damage.rstrip("."), f"restore {self.path} from a backup; nothing was changed")
        self._last = self._writer.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()[0]
        for record in self._select(f"{_COLUMNS} WHERE kind IN ('rollout-started', 'rollout-ended') ORDER BY seq", ()):
            self._scopes.of(record.event)

    def _select(self, query: str, values: Sequence[Any]) -> list[Record]:
        with _as_ours(self.path, "read"):
            connection = self._reader()
            try:
                rows = connection.execute(query, values).fetchall()
            finally:
                connection.close()
        return [Record(seq, at, by, from_json(kind, body)) for seq, at, by, kind, body in rows]

    def _reader(self) -> sqlite3.Connection:
        # One for each question: a reader shared between threads would make questions wait for one another.
        connection = _connect(self.path)
        connection.execute("PRAGMA query_only = ON")
        return connection


class _Scopes:
    """Which app and rollout an event belongs to: some name only one of the two."""

    def __init__(self) -> None:
        self._apps: dict[str, str] = {}
        self._active: dict[str, str] = {}

    def copy(self) -> _Scopes:
        twin = _Scopes()
        twin._apps, twin._active = dict(self._apps), dict(self._active)
        return twin

    def of(self, event: Event) -> tuple[str, str]:
        """(rollout, app), either may be empty. Takes note of rollouts that start and end."""
        match event:
            case e.RolloutStarted(rollout, app):
                self._apps[rollout] = app
                self._active[app] = rollout
            case e.RolloutEnded(rollout):
                self._active.pop(self._apps.get(rollout, ""), None)
        app = str(getattr(event, "app", ""))
        rollout = str(getattr(event, "rollout", ""))
        if isinstance(event, e.HostReported):
            rollout = self._active.get(app, "")
        return rollout, app or self._apps.get(rollout, "")


def _row(record: Record, scopes: _Scopes) -> tuple[int, float, str, str, str, str, str]:
    rollout, app = scopes.of(record.event)
    return record.seq, record.at, record.by, kind_of(record.event), rollout, app, to_json(record.event)


def _limit(limit: int | None) -> int:
    return -1 if limit is None else limit


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def _damage(connection: sqlite3.Connection) -> str:
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        return f"SQLite finds damage in the event log: {found}."
    count, last = connection.execute("SELECT count(*), coalesce(max(seq), 0) FROM events").fetchone()
    return "" if count == last else f"{last - count} of {last} records are missing from the event log."


@contextmanager
def _as_ours(path: Path, doing: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        text = f"The event log {path} can't be {doing}: {error}."
        raise Temporary(
            text, rule="event-log", next_action="check disk space and the folder's owner: df, ls -l"
        ) from error
    except sqlite3.DatabaseError as error:
        if type(error) is not sqlite3.DatabaseError:
            raise  # a misuse of ours, which no backup mends
        raise _refused(f"{path} is damaged ({error})", "restore it from a backup") from error


def _refused(why: str, next_action: str) -> Permanent:
    return Permanent(f"The event log can't be used: {why}.", rule="event-log", next_action=next_action)
