"""Windows put together to longer ones: of the past so much is enough, and it is looked through once for each record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby

from noonday_coordinator.verdict.window import CUMULATIVE, HostWindow, Window


def coarser(windows: Iterable[Window], seconds: float) -> tuple[Window, ...]:
    """One window for each `seconds` by the clock. A host that changed its release meanwhile has its parts in windows of
    their own, in their order."""
    found: list[Window] = []
    for _, some in groupby(windows, key=lambda window: window.ends // seconds):
        found += _together(list(some))
    return tuple(found)


def _together(windows: list[Window]) -> list[Window]:
    """As few windows as tell hosts' releases apart; whatever is no host's own is told with the last."""
    parts: list[dict[str, HostWindow]] = [{}]
    turn: dict[str, int] = {}
    for window in windows:
        for host, seen in window.hosts.items():
            at = turn.setdefault(host, 0)
            before = parts[at].get(host)
            if before is not None and (before.release != seen.release or seen.first):
                at = turn[host] = at + 1
                if at == len(parts):
                    parts.append({})
                before = None
            parts[at][host] = seen if before is None else _sum(before, seen)
    templates = {template.key: template for window in windows for template in window.templates}
    refused = {host: why for window in windows for host, why in window.refused.items()}
    ends = windows[-1].ends
    rest = [Window(ends, part) for part in parts[:-1]]
    return [*rest, Window(ends, parts[-1], tuple(templates[key] for key in sorted(templates)), refused)]


def _sum(one: HostWindow, two: HostWindow) -> HostWindow:
    """`two` came right after. The age is the younger one: what was not warm in a part is not warm in the whole."""
    ages = [seen.age for seen in (one, two) if seen.age > 0]
    return HostWindow(
        release=one.release,
        seconds=one.seconds + two.seconds,
        requests=one.requests + two.requests,
        statuses=_sums(one.statuses, two.statuses),
        latency=_buckets(one.latency, two.latency),
        counts=_counts(one.counts, two.counts),
        balancer=_sums(one.balancer, two.balancer),
        gauges=_gauges(one.gauges, two.gauges),
        age=min(ages, default=0.0),
        restarts=one.restarts + two.restarts,
        dropped=one.dropped + two.dropped,
        overflow=_sums(one.overflow, two.overflow),
        first=one.first,
    )


def _sums(one: Mapping[str, int], two: Mapping[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + two.get(name, 0) for name in sorted({*one, *two})}


def _counts(one: Mapping[str, tuple[int, int]], two: Mapping[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
    found = dict(one)
    for key, (records, episodes) in two.items():
        before = found.get(key, (0, 0))
        found[key] = (before[0] + records, before[1] + episodes)
    return found


def _buckets(one: tuple[int, ...], two: tuple[int, ...]) -> tuple[int, ...]:
    if not one or not two:
        return one or two
    return tuple(a + b for a, b in zip(one, two, strict=True))


def _gauges(one: Mapping[str, float], two: Mapping[str, float]) -> dict[str, float]:
    """The newer value; CPU time is an increase, and adds up where both parts tell it: half of it would mislead."""
    found = {**one, **two}
    used = found.pop(CUMULATIVE, None)
    if used is not None and CUMULATIVE in one and CUMULATIVE in two:
        found[CUMULATIVE] = one[CUMULATIVE] + two[CUMULATIVE]
    return found
