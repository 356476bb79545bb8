"""A histogram of response times with fixed edges, so that merging is adding and every host's edges are the same."""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable
from dataclasses import dataclass

LEAST_MS = 0.5
PER_DOUBLING = 4
DOUBLINGS = 18
EDGES_MS = tuple(LEAST_MS * 2 ** (i / PER_DOUBLING) for i in range(PER_DOUBLING * DOUBLINGS + 1))
"""Upper edges of all buckets but the last, in milliseconds, 19 % apart: 0.5 ms to 131 s. What is slower is in the last.
"""
QUANTILES = (0.5, 0.95, 0.99)
"""Whose edges before the deploy become units: 'slower than the p95 was'."""
LEAST_BEYOND = 10.0
"""A quantile's edge is of use when so many requests were slower before; else it is a matter of luck."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """Immutable. `counts[i]`: requests that took over `EDGES_MS[i - 1]` and at most `EDGES_MS[i]`."""

    counts: tuple[float, ...] = (0.0,) * (len(EDGES_MS) + 1)

    def __post_init__(self) -> None:
        if len(self.counts) != len(EDGES_MS) + 1 or not all(0 <= count < math.inf for count in self.counts):
            raise ValueError(f"a histogram has {len(EDGES_MS) + 1} counts, finite and not negative")

    @classmethod
    def of(cls, times_ms: Iterable[float]) -> Histogram:
        """From response times in milliseconds. Raises `ValueError` for one that is not a number."""
        counts = [0.0] * (len(EDGES_MS) + 1)
        for time_ms in times_ms:
            if math.isnan(time_ms):
                raise ValueError("a response time is not a number")
            counts[bisect.bisect_left(EDGES_MS, time_ms)] += 1
        return cls(tuple(counts))

    def __add__(self, other: Histogram) -> Histogram:
        return Histogram(tuple(a + b for a, b in zip(self.counts, other.counts, strict=True)))

    def __sub__(self, earlier: Histogram) -> Histogram:
        """What came since `earlier`, of a histogram that only grows. Raises `ValueError` when it did not."""
        return Histogram(tuple(a - b for a, b in zip(self.counts, earlier.counts, strict=True)))

    @property
    def total(self) -> float:
        return sum(self.counts)

    def quantile_edge(self, share: float) -> float | None:
        """The least edge, in ms, that this share of requests did not exceed; None when none is, or there are none."""
        needed = share * self.total
        seen = 0.0
        for edge, count in zip(EDGES_MS, self.counts, strict=False):
            seen += count
            if seen >= needed > 0:
                return edge
        return None

    def slower_than(self, edge_ms: float) -> float:
        """Requests that took longer than this edge. Raises `ValueError` for what is no edge."""
        at = bisect.bisect_left(EDGES_MS, edge_ms)
        if at == len(EDGES_MS) or EDGES_MS[at] != edge_ms:
            raise ValueError(f"{edge_ms!r} ms is no edge")
        return sum(self.counts[at + 1 :])

    def edges_to_watch(self) -> dict[str, float]:
        """The edges that become units, by name ('p95'), from the histogram before the deploy. Equal edges are one."""
        found: dict[str, float] = {}
        for share in QUANTILES:
            edge = self.quantile_edge(share)
            if edge is not None and edge not in found.values() and self.slower_than(edge) >= LEAST_BEYOND:
                found[f"p{100 * share:g}"] = edge
        return found
