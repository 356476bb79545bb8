"""The catalogue on disk: what each app's log was ever seen to hold. What people say of it is in the event log."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections import Counter
from collections.abc import Collection, Container, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from noonday_coordinator.store.blob import Blob
from noonday_coordinator.store.sqlite import open_lossy, written
from noonday_coordinator.verdict.catalogue import START, Catalogue, Cluster, Clusters, Entry
from noonday_coordinator.verdict.window import HostWindow, Window
from noonday_shared.errors import Temporary
from noonday_shared.messages.evidence import IDENTITY_VERSION

MOST = 20_000
"""Entries of one app. Beyond that are forgotten: of clusters that make ever new keys first, then what was seen once,
and of these what was not seen for the longest time. So a flood of garbage drives out garbage."""
MOST_RELEASES = 100
"""Releases of which it is known how often they showed an entry; the one that was not seen for the longest time is
forgotten."""
CROWD = 100
"""Entries of a cluster that make it one that makes ever new keys."""
SAVE_EVERY = 60.0
"""Seconds for which counts may be in memory only; a new kind of record is on disk at once."""
_TABLES = """
CREATE TABLE IF NOT EXISTS entries (
  app TEXT NOT NULL, identity INTEGER NOT NULL, key TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (app, identity, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS clusters (
  app TEXT NOT NULL, identity INTEGER NOT NULL, id INTEGER NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (app, identity, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS times (
  app TEXT PRIMARY KEY, seconds REAL NOT NULL, start_seconds REAL NOT NULL
) STRICT, WITHOUT ROWID;
"""
_RULE, _WHAT = "catalogue", "The catalogue of log records"
_ENTRY: Blob[Entry] = Blob("entry", Entry)
_CLUSTER: Blob[Cluster] = Blob("cluster", Cluster)

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _App:
    entries: dict[str, Entry] = field(default_factory=dict)
    clusters: Clusters = field(default_factory=Clusters)
    seconds: float = 0.0
    start_seconds: float = 0.0
    changed: set[str] = field(default_factory=set)
    """Keys whose entries are not on disk as they are in memory, ..."""
    widened: set[int] = field(default_factory=set)
    """... and clusters."""
    saved_at: float = 0.0


class CatalogueStore:
    """Safe to call from any thread. All of it is in memory too, so asking never touches the disk."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._apps: dict[str, _App] = {}

    @classmethod
    def open(cls, path: Path) -> CatalogueStore:
        """Raises `Permanent` when the file can't be used."""
        store = cls(open_lossy(path, _TABLES, rule=_RULE, what=_WHAT))
        store._load()
        return store

    def note(self, app: str, window: Window, caveats: Container[str] = ()) -> None:
        """Count what a window holds: once each; entries of `caveats` are never forgotten. Raises `Temporary` when the
        disk refuses: it is counted all the same, and written with a later window."""
        with self._lock:
            known = self._apps.setdefault(app, _App())
            new = _new_entries(known, window)
            for seen in window.hosts.values():
                known.seconds += seen.seconds
                known.start_seconds += seen.seconds if _starting(seen) else 0.0
            known.changed |= new | _count(known, window)
            known.widened |= {known.entries[key].cluster for key in new}
            gone, empty = _forgotten(known, caveats)
            if new or gone or not 0 <= window.ends - known.saved_at < SAVE_EVERY:
                self._write(app, known, gone, empty)
                known.saved_at = window.ends

    def frozen(self, app: str, untrusted: Iterable[str] = ()) -> Catalogue:
        """As it is now. `untrusted`: releases whose records are no excuse."""
        with self._lock:
            known = self._apps.get(app, _App())
            return Catalogue(
                entries=dict(known.entries),
                clusters=dict(known.clusters.all),
                untrusted=frozenset(untrusted),
                seconds=known.seconds,
                start_seconds=known.start_seconds,
            )

    def close(self) -> None:
        with self._lock:
            for app, known in self._apps.items():
                try:
                    self._write(app, known, frozenset(), frozenset())
                except Temporary as error:
                    _log.error("%s The counts of the last minute are lost.", error)
            self._connection.close()

    def _load(self) -> None:
        rows = self._connection.execute("SELECT app, key, body FROM entries WHERE identity = ?", (IDENTITY_VERSION,))
        for app, key, body in rows.fetchall():
            self._apps.setdefault(app, _App()).entries[key] = _ENTRY.unpack(body)
        clusters: dict[str, list[Cluster]] = {}
        statement = "SELECT app, body FROM clusters WHERE identity = ? ORDER BY app, id"
        for app, body in self._connection.execute(statement, (IDENTITY_VERSION,)).fetchall():
            clusters.setdefault(app, []).append(_CLUSTER.unpack(body))
        for app, found in clusters.items():
            self._apps.setdefault(app, _App()).clusters = Clusters(found)
        for app, seconds, start in self._connection.execute("SELECT app, seconds, start_seconds FROM times").fetchall():
            known = self._apps.setdefault(app, _App())
            known.seconds, known.start_seconds = seconds, start

    def _write(self, app: str, known: _App, gone: Collection[str], empty: Collection[int]) -> None:
        groups = [(app, IDENTITY_VERSION, one, _CLUSTER.pack(known.clusters.all[one])) for one in sorted(known.widened)]
        entries = [(app, IDENTITY_VERSION, key, _ENTRY.pack(known.entries[key])) for key in sorted(known.changed)]
        with written(self._connection, rule=_RULE, what=_WHAT):
            do = self._connection
            do.executemany("INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?)", entries)
            do.executemany("INSERT OR REPLACE INTO clusters VALUES (?, ?, ?, ?)", groups)
            times = (app, known.seconds, known.start_seconds)
            do.execute("INSERT OR REPLACE INTO times VALUES (?, ?, ?)", times)
            drop = "DELETE FROM entries WHERE app = ? AND identity = ? AND key = ?"
            do.executemany(drop, [(app, IDENTITY_VERSION, key) for key in gone])
            drop = "DELETE FROM clusters WHERE app = ? AND identity = ? AND id = ?"
            do.executemany(drop, [(app, IDENTITY_VERSION, one) for one in empty])
        known.changed, known.widened = set(), set()


def _new_entries(known: _App, window: Window) -> set[str]:
    """Entries for the templates that a window tells and nobody knew, in canonical order; their keys."""
    found = set()
    for template in sorted(window.templates, key=lambda one: one.key):
        if template.key not in known.entries:
            known.entries[template.key] = Entry(
                key=template.key,
                level=template.level,
                logger=template.logger,
                text=template.text,
                cluster=known.clusters.find(template).id,
                first_seen=template.first_seen,
                last_seen=window.ends,
                samples=template.samples,
            )
            found.add(template.key)
    return found


def _count(known: _App, window: Window) -> set[str]:
    """Adds what the hosts saw to the entries that are known; their keys."""
    rows: dict[str, list[tuple[str, HostWindow, int, int]]] = {}
    for host, seen in window.hosts.items():
        for key, (records, episodes) in seen.counts.items():
            if key in known.entries:
                rows.setdefault(key, []).append((host, seen, records, episodes))
    for key, row in rows.items():
        entry = known.entries[key]
        releases, hosts = dict(entry.releases), Counter(entry.hosts)
        for host, seen, _, episodes in row:
            releases[seen.release] = releases.pop(seen.release, 0) + episodes  # the newest last
            hosts[host] += episodes
        known.entries[key] = replace(
            entry,
            last_seen=max(entry.last_seen, window.ends),
            records=entry.records + sum(records for _, _, records, _ in row),
            episodes=entry.episodes + sum(episodes for *_, episodes in row),
            at_start=entry.at_start + sum(episodes for _, seen, _, episodes in row if _starting(seen)),
            releases=dict(list(releases.items())[-MOST_RELEASES:]),
            hosts=dict(hosts),
        )
    return set(rows)


def _starting(seen: HostWindow) -> bool:
    return 0 < seen.age < START


def _forgotten(known: _App, caveats: Container[str]) -> tuple[set[str], set[int]]:
    """Takes out the entries that are too many, caveats never, and the clusters that have none left."""
    over = len(known.entries) - MOST
    if over <= 0:
        return set(), set()
    crowd = Counter(entry.cluster for entry in known.entries.values())

    def worth(key: str) -> tuple[bool, bool, float, str]:
        entry = known.entries[key]
        return crowd[entry.cluster] <= CROWD, entry.episodes > 1, entry.last_seen, key

    free = [key for key in known.entries if key not in caveats]
    gone = set(sorted(free, key=worth)[: over + MOST // 20])
    for key in gone:
        del known.entries[key]
    empty = set(known.clusters.all) - {entry.cluster for entry in known.entries.values()}
    empty = known.clusters.drop(empty)
    known.changed -= gone
    known.widened -= empty
    return gone, empty
