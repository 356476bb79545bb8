"""The event log: every fact, in order, for ever. SQLite with one writer; what was appended survives a power cut."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from noonday_coordinator.core import events as e
from noonday_coordinator.core.events import Event, Record
from noonday_coordinator.store import log_file
from noonday_coordinator.store.chain import Head, Row, Walk, link
from noonday_coordinator.store.codec import from_json, kind_of, to_json
from noonday_coordinator.store.head import HeadFile, cut_off
from noonday_coordinator.store.lock import Lock
from noonday_coordinator.store.log_file import AUDIT, as_ours, refused
from noonday_coordinator.store.sqlite import is_full
from noonday_shared.errors import NoondayError

_COLUMNS = "SELECT seq, at, by, kind, body FROM events"
_CHAINED = "SELECT seq, at, by, kind, rollout, app, body, hash FROM events"
_AT_ONCE = 500
_TOLD = "kind NOT IN ('host-reported', 'logs-watched', 'assigned')"


@dataclass(frozen=True, slots=True)
class Kept:
    """A record as it stands in the table: with the rollout and the app it belongs to, and its hash in the chain."""

    record: Record
    rollout: str
    app: str
    hash: str


class EventLog:
    """Safe to call from any thread. Open it once: a second coordinator on the same path is refused."""

    def __init__(self, path: Path, lock: Lock) -> None:
        self.path = path
        self._lock = lock
        self._writer = log_file.connect(path)
        self._writing = threading.Lock()
        self._scopes = _Scopes()
        self._beside = HeadFile(path.with_suffix(".head"))
        self._head = Head()

    @classmethod
    def open(cls, path: Path) -> EventLog:
        """Make or open the log, and look whether it is whole. Raises `Permanent` when it can't be trusted, `Temporary`
        when there is no room for it."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = Lock.take(path.with_name(f"{path.name}.lock"))
        except OSError as error:
            if is_full(error, path.parent):
                raise log_file.full(path) from error
            raise refused(f"{path}: {error.strerror}", "check data_dir in coordinator.toml and its owner") from error
        try:
            with as_ours(path, "opened"):
                log = cls(path, lock)
                log._prepare()
        except BaseException:  # a log that could not be opened, for whatever reason, is not ours to lock
            lock.release()
            raise
        return log

    @property
    def head(self) -> Head:
        """The end of the chain: the newest record's number and hash."""
        return self._head

    def leads_to(self, head: Head) -> bool:
        """Whether its record of that number carries this hash."""
        (found,) = self._rows("SELECT count(*) FROM events WHERE seq = ? AND hash = ?", (head.seq, head.hash))
        return bool(found[0])

    def probe(self) -> None:
        """Write something that changes nothing. Raises `Temporary` when the disk refuses."""
        with self._writing, as_ours(self.path, "written"):
            self._writer.execute(f"PRAGMA user_version = {log_file.SCHEMA}")

    def append(self, events: Sequence[Event], *, at: float, by: str) -> tuple[Record, ...]:
        """All of `events` or none, on disk before it returns. Raises `Temporary` when the disk refuses."""
        with self._writing, as_ours(self.path, "written"):
            records = tuple(Record(self._head.seq + n, at, by, event) for n, event in enumerate(events, 1))
            scopes, head, rows = self._scopes.copy(), self._head, []
            for record in records:
                row = _row(record, scopes)
                head = Head(record.seq, link(head.hash, row))
                rows.append((*row, head.hash))
            with self._writer:
                self._writer.execute("BEGIN IMMEDIATE")
                self._writer.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
            self._scopes, self._head = scopes, head
            self._beside.write(head)
        return records

    def read(self, after: int = 0, limit: int | None = None) -> list[Record]:
        """Records with a greater number than `after`, oldest first. Raises `Permanent` when one was changed."""
        query = f"{_CHAINED} WHERE seq >= ? ORDER BY seq LIMIT ?"
        rows = self._rows(query, (after, -1 if limit is None else limit + 1))
        before = rows.pop(0)[7] if rows and rows[0][0] == after else ""
        walk = Walk(Head(after, before) if after else None)
        for row in rows[:limit]:
            words = walk.step(row)
            if words:
                raise refused(words.rstrip("."), f"restore a backup; {AUDIT.format(path=self.path)}")
        return [Record(seq, at, by, from_json(kind, body)) for seq, at, by, kind, _, _, body, _ in rows[:limit]]

    def of_rollout(self, rollout: str, after: int = 0, limit: int | None = None) -> list[Record]:
        """What happened in one rollout, and what its app's hosts reported meanwhile; oldest first."""
        where = f"{_COLUMNS} WHERE rollout = ? AND rollout <> '' AND seq > ? ORDER BY seq LIMIT ?"
        return self._select(where, (rollout, after, _limit(limit)))

    def kept(self, *, rollout: str = "", app: str = "", after: int = 0, limit: int = 500) -> list[Kept]:
        """Records of one rollout, of one app, or all, with what the table says of them; oldest first."""
        scopes = [("rollout = ? AND rollout <> ''", rollout), ("app = ?", app)]
        chosen = [(where, value) for where, value in scopes if value]
        where = " AND ".join(["seq > ?", *(one for one, _ in chosen)])
        values = (after, *(value for _, value in chosen), limit)
        rows = self._rows(f"{_CHAINED} WHERE {where} ORDER BY seq LIMIT ?", values)
        return [Kept(Record(row[0], row[1], row[2], from_json(row[3], row[6])), row[4], row[5], row[7]) for row in rows]

    def newest(self, rollout: str, kind: str) -> Record | None:
        """The last record of this kind in one rollout."""
        where = f"{_COLUMNS} WHERE rollout = ? AND rollout <> '' AND kind = ? ORDER BY seq DESC LIMIT 1"
        return next(iter(self._select(where, (rollout, kind))), None)

    def numbered(self, numbers: Collection[int]) -> dict[int, Record]:
        """The records of these numbers, by number, as far as there are such."""
        wanted, found = sorted(numbers), list[Record]()
        for start in range(0, len(wanted), _AT_ONCE):
            some = wanted[start : start + _AT_ONCE]
            found += self._select(f"{_COLUMNS} WHERE seq IN ({', '.join('?' * len(some))})", some)
        return {record.seq: record for record in found}

    def told(self, app: str = "", before: int | None = None, limit: int = 200) -> list[Record]:
        """The newest records worth telling (no reports, no assignments) of one app, or of everything; newest first."""
        upto = before if before is not None else 1 << 62
        scope, values = ("app = ? AND", (app, upto, limit)) if app else ("", (upto, limit))
        return self._select(f"{_COLUMNS} WHERE {scope} {_TOLD} AND seq < ? ORDER BY seq DESC LIMIT ?", values)

    def trouble(self) -> str:
        """Look through the whole file and its chain; a sentence when it is damaged, else empty. Takes seconds on a
        large log."""
        try:
            return log_file.audit_file(self.path).words
        except NoondayError as error:
            return error.text

    def close(self) -> None:
        """Safe to repeat."""
        with self._writing:
            self._writer.close()
            self._beside.close()
            self._lock.release()

    def _prepare(self) -> None:
        log_file.prepare(self._writer, self.path)
        damage = log_file.damage(self._writer, most=log_file.QUICK)
        if damage:
            fix = f"restore a backup: noonday restore; {AUDIT.format(path=self.path)}; nothing was changed"
            raise refused(damage.rstrip("."), fix)
        self._head = log_file.chain_of(self._writer)
        kept = self._beside.read()
        if kept is not None:
            there = self._writer.execute("SELECT hash FROM events WHERE seq = ?", (kept.seq,)).fetchone()
            cut = cut_off(kept, self._head.seq, there[0] if there else "", self.path)
            if cut is not None:
                raise cut
        self._beside.write(self._head)
        names = f"{_COLUMNS} WHERE kind IN ('rollout-started', 'rollout-ended') ORDER BY seq"
        for record in self._select(names, ()):
            self._scopes.of(record.event)

    def _select(self, query: str, values: Sequence[Any]) -> list[Record]:
        return [Record(seq, at, by, from_json(kind, body)) for seq, at, by, kind, body in self._rows(query, values)]

    def _rows(self, query: str, values: Sequence[Any]) -> list[Any]:
        # A connection for each question: one shared between threads would make questions wait for one another.
        with as_ours(self.path, "read"), closing(log_file.reader(self.path)) as connection:
            return connection.execute(query, values).fetchall()


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
        app, rollout = str(getattr(event, "app", "")), str(getattr(event, "rollout", ""))
        match event:
            case e.RolloutStarted():
                self._apps[rollout] = app
                self._active[app] = rollout
            case e.RolloutEnded():
                # Of one that has ended only events tell that name its app themselves.
                app = self._apps.pop(rollout, "")
                self._active.pop(app, None)
            case e.HostReported():
                rollout = self._active.get(app, "")
        return rollout, app or self._apps.get(rollout, "")


def _row(record: Record, scopes: _Scopes) -> Row:
    rollout, app = scopes.of(record.event)
    return record.seq, float(record.at), record.by, kind_of(record.event), rollout, app, to_json(record.event)


def _limit(limit: int | None) -> int:
    return -1 if limit is None else limit
