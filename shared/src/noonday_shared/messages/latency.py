"""The fixed edges of latency histograms: the same everywhere, so that merging two is adding them."""

from __future__ import annotations

from bisect import bisect_left

EDGES: tuple[float, ...] = tuple(round(0.001 * 2 ** (step / 4), 6) for step in range(65))
"""Upper edges in seconds, from 1 ms to 65.5 s, four to a doubling. A last bucket holds what is longer."""
BUCKETS = len(EDGES) + 1


def bucket(seconds: float) -> int:
    """The bucket that a duration in seconds falls into: the first whose edge is not below it."""
    return bisect_left(EDGES, seconds)
