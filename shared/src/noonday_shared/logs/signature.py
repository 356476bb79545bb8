"""What a record is, whatever its numbers: the same on every host and for every release."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b
from typing import cast

from noonday_shared.logs import access, header
from noonday_shared.logs.access import ReadRequest
from noonday_shared.logs.header import Header
from noonday_shared.logs.mask import FILLING, LONGEST, identity, mask
from noonday_shared.logs.redact import Redactor
from noonday_shared.logs.traces import find_trace

MOST_CACHED = 10_000
"""Shapes of lines kept in each of two generations; about 200 bytes each."""
_AT_ONCE = 500
_LONGEST_LOGGER = 200
_LONGEST_TRACE = 256 << 10
# Long hexadecimal ids are looked for in a copy where their digits are x and other letters y: a search for a word.
_CLASSES = bytes(
    ord("x") if chr(one) in "0123456789abcdefABCDEF" else ord("y") if one < 128 and chr(one).isalnum() else one
    for one in range(256)
)
_IDS = re.compile(rb"xxxxxxxx(?<![xy]xxxxxxxx)x*(?:-xxxx){0,3}(?:-x{12})?(?![xy])")
_LEVEL_DIGITS = re.compile(rb'^<(\d+)>|"(?:level|severity|lvl|loglevel|log\.level)"\s{0,4}:\s{0,4}"?(\d+)')


class Kind(StrEnum):
    REQUEST = "request"
    """A line of an access log; what its status is stands in its digits."""
    RECORD = "record"
    TRACE = "trace"
    """A record with a stack trace, which alone makes its key."""


@dataclass(frozen=True, slots=True, eq=False)
class Signature:
    """`key`: 16 hex digits, what records are compared and counted by; empty for requests. `text`: masked, not yet
    redacted. `request`: how records of this kind tell of a request as well. Two signatures of one key are not equal as
    objects."""

    kind: Kind
    key: str = ""
    level: str = ""
    logger: str = ""
    text: str = ""
    request: ReadRequest | None = None


REQUEST = Signature(Kind.REQUEST)
"""The one signature of all lines that are nothing but requests."""
_BY_DIGITS = Signature(Kind.RECORD)
"""Marks a cached shape whose level stands in its digits, so that the shape alone can't answer."""


