"""What a record is, whatever its numbers: the same on every host and for every release."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b

from noonday_shared.logs import access, header
from noonday_shared.logs.header import Header
from noonday_shared.logs.levels import BAD
from noonday_shared.logs.mask import FILLING, identity, mask
from noonday_shared.logs.traces import Trace, find_trace

MOST_CACHED = 10_000
"""Shapes of lines kept in each of two generations; about 200 bytes each."""
_LONGEST_LOGGER = 200
_LONGEST_TRACE = 256 << 10
# The first character comes before the look behind it, so that the search skips ahead to characters that fit.
_IDS = re.compile(
    rb"[0-9a-fA-F](?<![0-9A-Za-z][0-9a-fA-F])[0-9a-fA-F]{7,}(?:-[0-9a-fA-F]{4}){0,3}(?:-[0-9a-fA-F]{12})?(?![0-9A-Za-z])"
)
_LEVEL_DIGITS = re.compile(rb'^<(\d+)>|"(?:level|severity|lvl|loglevel|log\.level)"\s{0,4}:\s{0,4}"?(\d+)')

Wanted = Callable[[Header, Trace | None], bool]


class Kind(StrEnum):
    REQUEST = "request"
    """A line of an access log; what its status is stands in its digits."""
    PLAIN = "plain"
    """A record that no signature is kept of."""
    BAD = "bad"
    """An error record or a stack trace."""


@dataclass(frozen=True, slots=True)
class Signature:
    """`key`: 16 hex digits. `text`: masked, not yet redacted. Both empty for kinds that are only counted."""

    kind: Kind
    key: str = ""
    level: str = ""
    logger: str = ""
    text: str = ""


_REQUEST = Signature(Kind.REQUEST)
_PLAIN = Signature(Kind.PLAIN)
_BY_DIGITS = Signature(Kind.PLAIN)
"""Marks a cached shape whose level stands in its digits, so that the shape alone can't answer."""


class Signer:
    """Looks a record up by its bytes without digits, then without long hexadecimal ids, and reads it only when that
    shape is new. One thread.

    The cache holds hashes, not lines, in two generations: its memory is bounded whatever is logged.
    """

    def __init__(self, wanted: Wanted | None = None, most: int = MOST_CACHED) -> None:
        """`wanted`: of which records a signature is kept; of error records and traces when absent."""
        self._wanted = wanted or _is_bad
        self._most = most
        self._young: dict[int, Signature] = {}
        self._old: dict[int, Signature] = {}

    def sign(self, record: bytes) -> Signature:
        shape = hash(record.translate(None, FILLING))
        known = self._young.get(shape)
        return self._look_again(record, shape) if known is None or known is _BY_DIGITS else known

    def _look_again(self, record: bytes, shape: int) -> Signature:
        known = self._get(shape)
        if known is None:
            if access.is_request(record.partition(b"\n")[0]):
                # Not kept: paths and clients differ in each, and would drive everything else out.
                return _REQUEST
            without = _IDS.sub(b"", record)
            if len(without) < len(record):
                shape = hash(without.translate(None, FILLING))
                known = self._get(shape)
        if known is None:
            known, by_number = _read(record, self._wanted)
            known = self._put(shape, _BY_DIGITS if by_number else known)
        if known is _BY_DIGITS:
            shape = hash((shape, _level_digits(record)))
            known = self._get(shape) or self._put(shape, _read(record, self._wanted)[0])
        return known

    def _get(self, shape: int) -> Signature | None:
        known = self._young.get(shape)
        if known is None and (known := self._old.get(shape)) is not None:
            self._put(shape, known)
        return known

    def _put(self, shape: int, signature: Signature) -> Signature:
        if len(self._young) >= self._most:
            self._old, self._young = self._young, {}
        self._young[shape] = signature
        return signature


def _read(record: bytes, wanted: Wanted) -> tuple[Signature, bool]:
    """The signature, and whether its level stands in digits."""
    first, _, more = record.partition(b"\n")
    head = header.split(first)
    trace = None
    if head.stack or more:
        trace = find_trace(head.stack or record[:_LONGEST_TRACE].decode("utf-8", "replace"))
    return (_signature(head, trace, more) if wanted(head, trace) else _PLAIN), head.by_number


def _is_bad(head: Header, trace: Trace | None) -> bool:
    return trace is not None or head.level in BAD


def _signature(head: Header, trace: Trace | None, more: bytes) -> Signature:
    logger = mask(head.logger)[:_LONGEST_LOGGER]
    if trace is not None:
        # Neither level nor logger: what a trace is glued to depends on what was written before it.
        return Signature(Kind.BAD, _key("trace", "", str(trace)), head.level or "ERROR", logger, str(trace)[:2048])
    text = mask(head.body) or mask(more.lstrip().partition(b"\n")[0].decode("utf-8", "replace"))
    return Signature(Kind.BAD, _key(head.level, logger, text), head.level, logger, text)


def _key(level: str, logger: str, masked: str) -> str:
    raw = b"\0".join((level.encode(), identity(logger), identity(masked)))
    return blake2b(raw, digest_size=8).hexdigest()


def _level_digits(record: bytes) -> bytes:
    found = _LEVEL_DIGITS.search(record)
    return (found[1] or found[2]) if found else b""
