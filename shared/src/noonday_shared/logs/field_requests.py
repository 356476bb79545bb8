"""Requests that are told by fields: JSON or logfmt lines with a method or path, a status and perhaps a duration."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from noonday_shared.logs.access import ReadRequest, Request

_STATUSES = {
    "status", "statuscode", "httpstatus", "httpstatuscode", "httpresponsestatuscode", "responsestatus",
    "responsestatuscode", "responsecode",
}  # fmt: skip
_WHATS = {
    "method", "httpmethod", "requestmethod", "httprequestmethod", "verb", "path", "httppath", "requestpath",
    "requesturl", "urlpath", "uri", "requesturi", "url", "httptarget", "httpurl", "httproute", "route",
    "endpoint", "request",
}  # fmt: skip
_TOOK = {
    "duration", "latency", "elapsed", "took", "requesttime", "responsetime", "timetaken", "elapsedtime",
    "processingtime",
}  # fmt: skip
# The unit that a name carries itself; of the longest that fits, so that 'ms' is not taken for 's'.
_UNITS = {
    "milliseconds": 1e-3, "microseconds": 1e-6, "nanoseconds": 1e-9, "seconds": 1.0, "millis": 1e-3, "micros": 1e-6,
    "nanos": 1e-9, "msec": 1e-3, "usec": 1e-6, "secs": 1.0, "sec": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "s": 1.0,
}  # fmt: skip
# What these loggers write without a unit: nginx in seconds, those of Node in milliseconds; and ECS.
_KNOWN = {"requesttime": 1.0, "responsetime": 1e-3}
_NANOSECONDS = "event.duration"
_TIME = {"time", *_TOOK}
_SUFFIXES = {b"ns": 1e-9, b"us": 1e-6, "µs".encode(): 1e-6, "μs".encode(): 1e-6, b"ms": 1e-3, b"s": 1.0}
_NUMBER = rb"(\d{1,15}(?:\.\d{1,15})?)(ns|us|\xc2\xb5s|\xce\xbcs|ms|s)?(?![\w.])"
_DEEPEST = 3
_MOST_FIELDS = 100
_PUNCTUATION = str.maketrans("", "", "_-. ")


@dataclass(frozen=True, slots=True, eq=False)
class _RequestFields:
    """Where the lines of one kind tell of a request, found by its first line. `unit`: seconds, 0 when it is not named:
    then a number with a unit of its own is in that, one with a point in seconds, a whole one in milliseconds."""

    status: re.Pattern[bytes]
    took: re.Pattern[bytes] | None
    unit: float

    def read(self, line: bytes) -> Request | None:
        """The request that a line of this kind tells; None when its status is none."""
        status = self.status.search(line)
        if status is None:
            return None
        took = self.took.search(line) if self.took else None
        return Request(f"{status[1][:1].decode()}xx", self._seconds(took) if took else None)

    def _seconds(self, took: re.Match[bytes]) -> float:
        unit = _SUFFIXES.get(took[2]) or self.unit or (1.0 if b"." in took[1] else 1e-3)
        return float(took[1]) * unit


def find_request(fields: Mapping[str, object], *, logfmt: bool) -> ReadRequest | None:
    """None when the names tell of no request: one has a status, and a method or a path."""
    return _by_names(tuple(_names(fields, "", 0)), logfmt)


@lru_cache(maxsize=512)
def _by_names(paths: tuple[str, ...], logfmt: bool) -> ReadRequest | None:
    statuses: list[str] = []
    what, took, unit = False, "", 0.0
    for path in paths:
        last = path.rpartition(".")[2]
        short = {path.translate(_PUNCTUATION).lower(), last.translate(_PUNCTUATION).lower()}
        if short & _STATUSES:
            statuses += {path, last}
        elif short & _WHATS:
            what = True
        elif not took and (found := _unit(last.translate(_PUNCTUATION).lower())) is not None:
            took, unit = path, 1e-9 if path == _NANOSECONDS else found
    if not statuses or not what:
        return None
    status_pattern = re.compile(_named(statuses, logfmt) + rb"([1-5]\d\d)(?!\d)")
    return _RequestFields(
        status_pattern, re.compile(_named({took, took.rpartition(".")[2]}, logfmt) + _NUMBER) if took else None, unit
    ).read


def _names(fields: Mapping[str, object], before: str, depth: int) -> Iterator[str]:
    for name in islice(fields, _MOST_FIELDS):
        value = fields[name]
        if isinstance(value, Mapping):
            if depth < _DEEPEST:
                yield from _names(value, f"{before}{name}.", depth + 1)
        elif isinstance(value, str | int | float):
            yield f"{before}{name}"


def _unit(name: str) -> float | None:
    """The unit of a field that holds a duration, 0 when its name tells none; None for other fields."""
    if name in _TOOK:
        return _KNOWN.get(name, 0.0)
    suffix = next((suffix for suffix in _UNITS if name.endswith(suffix)), "")
    stem = name.removesuffix(suffix).removesuffix("in") if suffix else ""
    return _UNITS[suffix] if stem in _TIME else None


def _named(names: Iterable[str], logfmt: bool) -> bytes:
    raw = [re.escape(name.encode("utf-8", "replace")) for name in sorted(names)]
    # One name stands without a group, so that the search is for a word.
    any_of = raw[0] if len(raw) == 1 else b"(?:" + b"|".join(raw) + b")"
    return b" " + any_of + b'="?' if logfmt else b'"' + any_of + rb'"\s{0,4}:\s{0,4}"?'
