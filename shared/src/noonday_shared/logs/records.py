"""Lines folded into records: a stack trace is one thing that happened, not forty."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from enum import Enum

from noonday_shared.logs.shape import Shape

FLUSH_AFTER = 1.0
"""Seconds without a line after which a record is whole."""
MOST_LINES = 1024
_FIRST_LINES = 48
_LAST_LINES = 48
_LONGEST_FIRST = 64 << 10
_LONGEST_OTHER = 2048

_SPACE, _TAB = b" \t"
BARE_ERROR = re.compile(
    rb"(?:[A-Za-z_][\w$]{0,60}[.:\\]{1,2}){0,12}[A-Z]\w{0,80}(?:Error|Exception|Failure|Interrupt)\b(?=: | \(|\s*$)"
)
_TRACE = re.compile(
    rb"Traceback \(most recent call last\)|During handling of the above|The above exception was"
    rb"|Caused by: |Suppressed: |\.\.\. \d+ more|Exception in thread |at [\w.$<]"
    rb"|#\d+ |Stack trace:|\[stacktrace\]|\[previous exception\]|thrown in |Next [\w\\]+"
    rb"|goroutine \d+ \[|created by |exit status \d|\[signal "
    rb"|from \S+:\d+:in |[\w./-]+\.rb:\d+:in |Node\.js v\d|\"?[}\])]+[;,]?\s*$"
)
_GO_FRAME = re.compile(rb"[^\s(]{1,300}\(")
_BEGINNING = 96
_SHORT_BEGINNING = 48
_EQUAL_DIGITS = bytes.maketrans(b"123456789", b"0" * 9)
_MOST_ROLES = 4096
_GO = (b"panic:", b"fatal error:", b"goroutine ")
_PYTHON = b"Traceback (most"
_CHAIN = re.compile(rb"During handling of the above|The above exception was")
_NODE_PLACE = re.compile(rb"\S{1,400}\.[cm]?[jt]sx?:\d+$")
_TAG = re.compile(rb"\[[\w:.-]{8,80}\] ")
_PYTHON_END = re.compile(rb"[A-Za-z_][\w.]{0,120}(?::|$)")


class _Role(Enum):
    """What a line is to the record before it, as far as its beginning tells."""

    BEGINS = 1
    TRACE = 2
    BARE = 3
    OTHER = 4


class Folder:
    """Bounded in lines and bytes; the middle of too long a record is dropped and counted. One file, one thread."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._first: bytes | None = None
        self._more: list[bytes] = []
        self._last: deque[bytes] = deque(maxlen=_LAST_LINES)
        self._count = 0
        self._fed_at = 0.0
        self._roles: dict[int, _Role] = {}
        self._begins: set[bytes] = set()
        self.dropped = 0

    def feed(self, lines: Sequence[bytes], now: float) -> list[bytes]:
        """Records that these lines made whole, each with its lines joined by newlines. `now`: as in `flush`."""
        records: list[bytes] = []
        begun = 0
        for line in lines:
            beginning = line[:_SHORT_BEGINNING].translate(_EQUAL_DIGITS)
            if beginning not in self._begins and not self._has_header(line, beginning):
                self._shape.saw(begun)
                begun = 0
                records += self._without_header(line)
                continue
            begun += 1
            if self._count:
                records.append(self._close())
            elif self._first is not None:
                records.append(self._first)
            self._first = line
        if lines:
            self._fed_at = now
        self._shape.saw(begun)
        return records

    def _has_header(self, line: bytes, beginning: bytes) -> bool:
        """Remembered where the beginning alone tells it: looking it up costs far less than an expression."""
        if not line or line[0] in (_SPACE, _TAB):
            return False
        if self._role(line) is not _Role.BEGINS:
            return False
        if self._shape.header_end(line) < _SHORT_BEGINNING:
            if len(self._begins) >= _MOST_ROLES:
                self._begins.clear()
            self._begins.add(beginning)
        return True

    def _without_header(self, line: bytes) -> list[bytes]:
        """Take a line that begins no record by itself; the record that it made whole, if it did."""
        if self._goes_on(line):
            self._append(line)
            return [self._close()] if self._count >= MOST_LINES else []
        whole = self.end()
        self._first = line or None
        return whole

    def flush(self, now: float) -> list[bytes]:
        """The last record, when no line has come for `FLUSH_AFTER` seconds."""
        return self.end() if now - self._fed_at >= FLUSH_AFTER else []

    def end(self) -> list[bytes]:
        """The last record, as it is."""
        return [self._close()] if self._first is not None else []

    def _goes_on(self, line: bytes) -> bool:
        """Whether a line without a header belongs to the record before it."""
        if not line or line[0] in (_SPACE, _TAB):
            return self._first is not None
        role = self._role(line)
        explained = self._first is not None and (role is _Role.TRACE or self._belongs(line, role, self._first))
        if role is _Role.OTHER and not explained:
            self._shape.saw_other()
        if self._first is None or (line.startswith(_PYTHON) and self._more and not self._chained()):
            return False
        return explained or self._shape.stamped

    def _role(self, line: bytes) -> _Role:
        """Remembered by the line's beginning with its digits made equal: a file without headers has few of those."""
        beginning = hash(line[:_BEGINNING].translate(_EQUAL_DIGITS))
        role = self._roles.get(beginning)
        if role is None:
            role = _role(line, self._shape)
            if len(self._roles) >= _MOST_ROLES:
                self._roles.clear()
            self._roles[beginning] = role
        return role

    def _chained(self) -> bool:
        """Whether a traceback may follow here as the next of a chain."""
        return any(_CHAIN.match(line) for line in [*self._more, *self._last][-3:])

    def _belongs(self, line: bytes, role: _Role, first: bytes) -> bool:
        """A line that only what is before it explains: a frame of Go, the exception under Python's frames or under the
        place that Node shows, a line with the tag that Rails puts before each of a record."""
        if role is _Role.BARE and _NODE_PLACE.match(first):
            return True
        if (tag := _TAG.match(line)) is not None:
            return tag[0].rstrip() in first
        if _GO_FRAME.match(line) is not None and line.endswith(b")"):
            return any(known.startswith(_GO) for known in (first, *self._more))
        before = self._last[-1] if self._last else self._more[-1] if self._more else b""
        in_frames = before[:1] in (b" ", b"\t")
        python = in_frames and any(known.startswith(_PYTHON) for known in (first, *self._more))
        return python and _PYTHON_END.match(line) is not None

    def _append(self, line: bytes) -> None:
        self._count += 1
        if len(line) > _LONGEST_OTHER:
            self.dropped += len(line) - _LONGEST_OTHER
            line = line[:_LONGEST_OTHER]
        if len(self._more) < _FIRST_LINES:
            self._more.append(line)
            return
        if len(self._last) == _LAST_LINES:
            self.dropped += len(self._last[0])
        self._last.append(line)

    def _close(self) -> bytes:
        record = b"\n".join([self._first or b"", *self._more, *self._last]).rstrip()
        self._first, self._count = None, 0
        self._more.clear()
        self._last.clear()
        return record


def _role(line: bytes, shape: Shape) -> _Role:
    if shape.header_end(line):
        return _Role.BEGINS
    if _TRACE.match(line) is not None:
        return _Role.TRACE
    return _Role.BARE if BARE_ERROR.match(line) is not None else _Role.OTHER
