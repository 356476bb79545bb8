"""Where a record's header (time, level, logger, pid, thread) ends, and what it says.

The header is what differs between two lines that say the same: left in, it would make every line a new one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from noonday_shared.logs.access import ReadRequest
from noonday_shared.logs.fields import Fields, read_json, read_logfmt
from noonday_shared.logs.levels import WORDS, level_of_number, level_of_word
from noonday_shared.logs.records import BARE_ERROR
from noonday_shared.logs.shape import JSON, KLOG, LOGFMT, RUBY, TIMES


@dataclass(frozen=True, slots=True)
class Header:
    """`level`: a word of levels.py, or empty. `stack`: a trace that came as a field. The rest: see `Fields`."""

    level: str
    logger: str
    body: str
    stack: str = ""
    by_number: bool = False
    request: ReadRequest | None = None


_PRIORITY = re.compile(rb"<(\d{1,3})>")
_GAP = re.compile(rb"[\s|,:*]{0,60}(?:-{1,3}[\s|]{1,40})?")
_PLAIN_LEVEL = re.compile(
    rb"(?:[a-z][\w-]{0,30}\.)?("  # monolog: production.ERROR:
    + WORDS.upper().encode()
    + rb")(?:(?=[\s:|,>-]|$)|\]|/[\w-]{1,40}\]|\[\d+\])|((?i:"
    + WORDS.encode()
    + rb"))(?=: |\s{0,20}\||\t)"
)
_BRACKET = re.compile(rb"[\[(<]((?:[^\[\]\n]|\[[^\[\]\n]{0,80}\]){1,160}?)[\])>](?=[\s:,|\[-]|$)")
_IN_BRACKET = re.compile(
    rb"\s*(?:[\w.-]{1,60}[:/])?(" + WORDS.encode() + rb"|[DIWEF])(?:/[\w-]{1,60})?\s*", re.IGNORECASE
)
_PID = re.compile(rb"\d{1,10}(?:#\d{1,10})?(?=[\s:|])")
_LETTER = re.compile(rb"\s{1,4}([VDIWEF])[ /](?=[\w.$/-]{1,80}\s{0,40}:)")
_NAME = re.compile(rb"[A-Za-z_][A-Za-z_.$:/ -]{0,80}")
_THREAD = re.compile(rb"(?:pid|tid|process|thread|worker)\b", re.IGNORECASE)
_LOGGER = re.compile(
    rb"([A-Za-z_$](?:[\w$./@-]|::){0,160}(?::[\w<>]{1,80}:\d{1,9})?)(?:(?=\s{0,60}: )|:$|(?=\s{1,40}\| | - |: ))"
)
_CODE = re.compile(rb"[^.\d]*\d[^.]*")
_AFTER_COLON = re.compile(rb"([A-Za-z_][\w.]{0,120}):")
_SYSLOG = re.compile(rb"(?:[\w.:/@-]{1,80} )?([\w./()@-]{1,80}?)(?:\[\d{1,10}\])?: ")
_SYSLOG_TIME = re.compile(rb"(?:<\d{1,3}>)?[A-Z][a-z]{2} {1,2}\d{1,2} \d\d:\d\d:\d\d ")
_PHP = re.compile(rb"PHP ((?:Fatal|Parse|Recoverable fatal) error|Warning|Notice|Deprecated): {1,2}")
_PANIC = re.compile(rb"panic: |fatal error: |PHP (?:Fatal|Parse) error")
_MOST_FIELDS = 8
_DATE = re.compile(rb"\d{4}[-./]\d\d[-./]\d\d(?= )")
_NAMED_PLACE = re.compile(rb"(?=[\w:-]{0,79}[\d./@])[\w.:/@-]{1,80} ")
_OF_LETTERS = tuple(kind for kind in TIMES if kind.match(b"Jan  1 12:00:00"))
_OF_DIGITS = (*(kind for kind in TIMES if kind not in _OF_LETTERS), _DATE)
_TIMES_BY_BEGINNING = {
    **{b"%c" % one: _OF_DIGITS for one in b"0123456789"},
    **{b"%c" % one: _OF_LETTERS for one in b"JFMASONDTW"},
    **{b"%c" % one: (*TIMES, _DATE) for one in b"[<"},
}
_MOST_STAMPS = 4
# A level further on, after words that are names rather than text, as in 'NODE-7 KERNEL INFO '.
_LATE_LEVEL = re.compile(rb"((?:[A-Z0-9][A-Z0-9:_-]{1,60} ){1,3})(" + WORDS.upper().encode() + rb")(?= )")


def split(line: bytes) -> Header:
    """Read the first line of a record."""
    if JSON.match(line) and (fields := read_json(_text(line))):
        return _named(fields)
    if LOGFMT.match(line) and (fields := read_logfmt(_text(line))):
        return _named(fields)
    if found := KLOG.match(line):
        return Header(level_of_word(_text(found[1])), _text(found[2]), _text(line[found.end() :]))
    walk = _Walk(line)
    return walk.header()


class _Walk:
    """Goes over the parts of a header from left to right, until something is no part of one."""

    def __init__(self, line: bytes) -> None:
        self._line = line
        self._at = 0
        self._stamp = 0
        self._level = ""
        self._logger = ""
        self._firm = False
        self._by_number = False

    def header(self) -> Header:
        line = self._line
        if found := RUBY.match(line):
            self._at = found.end()
        stamped = self._times() or self._at > 0
        if stamped and _SYSLOG_TIME.match(line, self._stamp):
            self._syslog()
        elif stamped:
            self._take_late_level()
        for _ in range(_MOST_FIELDS):
            self._at = _end(_GAP, line, self._at)
            if self._take_level() or self._take_bracketed_level():
                continue
            if not (stamped or self._level) or not self._take_other():
                break
        self._by_body()
        return Header(self._level, self._logger, _text(line[self._at :]), by_number=self._by_number)

    def _times(self) -> bool:
        """Go over the time, or over several with names between them, as collectors put theirs before a line's own."""
        if found := _PRIORITY.match(self._line):
            self._level, self._by_number = level_of_number(int(found[1]) % 8), True
        stamped = self._time(self._at)
        for _ in range(_MOST_STAMPS):
            at = _end(_GAP, self._line, self._at)
            place = _NAMED_PLACE.match(self._line, at)
            if not (self._time(at) or (place and self._time(place.end()))):
                break
            stamped = True
        return stamped

    def _time(self, at: int) -> bool:
        # Most places that are looked at begin with no time, and this says so at once.
        for kind in _TIMES_BY_BEGINNING.get(self._line[at : at + 1], ()):
            if found := kind.match(self._line, at):
                self._stamp, self._at = at, found.end()
                return True
        return False

    def _take_late_level(self) -> None:
        at = _end(_GAP, self._line, self._at)
        if not _PLAIN_LEVEL.match(self._line, at) and (found := _LATE_LEVEL.match(self._line, at)):
            names = [word for word in found[1].split() if not _CODE.fullmatch(word)]
            self._level, self._by_number = level_of_word(_text(found[2])), False
            self._logger, self._firm, self._at = _text(b" ".join(names)), bool(names), found.end()

    def _syslog(self) -> None:
        self._at = _end(_GAP, self._line, self._at)
        found = _SYSLOG.match(self._line, self._at)
        if found and not _PLAIN_LEVEL.match(self._line, self._at):
            self._logger, self._firm, self._at = _text(found[1]), True, found.end()

    def _take_level(self) -> bool:
        if self._level and not self._by_number:
            return False
        found = _PLAIN_LEVEL.match(self._line, self._at)
        word = found and (found[1] or found[2])
        if not found or not word:
            return False
        self._level, self._by_number, self._at = level_of_word(_text(word)), False, found.end()
        if (
            name := _AFTER_COLON.match(self._line, self._at + 1)
            if self._line[self._at : self._at + 1] == b":"
            else None
        ):
            self._logger, self._firm, self._at = _text(name[1]), True, name.end()
        return True

    def _take_other(self) -> bool:
        if found := _PID.match(self._line, self._at):
            self._at = found.end()
            if not self._level and (letter := _LETTER.match(self._line, self._at)):
                self._level, self._at = level_of_word(_text(letter[1])), letter.end()
            return True
        return self._take_bracket() or self._take_logger()

    def _take_bracketed_level(self) -> bool:
        found = None if self._level and not self._by_number else _BRACKET.match(self._line, self._at)
        level = _IN_BRACKET.fullmatch(found[1]) if found else None
        if not found or not level:
            return False
        self._level, self._by_number, self._at = level_of_word(_text(level[1])), False, found.end()
        return True

    def _take_bracket(self) -> bool:
        found = _BRACKET.match(self._line, self._at)
        if not found:
            return False
        inner = found[1].strip()
        if b" " in inner and self._level and not _THREAD.match(inner):
            return False
        if name := _NAME.fullmatch(inner):
            # A name in brackets is a thread as often as a logger: what comes later and looks like one is believed more.
            self._logger = self._logger or _text(name[0])
        self._at = found.end()
        return True

    def _take_logger(self) -> bool:
        found = None if self._firm else _LOGGER.match(self._line, self._at)
        # A word with digits and no dot is a code, as in 'AH00128: no such file', and says what happened.
        if not found or BARE_ERROR.match(self._line, self._at) or _CODE.fullmatch(found[1]):
            return False
        self._logger, self._firm, self._at = _text(found[1]), True, found.end()
        return True

    def _by_body(self) -> None:
        rest = self._line[self._at :]
        if found := _PHP.match(rest):
            self._level = "FATAL" if b"error" in found[1] else "WARN"
        elif not self._level and _PANIC.match(rest):
            self._level = "FATAL"
        elif not self._level and BARE_ERROR.match(rest):
            self._level = "ERROR"


def _named(fields: Fields) -> Header:
    return Header(fields.level, fields.logger, fields.message, fields.stack, fields.by_number, fields.request)


def _end(pattern: re.Pattern[bytes], line: bytes, at: int) -> int:
    found = pattern.match(line, at)
    return found.end() if found else at


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
