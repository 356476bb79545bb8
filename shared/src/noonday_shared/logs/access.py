"""Lines of an access log: nginx and Apache (common, combined and longer), gunicorn, uvicorn, Django."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from math import isfinite
from typing import NamedTuple

from noonday_shared.logs.levels import SERIOUS, WORDS, level_of_word

_REQUEST = re.compile(rb'HTTP/\d(?:\.\d)?" (\d{3})(?=[ \r\n]|$)')
_DAMAGED = re.compile(rb'"(?:[A-Z]{3,10}|-) ?[^"\n]{0,8192}" (\d{3})(?=[ \r\n]|$)|" (\d{3}) (?:\d+|-)(?= |$)')
_TOOK = rb"(\d{1,9}\.\d{1,9}|\d{1,12}(?=us|ms))(us|ms|s)?(?=[\s\",;]|$)"
_NAMED_TOOK = re.compile(rb"(?<=[\s,;])(?:rt|request_time|duration|time|took|elapsed)[=:]\"?" + _TOOK)
_NAMES = (b"time", b"rt=", b"rt:", b"duration", b"took", b"elapsed")
_LAST_TOOK = re.compile(rb"(?:^|(?<=\s))" + _TOOK)
_UNITS = {b"us": 1e-6, b"ms": 1e-3, b"s": 1.0, None: 1.0}
_CLASSES = {digit: f"{chr(digit)}xx" for digit in b"12345"}
# A status with what must follow it, so that one look into a table says whether it is one.
_STATUSES = {
    b"%d%s" % (status, after): _CLASSES[status // 100 + ord("0")]
    for status in range(100, 600)
    for after in (b" ", b"\r", b"\n", b"")
}
_PROTOCOLS = frozenset((b"TP/1.1", b"TP/1.0", b"TP/2.0", b"HTTP/2", b"HTTP/3", b"TP/3.0"))
_LOOK_AT = 8
_LEVEL = re.compile(rb"(?<![\w.])(?:" + WORDS.encode() + rb")(?![\w.])", re.IGNORECASE)
PROBE = b"noonday-agent"
"""In the User-Agent of what the agent itself asks the app, as far as the access log shows it."""


class Request(NamedTuple):
    """`status`: '2xx' and the like. `seconds`: how long it took, where the line says so without doubt."""

    status: str
    seconds: float | None = None


ReadRequest = Callable[[bytes], Request | None]
"""What reads the request that a line tells; None when that line tells none."""


class Requests(NamedTuple):
    """Of many lines: how often each status class, the durations that were told, and the lines that are no requests."""

    statuses: Counter[str]
    seconds: list[float]
    others: list[bytes]


def is_request(line: bytes) -> bool:
    """Whether this can be nothing but a line of an access log, in a file that holds other things too."""
    at = line.find(b'" ')
    if line[at - 6 : at] in _PROTOCOLS and line[at + 2 : at + 6] in _STATUSES:
        return True
    return _REQUEST.search(line) is not None


def mostly_requests(records: Sequence[bytes]) -> bool:
    """Whether the first of these seem to be requests for the most part."""
    first = records[:_LOOK_AT]
    return 2 * sum(record.find(b" HTTP/") >= 0 for record in first) > len(first)


def is_serious(line: bytes) -> bool:
    """Whether a level before the request says that this line is more than one of an access log."""
    stamp = line.find(b'] "')
    if stamp > 0 and line[stamp - 1] in b"0123456789":
        return False
    found = _LEVEL.search(line, 0, max(line.find(b'"'), 0))
    return found is not None and level_of_word(found[0].decode()) in SERIOUS


def read_request(line: bytes, *, surely: bool = False) -> Request | None:
    """The request in a line; `surely`: the file is known to hold only requests, so damaged ones count as well."""
    found = _REQUEST.search(line) or (_DAMAGED.search(line) if surely else None)
    if found is None:
        return None
    status = _CLASSES.get((found[1] or found[2])[0])
    if status is None:
        return None
    took = _took(line, found.end())
    return Request(status, _seconds(took) if took else None)


def read_requests(lines: Sequence[bytes], *, surely: bool = False) -> Requests:
    """What `read_request` says of each, but far quicker: the first lines tell where the others tell their durations.
    The agent's own requests are left out."""
    statuses: list[str] = []
    seconds: list[float] = []
    slow: list[bytes] = []
    took = _teller(islice(lines, _LOOK_AT))
    # Looked for once in all, since it is seldom there.
    probed = PROBE in b"\n".join(lines)
    for line in lines:
        at = line.find(b'" ')
        status = _STATUSES.get(line[at + 2 : at + 6]) if line[at - 6 : at] in _PROTOCOLS else None
        if status is None or (probed and of_probe(line)):
            slow.append(line)
            continue
        if took is not None:
            if (second := took(line, at)) is None:
                slow.append(line)
                continue
            seconds.append(second)
        statuses.append(status)
    found = Requests(Counter(statuses), seconds, [])
    for line in slow:
        _add_slowly(found, line, surely)
    return found


def of_probe(line: bytes) -> bool:
    # Not `in`, which with bytes makes an error inside and throws it away, each time.
    return line.find(PROBE) >= 0


def _add_slowly(found: Requests, line: bytes, surely: bool) -> None:
    request = read_request(line, surely=surely)
    if request is None:
        found.others.append(line)
    elif not of_probe(line):
        found.statuses[request.status] += 1
        if request.seconds is not None:
            found.seconds.append(request.seconds)


def _teller(lines: Iterable[bytes]) -> Callable[[bytes, int], float | None] | None:
    """What finds the duration in lines like these, after a place; None when they tell none."""
    for line in lines:
        found = _REQUEST.search(line)
        if found is None or (took := _took(line, found.end())) is None:
            continue
        if took.re is _LAST_TOOK:
            return _last if took.end() == len(line) else _slowly
        named = re.compile(re.escape(line[took.start() - 1 : took.start(1)]) + _TOOK)
        return lambda line, at: _seconds(took) if (took := named.search(line, at)) else None
    return None


def _last(line: bytes, _: int) -> float | None:
    last = line[line.rfind(b" ") + 1 :]
    try:
        # A whole number may be bytes or anything.
        seconds = float(last) if last.find(b".") >= 0 else -1.0
    except ValueError:
        return None
    return seconds if seconds >= 0.0 and isfinite(seconds) else None


def _slowly(line: bytes, at: int) -> None:
    return None


def _seconds(took: re.Match[bytes]) -> float:
    return float(took[1]) * _UNITS[took[2]]


def _took(line: bytes, after: int) -> re.Match[bytes] | None:
    """A named duration, or a number with a point after the last quoted part: a whole one may be bytes or anything."""
    names = line.find(b"=", after) >= 0 or line.find(b":", after) >= 0
    if names and any(line.find(name, after) >= 0 for name in _NAMES) and (found := _NAMED_TOOK.search(line, after)):
        return found
    return _LAST_TOOK.search(line, max(line.rfind(b'"', after) + 1, after))
