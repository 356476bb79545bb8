"""Requests that met a kind of record: two lines of one request are one thing that happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice

from noonday_shared.logs.signature import Signature

REMEMBERED = 2.0
"""Seconds after which a generation of ids makes room; an id is known for one to two of them."""
MOST = 10_000
"""Ids remembered in each of two generations; about 100 bytes each."""

# Ids themselves are long, and would be most of what an agent keeps in memory.
_Known = dict[Signature, set[int]]
_NO_ID = hash(b"")


class Episodes:
    """Remembers which requests met which kind of record lately. Bounded; one thread."""

    def __init__(self) -> None:
        self._young: _Known = {}
        self._old: _Known = {}
        self._size = 0
        self._since = 0.0

    def told_apart(
        self, signatures: Sequence[Signature], ids: Sequence[bytes], now: float
    ) -> Mapping[Signature, tuple[int, bool]]:
        """Of each kind: how many requests met it for the first time, and whether a record of it carries no id.
        `ids`: one for each record, empty where it has none; or none at all."""
        if not ids:
            return dict.fromkeys(signatures, (0, True))
        met: _Known = {signature: set() for signature in set(signatures)}
        for signature, one in zip(signatures, map(hash, ids), strict=True):
            met[signature].add(one)
        if not self._since <= now < self._since + REMEMBERED or self._size > MOST:
            self._old, self._young, self._size, self._since = self._young, {}, 0, now
        return {signature: self._meet(signature, found) for signature, found in met.items()}

    def _meet(self, signature: Signature, found: set[int]) -> tuple[int, bool]:
        without = _NO_ID in found
        found.discard(_NO_ID)
        known = self._young.get(signature)
        fresh = found - self._old.get(signature, set())
        if known is None:
            self._young[signature] = set(islice(fresh, MOST))
            self._size += len(self._young[signature])
            return len(fresh), without
        fresh -= known
        known.update(islice(fresh, MOST))
        self._size += len(fresh)
        return len(fresh), without
