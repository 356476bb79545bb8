"""Gauges: one number per window, compared by medians, so that a few odd windows or hosts decide nothing.

Difference in differences against the median absolute deviation; slopes by Theil and Sen with Sen's interval:
Rousseeuw and Croux, J. Am. Stat. Assoc. 88 (1993) 1273; Sen, J. Am. Stat. Assoc. 63 (1968) 1379.
Nothing here ever sends a release back: the most it says is `hold`.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

Direction = Literal["up", "down", "either"]
"""Which way is worse."""
Outcome = Literal["steady", "hold", "unknown"]

LEAST_WINDOWS = 6
"""Before and after, on each host that counts; fewer, and nothing is said."""
LEAST_SCORE = 6.0
"""Scales by which the new side moved more than the old: a normal would twice in 1e9, a gauge is not normal."""
LEAST_SHARE = 0.1
"""And at least this share of its level before: what is less is no reason to call a person."""
LEAST_SCALE = 0.02
"""Of the level: the scale is never taken to be less, however steady a gauge looked."""
LEAST_GROWTH = 0.1
"""Of its level, within the hour: what leaks more slowly is not seen in a rollout."""
_NORMAL_MAD = 1.4826
_POINTS = 60
"""A longer series is taken in blocks, each by its median: 1,770 slopes at most, of nearly independent points."""
_HOUR = 3600.0


class Host(NamedTuple):
    """One gauge of one host, window by window, before and after the release came. Not-numbers are left out."""

    before: Sequence[float]
    after: Sequence[float]


@dataclass(frozen=True, slots=True)
class Shift:
    """`moved`: by how much the new side rose more than the old, in the gauge's unit; `score`: the same in scales."""

    outcome: Outcome
    moved: float = 0.0
    level: float = 0.0
    """The new side's median before."""
    score: float = 0.0


@dataclass(frozen=True, slots=True)
class Slope:
    """In the gauge's unit per second; `low` and `high` hold it with 99 %."""

    slope: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Leak:
    """`growth`: share of its level by which the gauge grows in an hour more than on any old host, at least."""

    outcome: Outcome
    slope: Slope
    growth: float


def drift(new: Sequence[Host], old: Sequence[Host], *, worse: Direction = "up") -> Shift:
    """Whether the new side's gauge moved otherwise than the old side's in the same time."""
    ours = [host for host in map(_clean, new) if _enough(host)]
    theirs = [host for host in map(_clean, old) if _enough(host)]
    if not ours or not theirs:
        return Shift("unknown")
    changes = [_change(host) for host in theirs]
    moved = median([_change(host) for host in ours]) - median(changes)
    level = median([median(host.before) for host in ours])
    noise = median([_noise(host) for host in (*ours, *theirs)])
    scale = math.hypot(mad(changes), noise, LEAST_SCALE * abs(level))
    score = moved / scale if scale > 0 else math.copysign(math.inf, moved) if moved else 0.0
    directed = {"up": score, "down": -score, "either": abs(score)}[worse]
    far = directed >= LEAST_SCORE and abs(moved) >= LEAST_SHARE * abs(level)
    return Shift("hold" if far else "steady", moved, level, score)


def leak(times: Sequence[float], new: Sequence[float], old: Sequence[tuple[Sequence[float], Sequence[float]]]) -> Leak:
    """Whether a gauge of a new host grows on, faster than on each of the old ones (their times and values).

    Times are seconds since each process' own start, so that hosts are compared at equal age.
    """
    ours = theil_sen(times, new)
    if ours is None:
        return Leak("unknown", Slope(0.0, 0.0, 0.0), 0.0)
    theirs = [slope.slope for one in old if (slope := theil_sen(*one)) is not None]
    excess = ours.low - max([0.0, *theirs])
    level = abs(median([value for value in new if math.isfinite(value)]))
    growth = excess * _HOUR / level if level > 0 else math.inf if excess > 0 else 0.0
    return Leak("hold" if growth >= LEAST_GROWTH else "steady", ours, growth)


def theil_sen(times: Sequence[float], values: Sequence[float]) -> Slope | None:
    """The median of all slopes between two points, with Sen's 99 % interval; None for fewer than six points."""
    points = _blocks([p for p in zip(times, values, strict=True) if math.isfinite(p[0]) and math.isfinite(p[1])])
    slopes = sorted((w - v) / (u - t) for i, (t, v) in enumerate(points) for u, w in points[i + 1 :] if u > t)
    n = len(points)
    if n < LEAST_WINDOWS or not slopes:
        return None
    # Kendall's variance of the number of rising pairs less falling ones.
    reach = _NORMAL_99 * math.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    low = int((len(slopes) - reach) / 2)
    if low < 0:
        return Slope(median(slopes), -math.inf, math.inf)
    return Slope(median(slopes), slopes[low], slopes[len(slopes) - 1 - low])


def median(values: Sequence[float]) -> float:
    """Raises `ValueError` of nothing."""
    return statistics.median(values)


def mad(values: Sequence[float]) -> float:
    """Median absolute deviation, scaled to the standard deviation of a normal."""
    middle = median(values)
    return _NORMAL_MAD * median([abs(value - middle) for value in values])


_NORMAL_99 = 2.5758


def _clean(host: Host) -> Host:
    return Host([v for v in host.before if math.isfinite(v)], [v for v in host.after if math.isfinite(v)])


def _enough(host: Host) -> bool:
    return min(len(host.before), len(host.after)) >= LEAST_WINDOWS


def _change(host: Host) -> float:
    return median(host.after) - median(host.before)


def _noise(host: Host) -> float:
    """Standard error of a host's change, as if every sixth window were independent: gauges go slowly."""
    spans = ((mad(host.before), len(host.before)), (mad(host.after), len(host.after)))
    return math.sqrt(sum(1.57 * spread**2 / max(count / 6, 1) for spread, count in spans))


def _blocks(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    size = math.ceil(len(points) / _POINTS)
    if size <= 1:
        return points
    blocks = [points[i : i + size] for i in range(0, len(points), size)]
    return [(median([t for t, _ in block]), median([v for _, v in block])) for block in blocks]
