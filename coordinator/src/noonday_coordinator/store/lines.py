"""Log lines that somebody watches, kept in memory: the newest few thousand of each app."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from noonday_shared.messages import Evidence

_KEPT = 5000
_SOURCES = 1000
"""Of an app, whose newest evidence is known; each release is one more for each host."""


@dataclass(frozen=True, slots=True)
class StoredLine:
    seq: int
    host: str
    release: str
    at: float
    text: str
    key: str = ""
    """Of the kind of record that the line belongs to; empty for a request."""


@dataclass(slots=True)
class _Ring:
    lines: deque[StoredLine]
    newest: dict[tuple[str, str], tuple[int, int, int]] = field(default_factory=dict)
    """By (host, release): the order of the last evidence taken, since its lines are not cumulative. The one that was
    heard the longest time ago comes first."""


class LineBuffer:
    """Safe to call from any thread."""

    def __init__(self, kept: int = _KEPT) -> None:
        self._kept = kept
        self._rings: dict[str, _Ring] = {}
        self._seq = 0
        self._lock = threading.Lock()

    def add(self, evidence: Evidence) -> None:
        """Take its lines, once: what is repeated or older than what was taken is left out."""
        with self._lock:
            ring = self._rings.setdefault(evidence.app, _Ring(deque(maxlen=self._kept)))
            source = (evidence.host, evidence.release)
            if evidence.order <= ring.newest.get(source, (-1, -1, -1)):
                return
            ring.newest.pop(source, None)
            ring.newest[source] = evidence.order
            if len(ring.newest) > _SOURCES:
                del ring.newest[next(iter(ring.newest))]
            for line in evidence.lines:
                self._seq += 1
                release = line.release or evidence.release
                ring.lines.append(StoredLine(self._seq, evidence.host, release, line.at, line.text, line.key))

    def after(
        self,
        app: str,
        seq: int,
        host: str | None = None,
        limit: int = 500,
        wanted: Callable[[StoredLine], bool] = lambda _: True,
    ) -> list[StoredLine]:
        """Lines numbered above `seq`, oldest first; with `seq` 0 the newest `limit` of them."""
        with self._lock:
            ring = self._rings.get(app)
            every = list(ring.lines) if ring else []
        found = [line for line in every if line.seq > seq and host in (None, line.host) and wanted(line)]
        return found[:limit] if seq else found[-limit:]
