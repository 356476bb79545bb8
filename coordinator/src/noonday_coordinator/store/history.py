"""Error signatures that an app ever showed, by release and host: what 'new with this release' is measured against."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from noonday_shared.errors import Permanent, Temporary
from noonday_shared.messages import Evidence, SignatureCount
from noonday_shared.messages.evidence import IDENTITY_VERSION

_TABLES = """
CREATE TABLE IF NOT EXISTS signatures (
  app TEXT NOT NULL, key TEXT NOT NULL, release TEXT NOT NULL, host TEXT NOT NULL, identity INTEGER NOT NULL,
  level TEXT NOT NULL, text TEXT NOT NULL, first_seen REAL NOT NULL, last_seen REAL NOT NULL,
  boot INTEGER NOT NULL, epoch INTEGER NOT NULL, count INTEGER NOT NULL, before INTEGER NOT NULL,
  PRIMARY KEY (app, key, release, host, identity)
) STRICT, WITHOUT ROWID;
"""
_UPSERT = "INSERT OR REPLACE INTO signatures VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_ALL = (
    "SELECT app, key, release, host, identity, level, text, first_seen, last_seen, boot, epoch, count, before"
    " FROM signatures"
)


@dataclass(frozen=True, slots=True)
class Known:
    """One signature of an app over all its releases and hosts. Instants are seconds since the epoch."""

    key: str
    level: str
    text: str
    releases: frozenset[str]
    """Ids of the releases that showed it."""
    hosts: frozenset[str]
    first_seen: float
    last_seen: float
    count: int


@dataclass(frozen=True, slots=True)
class _Seen:
    """One signature on one host under one release: `count` since the present start of counting, `before` it."""

    level: str
    text: str
    first_seen: float
    last_seen: float
    boot: int
    epoch: int
    count: int
    before: int


_Place = tuple[str, str, int]
"""Release, host, identity version."""


class SignatureHistory:
    """Safe to call from any thread. All of it is in memory too, so asking never touches the disk."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._seen: dict[str, dict[str, dict[_Place, _Seen]]] = {}
        self._known: dict[str, Mapping[str, Known]] = {}

    @classmethod
    def open(cls, path: Path) -> SignatureHistory:
        """Raises `Permanent` when the file can't be used."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            connection = sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)
            connection.execute("PRAGMA journal_mode = WAL")
            # Evidence is cumulative and comes again: what a power cut takes is soon there again.
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(_TABLES)
            history = cls(connection)
            for app, key, release, host, identity, *rest in connection.execute(_ALL):
                history._of(app, key)[release, host, identity] = _Seen(*rest)
        except sqlite3.Error as error:
            raise Permanent(
                f"The history of error signatures in {path} can't be used: {error}.",
                rule="signature-history",
                next_action=f"restore {path} from a backup, or move it away: errors known so far are then forgotten",
            ) from error
        return history

    def note(self, evidence: Evidence) -> None:
        """Keep its signatures. Cumulative, so safe to repeat. Raises `Temporary` when the disk refuses."""
        with self._lock:
            changed = [
                (signature.key, now)
                for signature in evidence.signatures
                if signature.count and (now := self._merged(evidence, signature)) is not None
            ]
            if not changed:
                return
            place = (evidence.release, evidence.host, evidence.identity_version)
            self._write([(evidence.app, key, *place, *_values(now)) for key, now in changed])
            for key, now in changed:
                self._of(evidence.app, key)[place] = now
            self._known.pop(evidence.app, None)

    def known(self, app: str, identity: int = IDENTITY_VERSION) -> Mapping[str, Known]:
        """By key. Cheap while nothing new is noted. Signatures made by other rules of identity are left out."""
        with self._lock:
            if identity != IDENTITY_VERSION:
                return self._gathered(app, identity)
            if app not in self._known:
                self._known[app] = self._gathered(app, identity)
            return self._known[app]

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def _of(self, app: str, key: str) -> dict[_Place, _Seen]:
        return self._seen.setdefault(app, {}).setdefault(key, {})

    def _merged(self, evidence: Evidence, new: SignatureCount) -> _Seen | None:
        """What is known with `new` in it; None when it says nothing new."""
        places = self._seen.get(evidence.app, {}).get(new.key, {})
        old = places.get((evidence.release, evidence.host, evidence.identity_version))
        counting = (evidence.boot, evidence.epoch)
        if old is None:
            return _Seen(new.level, new.text, new.first_seen, new.last_seen, *counting, new.count, 0)
        if counting < (old.boot, old.epoch) or (counting == (old.boot, old.epoch) and new.count <= old.count):
            return None
        before = old.before if counting == (old.boot, old.epoch) else old.before + old.count
        return replace(
            old,
            first_seen=min(old.first_seen, new.first_seen),
            last_seen=max(old.last_seen, new.last_seen),
            boot=evidence.boot,
            epoch=evidence.epoch,
            count=new.count,
            before=before,
        )

    def _gathered(self, app: str, identity: int) -> Mapping[str, Known]:
        found = {}
        for key, places in self._seen.get(app, {}).items():
            here = {place: seen for place, seen in places.items() if place[2] == identity}
            if here:
                found[key] = _known(key, here)
        return found

    def _write(self, rows: list[tuple[object, ...]]) -> None:
        try:
            with self._connection:
                self._connection.execute("BEGIN IMMEDIATE")
                self._connection.executemany(_UPSERT, rows)
        except sqlite3.Error as error:
            raise Temporary(
                f"The history of error signatures can't be written: {error}.",
                rule="signature-history",
                next_action="check disk space in the coordinator's data_dir: df",
            ) from error


def _known(key: str, places: Mapping[_Place, _Seen]) -> Known:
    newest = max(places.values(), key=lambda seen: seen.last_seen)
    return Known(
        key=key,
        level=newest.level,
        text=newest.text,
        releases=frozenset(release for release, _, _ in places),
        hosts=frozenset(host for _, host, _ in places),
        first_seen=min(seen.first_seen for seen in places.values()),
        last_seen=newest.last_seen,
        count=sum(seen.before + seen.count for seen in places.values()),
    )


def _values(seen: _Seen) -> tuple[object, ...]:
    return (
        seen.level, seen.text, seen.first_seen, seen.last_seen, seen.boot, seen.epoch, seen.count, seen.before
    )  # fmt: skip
