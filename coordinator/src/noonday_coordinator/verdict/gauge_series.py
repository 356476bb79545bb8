"""Gauges over time: what drifts or grows on new hosts and not on old ones. It can only ever hold."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from noonday_coordinator.statistics.robust import Host, drift, leak
from noonday_coordinator.verdict.arms import Arms, requests_of, warm
from noonday_coordinator.verdict.window import HostWindow, Window

WATCHED = ("rss_bytes", "fds", "threads", "connections")
CPU = "cpu_per_request"
RESPONSE = "response_ms_of_balancer"
"""On average, where the log tells no durations."""
_KEPT = 720
"""Points of one gauge of one host."""
_LEAST_LEAK = 300.0
"""Seconds of age over which growth must go on: a process that has just begun grows anyway."""
_GROWTH = 0.5
"""Of the level, within the hour."""
_LEAST_REQUESTS = 5

Series = dict[str, dict[str, deque[tuple[float, float]]]]
"""By gauge and host: (age of the process or instant, value)."""


@dataclass(frozen=True, slots=True)
class Moved:
    gauge: str
    words: str
    here: float
    there: float


class GaugeSeries:
    def __init__(self, before: Iterable[Window]) -> None:
        self._before: Series = {}
        self._new: Series = {}
        self._old: Series = {}
        for window in before:
            for host, seen in sorted(window.hosts.items()):
                _note(self._before, host, seen, window.ends)

    def add(self, arms: Arms) -> None:
        for host, seen in arms.new.items():
            if warm(seen):
                _note(self._new, host, seen, seen.age or arms.ends)
        for host, seen in arms.old.items():
            _note(self._old, host, seen, arms.ends)

    def moved(self) -> list[Moved]:
        """What a person should look at."""
        return [found for gauge in sorted(self._new) if (found := self._of(gauge)) is not None]

    def _of(self, gauge: str) -> Moved | None:
        new = [Host(_values(self._before, gauge, host), _values(self._new, gauge, host)) for host in self._new[gauge]]
        old = [
            Host(_values(self._before, gauge, host), _values(self._old, gauge, host))
            for host in self._old.get(gauge, {})
            if host not in self._new[gauge]
        ]
        shift = drift(new, old)
        if shift.outcome == "hold":
            share = f"{100 * shift.moved / shift.level:.0f} %" if shift.level else f"{shift.moved:g}"
            words = f"{gauge} rose by {share} on {', '.join(self._new[gauge])}, and not on the old servers"
            return Moved(gauge, words, shift.level + shift.moved, shift.level)
        return self._leak(gauge) if gauge in WATCHED else None

    def _leak(self, gauge: str) -> Moved | None:
        others = [tuple(zip(*points, strict=True)) for points in self._old.get(gauge, {}).values() if points]
        for host, points in self._new[gauge].items():
            if points[-1][0] - points[0][0] < _LEAST_LEAK:
                continue
            times, values = zip(*points, strict=True)
            found = leak(times, values, [(one[0], one[1]) for one in others])
            if found.outcome == "hold" and found.growth >= _GROWTH:
                words = f"{gauge} grows on {host} by {100 * found.growth:.0f} % an hour, faster than on any old server"
                return Moved(gauge, words, found.slope.slope, 0.0)
        return None


def _note(series: Series, host: str, seen: HostWindow, at: float) -> None:
    for gauge in WATCHED:
        if gauge in seen.gauges:
            _keep(series, gauge, host, at, seen.gauges[gauge])
    requests = requests_of(seen)
    if "cpu_seconds" in seen.gauges and requests >= _LEAST_REQUESTS:
        _keep(series, CPU, host, at, seen.gauges["cpu_seconds"] / requests)
    answered = seen.balancer.get("requests", 0)
    if "response_ms" in seen.balancer and not seen.latency and answered >= _LEAST_REQUESTS:
        _keep(series, RESPONSE, host, at, seen.balancer["response_ms"] / answered)


def _keep(series: Series, gauge: str, host: str, at: float, value: float) -> None:
    if math.isfinite(value):
        series.setdefault(gauge, {}).setdefault(host, deque(maxlen=_KEPT)).append((at, value))


def _values(series: Series, gauge: str, host: str) -> list[float]:
    return [value for _, value in series.get(gauge, {}).get(host, ())]
