"""Windows on disk: the last four hours of each app, and all of each rollout with its trial, for replay.

Beside them what makes a restart lose nothing: how far each host was told, and the messages since the last window.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from noonday_coordinator.store.blob import Blob
from noonday_coordinator.store.sqlite import open_lossy, reading, written
from noonday_coordinator.verdict.protocol import Trial
from noonday_coordinator.verdict.sampler import Base
from noonday_coordinator.verdict.window import Window
from noonday_shared.messages import Evidence

KEPT = 4 * 3600.0
"""Seconds for which windows outside rollouts are kept."""
ROLLOUTS = 50
"""Rollouts of each app that can be replayed, ..."""
ROLLOUTS_BYTES = 500 << 20
"""... or fewer, where they take more than this."""
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
CREATE TABLE IF NOT EXISTS arrived (
  number INTEGER PRIMARY KEY, app TEXT NOT NULL, at REAL NOT NULL, body BLOB NOT NULL
) STRICT;
"""
_RULE, _WHAT = "windows", "The store of windows"
_WINDOW: Blob[Window] = Blob("window", Window)
_TRIAL: Blob[Trial] = Blob("trial", Trial)
_BASE: Blob[Base] = Blob("count", Base)
_ARRIVED: Blob[Evidence] = Blob("message", Evidence)
Arrival = tuple[float, Evidence]
"""When it came, in seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Windows on their way to disk, with how far each host was told when they ended."""

    app: str
    at: float
    windows: tuple[tuple[str, float, str, bytes], ...]
    bases: tuple[tuple[str, str, float, bytes], ...]

    @classmethod
    def of(cls, app: str, windows: Sequence[Window], bases: Mapping[str, Base], *, rollout: str, at: float) -> Cut:
        return cls(
            app,
            at,
            tuple((app, window.ends, rollout, _WINDOW.pack(window)) for window in windows),
            tuple((app, host, at, _BASE.pack(base)) for host, base in bases.items()),
        )


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
        """As `write`."""
        self.write(Cut.of(app, windows, bases, rollout=rollout, at=at))

    def write(self, cut: Cut) -> None:
        """Keep windows and where the next ones begin; all or nothing. The messages that are in them now, and windows
        that are too old, are forgotten. Raises `Temporary` when the disk refuses."""
        with self._lock, written(self._connection, rule=_RULE, what=_WHAT):
            do = self._connection
            do.executemany("INSERT INTO windows (app, ends, rollout, body) VALUES (?, ?, ?, ?)", cut.windows)
            do.execute("DELETE FROM bases WHERE app = ?", (cut.app,))
            do.executemany("INSERT INTO bases VALUES (?, ?, ?, ?)", cut.bases)
            do.execute("DELETE FROM arrived WHERE app = ?", (cut.app,))
            gone = "DELETE FROM windows WHERE app = ? AND ends < ? AND rollout = ''"
            do.execute(gone, (cut.app, cut.at - KEPT))

    def remember(self, arrivals: Iterable[Arrival]) -> None:
        """Keep messages until they are in a window. Raises `Temporary` when the disk refuses."""
        rows = [(one.app, at, _ARRIVED.pack(one.model_copy(update={"lines": ()}))) for at, one in arrivals]
        with self._lock, written(self._connection, rule=_RULE, what=_WHAT):
            self._connection.executemany("INSERT INTO arrived (app, at, body) VALUES (?, ?, ?)", rows)

    def arrived(self) -> tuple[Arrival, ...]:
        """Messages that are in no window yet, as they came."""
        return tuple((at, _ARRIVED.unpack(body)) for at, body in self._all("SELECT at, body FROM arrived", ()))

    def bases(self, app: str) -> tuple[dict[str, Base], float]:
        """By host: where its next window begins; and when the newest was kept."""
        rows = self._all("SELECT host, at, body FROM bases WHERE app = ?", (app,))
        return {host: _BASE.unpack(body) for host, _, body in rows}, max((at for _, at, _ in rows), default=0.0)

    def apps(self) -> list[str]:
        return [app for (app,) in self._all("SELECT DISTINCT app FROM bases ORDER BY app", ())]

    def between(self, app: str, since: float, until: float) -> Iterator[Window]:
        """Windows that ended after `since` and not after `until`, oldest first; unpacked one by one, since those of
        hours are ten times as large as what is made of them."""
        where = "SELECT body FROM windows WHERE app = ? AND ends > ? AND ends <= ? ORDER BY number"
        return (_WINDOW.unpack(body) for (body,) in self._all(where, (app, since, until)))

    def of_rollout(self, rollout: str) -> tuple[Window, ...]:
        """All windows of a rollout, oldest first; none when it is too old."""
        where = "SELECT body FROM windows WHERE rollout = ? AND rollout <> '' ORDER BY number"
        return tuple(_WINDOW.unpack(body) for (body,) in self._all(where, (rollout,)))

    def part_of(self, rollout: str, after: int, most: int) -> tuple[tuple[int, Window], ...]:
        """At most so many windows of a rollout, by number, beginning behind the number `after`."""
        where = "SELECT number, body FROM windows WHERE rollout = ? AND rollout <> '' AND number > ? ORDER BY number"
        rows = self._all(f"{where} LIMIT ?", (rollout, after, most))
        return tuple((number, _WINDOW.unpack(body)) for number, body in rows)

    def keep(self, trial: Trial) -> None:
        """What was known when a rollout began. The oldest rollouts of the app are forgotten."""
        rollout = trial.rollout
        with self._lock, written(self._connection, rule=_RULE, what=_WHAT):
            row = (rollout.id, rollout.app, _TRIAL.pack(trial))
            self._connection.execute("INSERT OR REPLACE INTO trials (rollout, app, body) VALUES (?, ?, ?)", row)
            for name in self._too_many(rollout.app):
                self._connection.execute("DELETE FROM trials WHERE rollout = ?", (name,))
                self._connection.execute("UPDATE windows SET rollout = '' WHERE rollout = ?", (name,))

    def trial(self, rollout: str) -> Trial | None:
        rows = self._all("SELECT body FROM trials WHERE rollout = ?", (rollout,))
        return _TRIAL.unpack(rows[0][0]) if rows else None

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def _too_many(self, app: str) -> list[str]:
        """Rollouts that make room, by number or by size; never the newest."""
        sizes = (
            "SELECT trials.rollout, length(trials.body) + coalesce(sum(length(windows.body)), 0) FROM trials"
            " LEFT JOIN windows ON windows.rollout = trials.rollout AND windows.rollout <> ''"
            " WHERE trials.app = ? GROUP BY trials.number ORDER BY trials.number DESC"
        )
        found, total = [], 0
        for turn, (name, size) in enumerate(self._connection.execute(sizes, (app,)).fetchall()):
            total += size
            if turn and (turn >= ROLLOUTS or total > ROLLOUTS_BYTES):
                found.append(name)
        return found

    def _all(self, statement: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        with self._lock, reading(rule=_RULE, what=_WHAT):
            return self._connection.execute(statement, values).fetchall()
