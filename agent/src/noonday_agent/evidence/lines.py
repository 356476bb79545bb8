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


class RecentLines:
    """A ring that drops its oldest. Lines lie raw in memory; they are redacted when taken, before they leave."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._ring: deque[tuple[float, str, bytes]] = deque(maxlen=MOST_LINES)
        self._size = 0

    def add(self, lines: Sequence[bytes], at: float, release: str) -> None:
        """`at`: seconds since the epoch, when they were read."""
        for line in lines[-MOST_LINES:]:
            if len(self._ring) == MOST_LINES:
                self._forget()
            self._ring.append((at, release, line[:_KEPT]))
            self._size += min(len(line), _KEPT)
        while self._size > MOST_BYTES:
            self._forget()

    def take(self) -> tuple[LogLine, ...]:
        """All lines since the last call, oldest first, redacted; at most `MOST_BYTES` on the wire, dropping oldest."""
        taken: list[LogLine] = []
        left = MOST_BYTES
        while self._ring and left > 0:
            at, release, raw = self._ring.pop()
            text = cut(self._redactor.clean(plain(raw.decode("utf-8", "replace"))), LONGEST, LONGEST)
            left -= wire_size(text)
            if left >= 0:
                taken.append(LogLine(at=at, release=release, text=text))
        self._ring.clear()
        self._size = 0
        return tuple(reversed(taken))

    def _forget(self) -> None:
        self._size -= len(self._ring.popleft()[2])
