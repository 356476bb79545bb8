"""The catalogue on disk: what each app's log was ever seen to hold. What people say of it is in the event log."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Container, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from noonday_coordinator.store.blob import Blob
from noonday_coordinator.store.sqlite import open_lossy, written
from noonday_coordinator.verdict.catalogue import START, Catalogue, Cluster, Clusters, Entry
from noonday_coordinator.verdict.window import HostWindow, Window
from noonday_shared.messages.evidence import IDENTITY_VERSION

MOST = 20_000
"""Entries of one app; beyond that, those that were not seen for the longest time are forgotten."""
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


@dataclass(slots=True)
class _App:
    entries: dict[str, Entry] = field(default_factory=dict)
    clusters: Clusters = field(default_factory=Clusters)
    seconds: float = 0.0
    start_seconds: float = 0.0


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
        disk refuses."""
        with self._lock:
            known = self._apps.setdefault(app, _App())
            changed = _new_entries(known, window)
            clusters = {known.entries[key].cluster for key in changed}
            for host, seen in window.hosts.items():
                starting = 0 < seen.age < START
                known.seconds += seen.seconds
                known.start_seconds += seen.seconds if starting else 0.0
                changed |= _count(known, host, seen, window.ends, starting=starting)
            gone = _forgotten(known, caveats)
            self._write(app, known, sorted(changed - gone), sorted(clusters), sorted(gone))

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

    def _write(self, app: str, known: _App, changed: list[str], clusters: list[int], gone: list[str]) -> None:
        entries = [(app, IDENTITY_VERSION, key, _ENTRY.pack(known.entries[key])) for key in changed]
        groups = [(app, IDENTITY_VERSION, one, _CLUSTER.pack(known.clusters.all[one])) for one in clusters]
        with written(self._connection, rule=_RULE, what=_WHAT):
            self._connection.executemany("INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?)", entries)
            self._connection.executemany("INSERT OR REPLACE INTO clusters VALUES (?, ?, ?, ?)", groups)
            times = (app, known.seconds, known.start_seconds)
            self._connection.execute("INSERT OR REPLACE INTO times VALUES (?, ?, ?)", times)
            drop = "DELETE FROM entries WHERE app = ? AND identity = ? AND key = ?"
            self._connection.executemany(drop, [(app, IDENTITY_VERSION, key) for key in gone])


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


def _count(known: _App, host: str, seen: HostWindow, ends: float, *, starting: bool) -> set[str]:
    changed = set()
    for key, (records, episodes) in seen.counts.items():
        entry = known.entries.get(key)
        if entry is not None:
            known.entries[key] = replace(
                entry,
                last_seen=max(entry.last_seen, ends),
                records=entry.records + records,
                episodes=entry.episodes + episodes,
                at_start=entry.at_start + (episodes if starting else 0),
                releases={**entry.releases, seen.release: entry.releases.get(seen.release, 0) + episodes},
                hosts={**entry.hosts, host: entry.hosts.get(host, 0) + episodes},
            )
            changed.add(key)
    return changed


def _forgotten(known: _App, caveats: Container[str]) -> set[str]:
    """Takes out the entries that are too many, caveats never."""
    over = len(known.entries) - MOST
    if over <= 0:
        return set()
    free = [key for key in known.entries if key not in caveats]
    gone = set(sorted(free, key=lambda key: (known.entries[key].last_seen, key))[: over + MOST // 20])
    for key in gone:
        del known.entries[key]
    return gone
