"""The id of the request that a record belongs to, where the records of a file carry one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

_NAME = (
    r"(?:x[-_.]?)?(?:request|req|correlation|trace|transaction)[-_.]?id|trace"
    r"|amzn[-_.]trace[-_.]id|traceparent"
)
_NAMED = rf"(?<![A-Za-z0-9_])((?:{_NAME})\\?[\"']?\s{{0,2}}(?:=>|[=:])\s{{0,2}}\\?[\"']?)"
_BRACKETED = r"(\[req-)"
_VALUE = r"([A-Za-z0-9_.+/=:-]{6,80})"
_DIGIT = r"(?=[A-Za-z_.+/=:-]{0,79}[0-9])"
_PATTERN = rf"(?:{_NAMED}|{_BRACKETED}){_DIGIT}{_VALUE}"
IN_TEXT = re.compile(_PATTERN, re.IGNORECASE)
"""Finds a named id in a text; the third group is the id."""
_IN_BYTES = re.compile(_PATTERN.encode(), re.IGNORECASE)
# Without a name: [shop,4bf92f3577b34da6a3ce929d0e0e4736,00f067aa0ba902b7,true] or [4bf9...-00f0...].
_TRACED = re.compile(rb"(\[(?:[\w.-]{0,60},)?)([0-9a-f]{32}|[0-9a-f]{16})[,-][0-9a-f]{16}(?=[,\]])")
_TRACE = b"["

LOOK_AT = 256
"""Records that are looked at to learn; again after each `LOOK_AGAIN` when nothing was found."""
LOOK_AGAIN = 20_000
_LEAST = 8
_SHARE = 0.02


def may_be_named(text: str) -> bool:
    """False when `IN_TEXT` can't find anything in it: far cheaper."""
    text = text.casefold()
    return "req" in text or "trac" in text or "correlat" in text or "transact" in text


class RequestIds:
    """Learns, from the records of one file, after which words the request's id stands. One thread."""

    def __init__(self) -> None:
        self._pattern: re.Pattern[bytes] | None = None
        self._marks: Counter[bytes] = Counter()
        self._values: set[bytes] = set()
        self._looked = 0
        self._rest = 0

    def cut(self, records: Sequence[bytes]) -> tuple[Sequence[bytes], list[bytes]]:
        """The records without their ids, only to tell them apart by, and the ids, each empty where there is none; no
        ids at all when no record of this file is known to carry one."""
        if self._pattern is None:
            self._learn(records)
        if self._pattern is None:
            return records, []
        split = self._pattern.split
        parts = [split(record, 1) for record in records]
        rests = [found[0] + found[1] + found[3] if len(found) > 1 else found[0] for found in parts]
        return rests, [found[2] if len(found) > 1 else b"" for found in parts]

    def _learn(self, records: Sequence[bytes]) -> None:
        self._rest -= len(records)
        if self._rest > 0:
            return
        for record in records[: LOOK_AT - self._looked]:
            self._looked += 1
            if (found := _TRACED.search(record)) is not None:
                self._marks[_TRACE] += 1
                self._values.add(found[2])
            elif may_be_named(record.decode("latin-1")) and (found := _IN_BYTES.search(record)) is not None:
                self._marks[found[1] or found[2]] += 1
                self._values.add(found[3])
        mark, times = next(iter(self._marks.most_common(1)), (b"", 0))
        if times >= max(_LEAST, _SHARE * self._looked) and len(self._values) > 1:
            self._pattern = _TRACED if mark == _TRACE else re.compile(b"(" + re.escape(mark) + b")" + _VALUE.encode())
        elif self._looked >= LOOK_AT:
            self._marks.clear()
            self._values.clear()
            self._looked, self._rest = 0, LOOK_AGAIN
