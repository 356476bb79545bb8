"""Windows on disk: the last four hours of each app, and all of each rollout with its trial, for replay."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from noonday_coordinator.store.blob import Blob
from noonday_coordinator.store.sqlite import open_lossy, written
from noonday_coordinator.verdict.protocol import Trial
from noonday_coordinator.verdict.sampler import Base
from noonday_coordinator.verdict.window import Window

KEPT = 4 * 3600.0
"""Seconds for which windows outside rollouts are kept."""
ROLLOUTS = 50
"""Rollouts of each app that can be replayed."""
_TABLES = """
CREATE TABLE IF NOT EXISTS windows (
  number INTEGER PRIMARY KEY, app TEXT NOT NULL, ends REAL NOT NULL, rollout TEXT NOT NULL, body BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS windows_by_time ON windows (app, ends);
CREATE INDEX IF NOT EXISTS windows_of_rollout ON windows (rollout, number) WHERE rollout <> '';
CREATE TABLE IF NOT EXISTS trials (
  number INTEGER PRIMARY KEY, rollout TEXT NOT NULL UNIQUE, app TEXT NOT NULL, body BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS bases (
  app TEXT NOT NULL, host TEXT NOT NULL, at REAL NOT NULL, body BLOB NOT NULL, PRIMARY KEY (app, host)
) STRICT, WITHOUT ROWID;
"""
_RULE, _WHAT = "windows", "The store of windows"
_WINDOW: Blob[Window] = Blob("window", Window)
_TRIAL: Blob[Trial] = Blob("trial", Trial)
_BASE: Blob[Base] = Blob("count", Base)


class WindowStore:
    """Safe to call from any thread."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    @classmethod
    def open(cls, path: Path) -> WindowStore:
        """Raises `Permanent` when the file can't be used."""
        return cls(open_lossy(path, _TABLES, rule=_RULE, what=_WHAT))

    def append(
        self, app: str, windows: Sequence[Window], bases: Mapping[str, Base], *, rollout: str = "", at: float
    ) -> None:
        """Keep them, and where the next ones begin; all or nothing. Raises `Temporary` when the disk refuses."""
        rows = [(app, window.ends, rollout, _WINDOW.pack(window)) for window in windows]
        places = [(app, host, at, _BASE.pack(base)) for host, base in bases.items()]
        with self._lock, written(self._connection, rule=_RULE, what=_WHAT):
            self._connection.executemany("INSERT INTO windows (app, ends, rollout, body) VALUES (?, ?, ?, ?)", rows)
            self._connection.executemany("INSERT OR REPLACE INTO bases VALUES (?, ?, ?, ?)", places)
            gone = "DELETE FROM windows WHERE app = ? AND ends < ? AND rollout = ''"
            self._connection.execute(gone, (app, at - KEPT))

    def bases(self, app: str) -> tuple[dict[str, Base], float]:
        """By host: where its next window begins; and when the newest was kept."""
        rows = self._all("SELECT host, at, body FROM bases WHERE app = ?", (app,))
        return {host: _BASE.unpack(body) for host, _, body in rows}, max((at for _, at, _ in rows), default=0.0)

    def apps(self) -> list[str]:
        return [app for (app,) in self._all("SELECT DISTINCT app FROM bases ORDER BY app", ())]

    def between(self, app: str, since: float, until: float) -> tuple[Window, ...]:
        """Windows that ended after `since` and not after `until`, oldest first."""
        where = "SELECT body FROM windows WHERE app = ? AND ends > ? AND ends <= ? ORDER BY number"
        return tuple(_WINDOW.unpack(body) for (body,) in self._all(where, (app, since, until)))

    def of_rollout(self, rollout: str) -> tuple[Window, ...]:
        """All windows of a rollout, oldest first; none when it is too old."""
        where = "SELECT body FROM windows WHERE rollout = ? AND rollout <> '' ORDER BY number"
        return tuple(_WINDOW.unpack(body) for (body,) in self._all(where, (rollout,)))

    def keep(self, trial: Trial) -> None:
        """What was known when a rollout began. The oldest rollouts of the app are forgotten."""
        rollout = trial.rollout
        with self._lock, written(self._connection, rule=_RULE, what=_WHAT):
            row = (rollout.id, rollout.app, _TRIAL.pack(trial))
            self._connection.execute("INSERT OR REPLACE INTO trials (rollout, app, body) VALUES (?, ?, ?)", row)
            old = "SELECT rollout FROM trials WHERE app = ? ORDER BY number DESC LIMIT -1 OFFSET ?"
            for (name,) in self._connection.execute(old, (rollout.app, ROLLOUTS)).fetchall():
                self._connection.execute("DELETE FROM trials WHERE rollout = ?", (name,))
                self._connection.execute("UPDATE windows SET rollout = '' WHERE rollout = ?", (name,))

    def trial(self, rollout: str) -> Trial | None:
        rows = self._all("SELECT body FROM trials WHERE rollout = ?", (rollout,))
        return _TRIAL.unpack(rows[0][0]) if rows else None

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def _all(self, statement: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._connection.execute(statement, values).fetchall()
