"""What one message tells more than the one before it of the same counting, and how such increases add up."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from noonday_coordinator.verdict.window import CUMULATIVE, HostWindow
from noonday_shared.messages import Evidence
from noonday_shared.messages.latency import BUCKETS

MOST_KEYS = 20_000
"""Kinds of record that one host's window tells apart."""
Counts = Mapping[str, tuple[int, int]]


def increase(before: Evidence | None, now: Evidence, counts: Counts) -> HostWindow:
    """Of everything but `counts`, which are increases already. Without `before` all of it is new: its counting began
    at zero. What became smaller has begun anew elsewhere, and is left out."""
    return HostWindow(
        release=now.release,
        seconds=_seconds(before, now),
        requests=_more(now.requests, before.requests if before else 0),
        statuses=_mores(now.statuses, before.statuses if before else {}),
        latency=_buckets(now.latency, before.latency if before else ()),
        counts=counts,
        balancer=_mores(now.balancer, before.balancer if before else {}),
        gauges=_gauges(now.gauges, before.gauges if before else {}),
        age=max(now.sent_at - now.started_at, 0.0) if now.started_at > 0 else 0.0,
        restarts=_more(now.restarts, before.restarts if before else 0),
        dropped=_more(now.dropped, before.dropped if before else 0),
        overflow=_mores(now.overflow, before.overflow if before else {}),
        first=before is None,
    )


def joined(one: HostWindow, two: HostWindow) -> HostWindow:
    """Two increases of one counting, the second one later, as one."""
    counts = dict(one.counts)
    overflow = Counter(one.overflow)
    overflow.update(two.overflow)
    for key, (records, episodes) in two.counts.items():
        known = counts.get(key)
        if known is None and len(counts) >= MOST_KEYS:
            overflow["NONE"] += records
        else:
            counts[key] = (records + known[0], episodes + known[1]) if known else (records, episodes)
    return replace(
        two,
        seconds=one.seconds + two.seconds,
        requests=one.requests + two.requests,
        statuses=_sum(one.statuses, two.statuses),
        latency=_both(one.latency, two.latency),
        counts=counts,
        balancer=_sum(one.balancer, two.balancer),
        gauges=_latest(one.gauges, two.gauges),
        restarts=one.restarts + two.restarts,
        dropped=one.dropped + two.dropped,
        overflow=dict(overflow),
        first=one.first,
    )


def told_for(evidence: Evidence) -> float:
    """Seconds for which it has been counted."""
    if evidence.counted_for is not None:
        return evidence.counted_for
    return max(evidence.sent_at - evidence.since, 0.0)


def _seconds(before: Evidence | None, now: Evidence) -> float:
    """By the clock that nobody sets, where it is told: a host's time of day may jump, also back."""
    if before is None:
        return told_for(now)
    if now.counted_for is not None and before.counted_for is not None:
        return max(now.counted_for - before.counted_for, 0.0)
    return max(now.sent_at - before.sent_at, 0.0)


def _more(now: int, before: int) -> int:
    return max(now - before, 0)


def _mores(now: Mapping[str, int], before: Mapping[str, int]) -> dict[str, int]:
    return {name: more for name, count in sorted(now.items()) if (more := _more(count, before.get(name, 0)))}


def _buckets(now: tuple[int, ...], before: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(_more(a, b) for a, b in zip(now, before or (0,) * BUCKETS, strict=True)) if now else ()


def _gauges(now: Mapping[str, float], before: Mapping[str, float]) -> dict[str, float]:
    """Values as they are, but for the CPU time, which is cumulative: its increase, where there is one to tell."""
    found = {name: value for name, value in sorted(now.items()) if math.isfinite(value) and name != CUMULATIVE}
    used, was = now.get(CUMULATIVE), before.get(CUMULATIVE)
    if used is not None and was is not None and math.isfinite(used) and used >= was:
        found[CUMULATIVE] = used - was
    return found


def _latest(one: Mapping[str, float], two: Mapping[str, float]) -> dict[str, float]:
    found = dict(two)
    used = [gauges[CUMULATIVE] for gauges in (one, two) if CUMULATIVE in gauges]
    if used:
        found[CUMULATIVE] = sum(used)
    return dict(sorted(found.items()))


def _sum(one: Mapping[str, int], two: Mapping[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + two.get(name, 0) for name in sorted({*one, *two})}


def _both(one: tuple[int, ...], two: tuple[int, ...]) -> tuple[int, ...]:
    if not one or not two:
        return one or two
    return tuple(a + b for a, b in zip(one, two, strict=True))