class Signer:
    """Looks a record up by its bytes without digits, then without long hexadecimal ids, and reads it only when that
    shape is new. One thread.

    The cache holds hashes, not lines, in two generations: its memory is bounded whatever is logged.
    """

    def __init__(self, most: int = MOST_CACHED, redactor: Redactor | None = None) -> None:
        """`redactor`: texts are redacted before they are masked, since a secret whose digits are gone is not known any
        more. No key depends on it."""
        self._most = most
        self._redactor = redactor
        self._young: dict[int, Signature] = {}
        self._old: dict[int, Signature] = {}

    def sign(self, record: bytes) -> Signature:
        return self.sign_all([record])[0]

    def sign_all(self, records: Sequence[bytes], rests: Sequence[bytes] | None = None) -> list[Signature]:
        """One signature for each record. `rests`: the records without their requests' ids, to look them up by."""
        rests = records if rests is None else rests
        if len(records) <= _AT_ONCE:
            return self._sign(records, rests)
        # In parts, so that what the first teach is known to the others.
        parts = range(0, len(records), _AT_ONCE)
        return [one for at in parts for one in self._sign(records[at : at + _AT_ONCE], rests[at : at + _AT_ONCE])]

    def _sign(self, records: Sequence[bytes], rests: Sequence[bytes]) -> list[Signature]:
        if access.mostly_requests(records):
            return [
                REQUEST
                if record.find(b" HTTP/") >= 0 and _only_request(record)
                else self._look(record, rest, hash(rest.translate(None, FILLING)))
                for record, rest in zip(records, rests, strict=True)
            ]
        shapes = [hash(rest.translate(None, FILLING)) for rest in rests]
        known = list(map(self._young.get, shapes))
        if None not in known and _BY_DIGITS not in known:
            return cast(list[Signature], known)
        return [
            self._look_again(records[at], rests[at], shapes[at]) if found is None or found is _BY_DIGITS else found
            for at, found in enumerate(known)
        ]

    def _look(self, record: bytes, rest: bytes, shape: int) -> Signature:
        found = self._young.get(shape)
        return self._look_again(record, rest, shape) if found is None or found is _BY_DIGITS else found

    def _look_again(self, record: bytes, rest: bytes, shape: int) -> Signature:
        if record.find(b" HTTP/") >= 0 and _only_request(record):
            # Not kept: paths and clients differ in each, and would drive everything else out.
            return REQUEST
        known = self._get(shape)
        if known is None:
            without = _without_ids(rest)
            if len(without) < len(rest):
                shape = hash(without.translate(None, FILLING))
                known = self._get(shape)
        if known is None:
            known, by_number = self._read(record)
            known = self._put(shape, _BY_DIGITS if by_number else known)
        if known is _BY_DIGITS:
            shape = hash((shape, _level_digits(record)))
            known = self._get(shape) or self._put(shape, self._read(record)[0])
        return known

    def _read(self, record: bytes) -> tuple[Signature, bool]:
        """The signature, and whether its level stands in digits."""
        first, _, more = record.partition(b"\n")
        head = header.split(first)
        if first.find(b"HTTP/") >= 0 and access.is_request(first):
            head = replace(head, request=access.read_request)
        if head.stack or more:
            stack = head.stack or record[:_LONGEST_TRACE].decode("utf-8", "replace")
            return self._redacted(head, stack, more), head.by_number
        # Fields that are no part of its identity, as a user's name, make many shapes of what is one kind.
        shape = hash((head.level, head.logger, head.body.encode().translate(None, FILLING), head.request))
        return self._get(shape) or self._put(shape, self._redacted(head, "", b"")), head.by_number

    def _redacted(self, head: Header, stack: str, more: bytes) -> Signature:
        found = _signature(head, stack, more)
        if self._redactor is None:
            return found
        clean = self._redactor.clean
        bare = replace(head, logger=clean(head.logger), body=clean(head.body[:LONGEST]))
        if bare == head and clean(stack) == stack:
            return found
        shown = _signature(bare, clean(stack), clean(more.decode("utf-8", "replace")).encode())
        return replace(found, logger=shown.logger, text=shown.text)

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


def _without_ids(record: bytes) -> bytes:
    parts = []
    at = 0
    for found in _IDS.finditer(record.translate(_CLASSES)):
        parts.append(record[at : found.start()])
        at = found.end()
    return b"".join([*parts, record[at:]]) if at else record


def _only_request(record: bytes) -> bool:
    """Whether this is a line of an access log, and no more than that."""
    line = record.partition(b"\n")[0]
    return access.is_request(line) and not access.is_serious(line)


def _signature(head: Header, stack: str, more: bytes) -> Signature:
    trace = find_trace(stack) if stack else None
    logger = _masked_logger(head.logger)
    if trace is not None:
        # Some loggers tell where they were called, and nothing of an exception.
        trace = trace if trace.kind else replace(trace, kind=mask(head.body)[:_LONGEST_LOGGER])
        # Neither level nor logger: what a trace is glued to depends on what was written before it.
        level = "ERROR" if head.level in ("", "INFO") else head.level
        text, key = str(trace)[:2048], _key("trace", "", str(trace))
        return Signature(Kind.TRACE, key, level, logger, text, head.request)
    text = mask(head.body) or mask(more.lstrip().partition(b"\n")[0].decode("utf-8", "replace"))
    return Signature(Kind.RECORD, _key(head.level, logger, text), head.level, logger, text, head.request)


@lru_cache(maxsize=1024)
def _masked_logger(logger: str) -> str:
    return mask(logger)[:_LONGEST_LOGGER]


def _key(level: str, logger: str, masked: str) -> str:
    raw = b"\0".join((level.encode(), identity(logger), identity(masked)))
    return blake2b(raw, digest_size=8).hexdigest()


def _level_digits(record: bytes) -> bytes:
    found = _LEVEL_DIGITS.search(record)
    return (found[1] or found[2]) if found else b""
