"""When a log line was written, by its own stamp: ISO, nginx and Apache, syslog, Java, klog, epochs, JSON and logfmt.

What tells no zone is taken for the zone that is given, else for this machine's own; what tells no year or day for the
newest that is not after the file itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import NamedTuple

DAY = 86_400.0
_MONTHS = {name: number for number, name in enumerate(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)}
_MONTH = rb"(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}"
_CLOCK = rb"(\d{1,2}):?(\d{1,2}):?(\d{1,2})(?:[.,:](\d{1,9}))?"
_ZONE = rb"(?: ?(Z|[+-]\d\d:?\d\d)\b)?"
_ISO = re.compile(rb"[^\n]{0,48}?(?<!\d)(\d{4})[-/.]?(\d\d)[-/.]?(\d\d)[T :_-]{1,2}" + _CLOCK + _ZONE)
_SHORT = re.compile(rb"[^\d\n]{0,24}(\d\d)/?(\d\d)/?(\d\d) " + _CLOCK + rb"(?!\d)")
_WEB = re.compile(rb"[^\n]{0,400}?\b(\d\d)[-/ ]" + _MONTH + rb"[-/ ](\d{4})[: ]" + _CLOCK + _ZONE)
_NAMED = re.compile(
    rb"(?:<\d{1,3}>)?[^\d\n]{0,24}?\b"
    + _MONTH
    + rb" {1,2}(\d{1,2}),? (?:(\d{4}),? )?"
    + _CLOCK
    + rb"(?: (\d{4})\b| ([AP]M)\b)?"
)
_KLOG = re.compile(rb"[DIWEF](\d\d)(\d\d) " + _CLOCK)
_NO_YEAR = re.compile(rb"[^\d\n]{0,8}(\d\d)[-.](\d\d) " + _CLOCK)
_EPOCH = re.compile(rb"[^\w\n]{0,8}(?<!\d)(\d{10})(?:[.,](\d{1,9})|(\d{3})(\d{3})?(\d{3})?)?(?![\w.])")
_TIME = re.compile(rb"[^\w\n]{0,4}(\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?(?!\d)")
_KEYS = rb"@timestamp|timestamp|time|ts|t|@t|datetime|date|asctime|eventTime|log\.time|at"
_JSON = re.compile(
    rb'[^{\n]{0,80}\{(?:[^\n]{0,4000}?[,{\s])??\s{0,8}"(?:' + _KEYS + rb')"\s{0,4}:\s{0,4}"?([^",}\n]{8,40})'
)
_LOGFMT = re.compile(rb"(?:[^\n]{0,200}?\s)?(?:" + _KEYS + rb')=(?:"([^"\n]{8,40})"|([^\s"]{8,40}))')
_AHEAD = 6 * 3600.0
"""Seconds ahead of the line before that one line alone is not believed."""
_LEARNED = 3
_LOST = 500


class Frame(NamedTuple):
    """What a stamp leaves out. `newest`: when the file was last written, in seconds since the epoch. `zone`: seconds
    east of UTC; None for this machine's own."""

    newest: float
    zone: int | None = None


class Stamps:
    """Reads the lines of one file in their order. `share`: of those that begin a record, how many told a time."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._kinds = list(_KINDS)
        self._hits = 0
        self._misses = 0
        self.last: float | None = None
        self._ahead: float | None = None
        self._found = 0
        self._without = 0

    @property
    def share(self) -> float:
        return self._found / max(self._found + self._without, 1)

    def of(self, line: bytes) -> float | None:
        """The line's instant, or that of the newest line before it that told one; None before the first."""
        at = self._read(line)
        if at is not None and self._believed(at):
            self.last = at
        return self.last

    def _read(self, line: bytes) -> float | None:
        if not line or line[0] in b" \t":
            return None
        # Other kinds of dates stand in the text of lines, so a file's own kind is tried alone once it is known.
        known = self._hits >= _LEARNED and self._misses < _LOST
        for kind in self._kinds[:1] if known else self._kinds:
            at = kind(line, self._frame)
            if at is not None:
                self._kinds.remove(kind)
                self._kinds.insert(0, kind)
                self._hits, self._misses, self._found = self._hits + 1, 0, self._found + 1
                return at
        self._misses += 1
        self._without += 1
        return None

    def _believed(self, at: float) -> bool:
        if self.last is None or at <= self.last + _AHEAD:
            self._ahead = None
            return True
        agreed = self._ahead is not None and abs(at - self._ahead) <= _AHEAD
        self._ahead = at
        return agreed


Kind = Callable[[bytes, Frame], float | None]


def read_value(text: bytes, frame: Frame) -> float | None:
    """A time that stands alone, as in a field; None when it is none."""
    return next((at for kind in _VALUES if (at := kind(text, frame)) is not None), None)


def _json(line: bytes, frame: Frame) -> float | None:
    found = _JSON.match(line) if b"{" in line[:80] else None
    return read_value(found[1], frame) if found else None


