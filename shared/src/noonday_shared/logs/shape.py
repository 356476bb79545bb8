"""How the records of one file begin, learned from its lines."""

from __future__ import annotations

import re

from noonday_shared.logs.levels import WORDS

_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}"
_CLOCK = r"\d\d:?\d\d:?\d\d(?:[.,:]\d{1,9})?"
_ZONE = r"(?: ?(?:Z\b|[+-]\d\d:?\d\d\b|(?:UTC|GMT|CET|CEST|[ECMP][SD]T)\b))?"
_TIMES = (
    # 2026-01-01T12:00:00.123Z, 2026/01/01 12:00:00, 20260101-12:00:00:123, 26/01/01 12:00:00, 01/Jan/2026:12:00:00
    rf"(?:\d{{4}}[-/.]\d\d[-/.]\d\d|\d\d[-/ ]{_MONTH}[-/ ]\d{{4}}|\d\d/\d\d/\d\d(?:\d\d)?|\d{{8}}|\d{{6}})"
    rf"[T :_-]{{1,2}}{_CLOCK}{_ZONE}",
    # 2026-01-01-12.00.00.123; 01-31 12:00:00.123 and 01.31 12:00:00, which tell no year
    r"\d{4}[-.]\d\d[-.]\d\d[-T ]\d\d\.\d\d\.\d\d(?:[.,]\d{1,9})?|\d\d[-.]\d\d \d\d:\d\d:\d\d(?:[.,]\d{1,9})?",
    # Jan  1 12:00:00, Thu Jan 01 12:00:00.123 2026, Jan 01, 2026 12:00:00 PM
    rf"(?:[A-Z][a-z]{{2}},? )?{_MONTH} {{1,2}}\d{{1,2}},? (?:\d{{4}},? )?\d{{1,2}}:\d\d:\d\d(?:[.,]\d{{1,9}})?"
    r"(?: \d{4}\b| [AP]M\b)?",
    # 12:00:00.123
    r"\d\d:\d\d:\d\d(?:[.,]\d{1,9})?",
    # 1767268800.123, 1767268800123
    r"\d{10}(?:\.\d{1,9}|\d{3})?(?= )",
)
TIMES = tuple(re.compile(rf"(?:<\d{{1,3}}>(?:1 )?)?\[?(?:{time})\]?".encode()) for time in _TIMES)
JSON = re.compile(rb'\{\s{0,8}"')
LOGFMT = re.compile(rb"(?:ts|t|at|time|timestamp|level|lvl|severity|msg)=")
LEVEL_FIRST = re.compile(
    rf"(?:[\[<]?(?:{WORDS.upper()})(?=[\s:|\]>\[/-]|$)|\[?(?i:{WORDS})(?:\]|: )|PHP [A-Z][a-z]+(?: error)?: )".encode()
)
KLOG = re.compile(rb"([DIWEF])\d{4} \d\d:\d\d:\d\d\.\d{1,9}\s{1,4}\d{1,9} ([\w./-]{1,80}):\d+\] ")
RUBY = re.compile(rb"[DIWEFA], \[[\dT:. #-]{10,60}\]\s{1,4}")
ACCESS = re.compile(rb"[0-9A-Za-z.:_-]{1,255} \S{1,64} \S{1,64} \[\d\d/[A-Z][a-z]{2}/\d{4}:")
_ENOUGH = 400


class Shape:
    """Tries first what matched last, so that a file of one kind costs one match a line."""

    def __init__(self) -> None:
        self._kinds = [*TIMES, JSON, LOGFMT, LEVEL_FIRST, KLOG, RUBY, ACCESS]
        self._begun = 0
        self._others = 0

    @property
    def stamped(self) -> bool:
        """Whether records here begin with a header, so that a line without one belongs to the record before it."""
        return self._begun > 0 and self._begun >= 2 * self._others

    def begins(self, line: bytes) -> bool:
        """Whether this line has a header, and so begins a record."""
        return self.header_end(line) > 0

    def header_end(self, line: bytes) -> int:
        """Where that ends which makes it a header, or 0."""
        for at, kind in enumerate(self._kinds):
            if (found := kind.match(line)) is not None:
                if at:
                    self._kinds.insert(0, self._kinds.pop(at))
                return found.end()
        return 0

    def saw(self, begun: int) -> None:
        """Count lines that have a header."""
        self._count(begun=begun)

    def saw_other(self) -> None:
        """Count a line without a header that no stack trace explains."""
        self._count(others=1)

    def _count(self, begun: int = 0, others: int = 0) -> None:
        self._begun += begun
        self._others += others
        if self._begun + self._others > _ENOUGH:
            # Old lines count less and less, so that a file may change its ways.
            self._begun //= 2
            self._others //= 2
