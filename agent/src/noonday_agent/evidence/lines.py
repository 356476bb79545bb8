"""The newest raw lines of an app, for people who watch."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice

from noonday_shared.logs.redact import Redactor
from noonday_shared.logs.sizes import cut, plain, wire_size
from noonday_shared.messages import LogLine

MOST_LINES = 500
MOST_BYTES = 256 << 10
LONGEST = 4096
# More is kept than is shown, so that a secret at the cut is still recognised.
_KEPT = 2 * LONGEST
_OVERHEAD = 100
"""Bytes that a line takes on the wire beside its text."""


@dataclass(frozen=True, slots=True)
class _Batch:
    at: float
    release: str
    records: Sequence[bytes]
    keys: Sequence[str]
    size: int


class RecentLines:
    """The newest records, in the batches in which they were read: most are never looked at again. They lie raw in
    memory, and are redacted when taken, before they leave.

    A record is taken line by line, each with the record's key.
    """

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._batches: deque[_Batch] = deque()
        self._count = 0
        self._size = 0

    def add(self, records: Sequence[bytes], keys: Sequence[str], at: float, release: str) -> None:
        """`keys`: one for each record. `at`: seconds since the epoch, when they were read."""
        batch = _batch(records[-MOST_LINES:], keys[-MOST_LINES:], at, release)
        if not batch.records:
            return
        self._batches.append(batch)
        self._count += len(batch.records)
        self._size += batch.size
        oldest = self._batches[0]
        while self._count - len(oldest.records) >= MOST_LINES or self._size - oldest.size >= MOST_BYTES:
            self._batches.popleft()
            self._count -= len(oldest.records)
            self._size -= oldest.size
            oldest = self._batches[0]

    def take(self) -> tuple[LogLine, ...]:
        """All lines since the last call, oldest first, redacted; at most `MOST_BYTES` on the wire, dropping oldest."""
        taken: list[LogLine] = []
        left = MOST_BYTES
        for batch, record, key in self._newest_first():
            # Cleaned as a whole: a secret may go over several lines.
            text = self._redactor.clean(plain(record[:_KEPT].decode("utf-8", "replace")))
            for line in reversed(text.split("\n")):
                shown = cut(line, LONGEST, LONGEST)
                left -= wire_size(shown) + _OVERHEAD
                if left >= 0 and len(taken) < MOST_LINES:
                    taken.append(LogLine(at=batch.at, release=batch.release, text=shown, key=key))
            if left <= 0:
                break
        self._batches.clear()
        self._count = self._size = 0
        return tuple(reversed(taken))

    def _newest_first(self) -> Iterator[tuple[_Batch, bytes, str]]:
        pairs = (
            (batch, record, key)
            for batch in reversed(self._batches)
            for record, key in zip(reversed(batch.records), reversed(batch.keys), strict=True)
        )
        return islice(pairs, MOST_LINES)


def _batch(records: Sequence[bytes], keys: Sequence[str], at: float, release: str) -> _Batch:
    size = sum(map(len, records))
    if size > MOST_BYTES:
        records = [record[:_KEPT] for record in records]
        fitting = sum(size <= MOST_BYTES for size in accumulate(len(record) for record in reversed(records)))
        records, keys = records[-fitting:], keys[-fitting:]
        size = sum(map(len, records))
    return _Batch(at, release, records, keys, size)