def _logfmt(line: bytes, frame: Frame) -> float | None:
    found = _LOGFMT.match(line) if b"=" in line else None
    return read_value(found[1] or found[2], frame) if found else None


def offset_in(line: bytes) -> int | None:
    """The zone that an access log's line names: that of the server's own clock. None when it names none."""
    found = _WEB.match(line)
    return offset_of(found[8]) if found and found[8] and found[8] != b"Z" else None


def _iso(line: bytes, frame: Frame) -> float | None:
    found = _ISO.match(line)
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    return _plus(_instant(year, month, day, hour, minute, second, zone, frame.zone), fraction)


def _short(line: bytes, frame: Frame) -> float | None:
    """081109 203615 and 17/06/09 20:10:40: the year's last two digits first."""
    found = _SHORT.match(line)
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction = found.groups()
    return _plus(_instant(b"20" + year, month, day, hour, minute, second, None, frame.zone), fraction)


def _web(line: bytes, frame: Frame) -> float | None:
    found = _WEB.match(line)
    if found is None:
        return None
    day, month, year, hour, minute, second, fraction, zone = found.groups()
    return _plus(_instant(year, month, day, hour, minute, second, zone, frame.zone), fraction)


def _named(line: bytes, frame: Frame) -> float | None:
    """Syslog, ctime, Java's own."""
    found = _NAMED.match(line)
    if found is None:
        return None
    month, day, early, hour, minute, second, fraction, late, half = found.groups()
    at = _dated(early or late, month, day, hour, minute, second, frame)
    if at is not None and half and int(hour) % 12 != int(hour) % 24 - (12 if half == b"PM" else 0):
        at += DAY / 2 if half == b"PM" else -DAY / 2
    return _plus(at, fraction)


def _klog(line: bytes, frame: Frame) -> float | None:
    return _without_year(_KLOG.match(line), frame)


def _no_year(line: bytes, frame: Frame) -> float | None:
    return _without_year(_NO_YEAR.match(line), frame)


def _without_year(found: re.Match[bytes] | None, frame: Frame) -> float | None:
    if found is None:
        return None
    month, day, hour, minute, second, fraction = found.groups()
    return _plus(_dated(None, month, day, hour, minute, second, frame), fraction)


def _epoch(line: bytes, frame: Frame) -> float | None:
    found = _EPOCH.match(line)
    if found is None:
        return None
    seconds, *parts = found.groups()
    return _plus(float(seconds), b"".join(part for part in parts if part))


def _time(line: bytes, frame: Frame) -> float | None:
    found = _TIME.match(line)
    if found is None:
        return None
    hour, minute, second, fraction = found.groups()
    day = _day(frame)
    at = _plus(
        _instant(b"%d" % day.year, b"%d" % day.month, b"%d" % day.day, hour, minute, second, None, frame.zone), fraction
    )
    return at if at is None or at <= frame.newest + 3600 else at - DAY


_VALUES: tuple[Kind, ...] = (_iso, _epoch, _web, _named, _short)
_KINDS: tuple[Kind, ...] = (_json, _iso, _web, _named, _klog, _epoch, _short, _no_year, _logfmt, _time)


def _plus(at: float | None, fraction: bytes | None) -> float | None:
    return at if at is None or not fraction else at + int(fraction) / 10 ** len(fraction)


def _dated(
    year: bytes | None, month: bytes, day: bytes, hour: bytes, minute: bytes, second: bytes, frame: Frame
) -> float | None:
    if year is not None:
        return _instant(year, month, day, hour, minute, second, None, frame.zone)
    this = _day(frame).year
    for guess in (this, this - 1, this - 2, this - 3):  # the last ones for the 29th of February
        at = _instant(b"%d" % guess, month, day, hour, minute, second, None, frame.zone)
        if at is not None and at <= frame.newest + DAY:
            return at
    return None


@lru_cache(maxsize=64)
def _day(frame: Frame) -> datetime:
    return datetime.fromtimestamp(frame.newest, _zone(frame.zone))


@lru_cache(maxsize=4096)
def _instant(
    year: bytes,
    month: bytes,
    day: bytes,
    hour: bytes,
    minute: bytes,
    second: bytes,
    told: bytes | None,
    zone: int | None,
) -> float | None:
    try:
        found = datetime(
            int(year), _MONTHS.get(month) or int(month), int(day), int(hour), int(minute), min(int(second), 59),
            tzinfo=_zone(offset_of(told) if told is not None else zone),
        )  # fmt: skip
        return found.timestamp() if found.year >= 1971 else None
    except (ValueError, OverflowError):
        return None


def offset_of(zone: bytes) -> int:
    """Seconds east of UTC, of `Z`, `+0100` and `+01:00`."""
    if zone == b"Z":
        return 0
    seconds = int(zone[1:3]) * 3600 + int(zone[-2:]) * 60
    return -seconds if zone[:1] == b"-" else seconds


def _zone(seconds: int | None) -> timezone | None:
    return timezone(timedelta(seconds=seconds)) if seconds is not None else None
