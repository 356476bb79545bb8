"""Lines of an access log: nginx and Apache (common, combined and longer), gunicorn, uvicorn, Django."""

from __future__ import annotations

import re
from typing import NamedTuple

_REQUEST = re.compile(rb'HTTP/\d(?:\.\d)?" (\d{3})(?=[ \r\n]|$)')
_DAMAGED = re.compile(rb'"(?:[A-Z]{3,10}|-) ?[^"\n]{0,8192}" (\d{3})(?=[ \r\n]|$)|" (\d{3}) (?:\d+|-)(?= |$)')
_TOOK = rb"(\d{1,9}\.\d{1,9}|\d{1,12}(?=us|ms))(us|ms|s)?(?=[\s\",;]|$)"
_NAMED_TOOK = re.compile(rb"(?<=[\s,;])(?:rt|request_time|duration|time|took|elapsed)[=:]\"?" + _TOOK)
_NAMES = (b"time", b"rt=", b"rt:", b"duration", b"took", b"elapsed")
_LAST_TOOK = re.compile(rb"(?:^|(?<=\s))" + _TOOK)
_UNITS = {b"us": 1e-6, b"ms": 1e-3, b"s": 1.0, None: 1.0}
_STATUSES = {digit: f"{chr(digit)}xx" for digit in b"12345"}


class Request(NamedTuple):
    """`status`: '2xx' and the like. `seconds`: how long it took, where the line says so without doubt."""

    status: str
    seconds: float | None = None


def is_request(line: bytes) -> bool:
    """Whether this can be nothing but a line of an access log, in a file that holds other things too."""
    return _REQUEST.search(line) is not None


def read_request(line: bytes, *, surely: bool = False) -> Request | None:
    """The request in a line; `surely`: the file is known to hold only requests, so damaged ones count as well."""
    found = _REQUEST.search(line) or (_DAMAGED.search(line) if surely else None)
    if found is None:
        return None
    status = _STATUSES.get((found[1] or found[2])[0])
    if status is None:
        return None
    return Request(status, _seconds(line, found.end()))


def _seconds(line: bytes, after: int) -> float | None:
    """A named duration, or a number with a point after the last quoted part: a whole one may be bytes or anything."""
    rest = line[after:]
    named = (b"=" in rest or b":" in rest) and any(name in rest for name in _NAMES) and _NAMED_TOOK.search(rest)
    found = named or _LAST_TOOK.search(rest, rest.rfind(b'"') + 1)
    return float(found[1]) * _UNITS[found[2]] if found else None
