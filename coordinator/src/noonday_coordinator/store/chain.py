"""The chain through the event log: each record carries a hash over the one before and its own bytes. Pure.

`hash = sha256(text).hex()`, where `text` is, in UTF-8,

    HASH OF THE RECORD BEFORE, newline
    seq at len(by) len(kind) len(rollout) len(app) len(body), with blanks between them, newline
    by kind rollout app body, with nothing between them

The first record's is made with 64 zeros. `at` is the shortest decimal that gives the same float back; lengths are in
characters. Records from before there was a chain carry none, but their text is in the hash of the first that does.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

GENESIS = "0" * 64
Row = tuple[int, float, str, str, str, str, str]
"""(seq, at, by, kind, rollout, app, body), as in the table."""
Chained = tuple[int, float, str, str, str, str, str, str]
"""A row, and the hash that it carries; empty: it was written before there was a chain."""


@dataclass(frozen=True, slots=True)
class Head:
    """The newest record: its number and hash. Whoever kept one can tell whether the log still leads to it."""

    seq: int = 0
    hash: str = GENESIS

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"

    @classmethod
    def parse(cls, text: str) -> Head | None:
        """None when it is none."""
        number, _, made = text.strip().partition(":")
        return cls(int(number), made) if number.isdecimal() and re.fullmatch("[0-9a-f]{64}", made) else None


@dataclass(frozen=True, slots=True)
class Audit:
    """What a look along the chain found. `broken`: the first record that is not as it was written; 0 when all are."""

    records: int
    chained_from: int
    """The first record that carries a hash; 0 when none does."""
    head: Head
    broken: int = 0
    words: str = ""
    """What is wrong, as a sentence; empty when nothing is."""


def link(before: str, row: Row) -> str:
    """The hash of `row` behind a record with the hash `before`."""
    seq, at, by, kind, rollout, app, body = row
    sizes = f"{seq} {at!r} {len(by)} {len(kind)} {len(rollout)} {len(app)} {len(body)}"
    return hashlib.sha256(f"{before}\n{sizes}\n{by}{kind}{rollout}{app}{body}".encode()).hexdigest()


class Walk:
    """Along the chain, record by record, from behind `head`; an empty hash in it: what the record before carries is not
    known."""

    def __init__(self, head: Head | None = None) -> None:
        self.head = head or Head()
        self.records = 0
        self.chained_from = 0

    def step(self, row: Chained) -> str:
        """What is wrong with the next record, as a sentence; empty when it is as it was written."""
        seq, kept = row[0], row[7]
        if seq != self.head.seq + 1:
            gap = f"{self.head.seq + 1} to {seq - 1}" if seq - self.head.seq > 2 else f"{self.head.seq + 1}"
            return f"Record {gap} is missing from the event log."
        made = link(self.head.hash, row[:7]) if self.head.hash else kept
        if kept and kept != made:
            old = (
                f" (or one of the {seq - 1} before it, which carry no hash)"
                if seq > 1 and not self.chained_from
                else ""
            )
            return f"Record {seq} of the event log{old} is not as it was written."
        if not kept and self.chained_from:
            return f"Record {seq} of the event log carries no hash, and those before it do."
        self.chained_from = self.chained_from or (seq if kept else 0)
        self.head = Head(seq, made)
        self.records += 1
        return ""


def audit(rows: Iterable[Chained], noted: Head | None = None) -> Audit:
    """`rows`: all of a log, in order. `noted`: a head that it had before, which it must lead to still."""
    walk = Walk()
    for row in rows:
        words = walk.step(row)
        if words:
            return Audit(walk.records, walk.chained_from, walk.head, walk.head.seq + 1, words)
        if noted is not None and noted.seq == walk.head.seq and noted.hash != walk.head.hash:
            words = f"Record {noted.seq} of the event log, or one before it, is another one than was noted."
            return Audit(walk.records, walk.chained_from, walk.head, noted.seq, words)
    if noted is not None and noted.seq > walk.head.seq:
        words = f"The event log ends at record {walk.head.seq}, and record {noted.seq} was noted: its end was cut off."
        return Audit(walk.records, walk.chained_from, walk.head, walk.head.seq + 1, words)
    return Audit(walk.records, walk.chained_from, walk.head)
