"""The newest raw lines of an app, for people who watch."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

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


class RecentLines:
    """A ring of records that drops its oldest. They lie raw in memory, and are redacted when taken, before they leave.

    A record is taken line by line, each with the record's key.
    """

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._ring: deque[tuple[float, str, str, bytes]] = deque(maxlen=MOST_LINES)
        self._size = 0

    def add(self, records: Sequence[bytes], keys: Sequence[str], at: float, release: str) -> None:
        """`keys`: one for each record. `at`: seconds since the epoch, when they were read."""
        for record, key in zip(records[-MOST_LINES:], keys[-MOST_LINES:], strict=True):
            if len(self._ring) == MOST_LINES:
                self._forget()
            self._ring.append((at, release, key, record[:_KEPT]))
            self._size += min(len(record), _KEPT)
        while self._size > MOST_BYTES:
            self._forget()

    def take(self) -> tuple[LogLine, ...]:
        """All lines since the last call, oldest first, redacted; at most `MOST_BYTES` on the wire, dropping oldest."""
        taken: list[LogLine] = []
        left = MOST_BYTES
        while self._ring and left > 0:
            at, release, key, raw = self._ring.pop()
            # Cleaned as a whole: a secret may go over several lines.
            text = self._redactor.clean(plain(raw.decode("utf-8", "replace")))
            for line in reversed(text.split("\n")):
                shown = cut(line, LONGEST, LONGEST)
                left -= wire_size(shown) + _OVERHEAD
                if left >= 0 and len(taken) < MOST_LINES:
                    taken.append(LogLine(at=at, release=release, text=shown, key=key))
        self._ring.clear()
        self._size = 0
        return tuple(reversed(taken))

    def _forget(self) -> None:
        self._size -= len(self._ring.popleft()[3])
