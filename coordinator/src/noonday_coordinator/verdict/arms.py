"""A window seen as two sides: hosts on the new release, hosts on any other, and how much each could have shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from noonday_coordinator.verdict.window import HostWindow, Window

STATUSES = ("4xx", "5xx", "errors")
WARM_UP = 30.0
"""Seconds after a start whose latencies and gauges say nothing of the release."""


@dataclass(frozen=True, slots=True)
class Arms:
    """By host name, in order of names. `exposure`: requests, or seconds where nobody counts requests."""

    ends: float
    new: Mapping[str, HostWindow]
    old: Mapping[str, HostWindow]
    exposure: Mapping[str, float]

    @property
    def e_new(self) -> float:
        return sum(self.exposure[host] for host in self.new)

    @property
    def e_old(self) -> float:
        return sum(self.exposure[host] for host in self.old)


def arms_of(window: Window, release: str, *, by_requests: bool) -> Arms:
    """`release`: the id of the new one. With "" all hosts are on the old side."""
    new: dict[str, HostWindow] = {}
    old: dict[str, HostWindow] = {}
    exposure: dict[str, float] = {}
    for host, seen in sorted(window.hosts.items()):
        (new if release and seen.release == release else old)[host] = seen
        exposure[host] = float(requests_of(seen)) if by_requests else seen.seconds
    return Arms(window.ends, new, old, exposure)


def requests_of(seen: HostWindow) -> int:
    """As the app's log tells them, else as the load balancer does."""
    return seen.requests or seen.balancer.get("requests", 0)


def statuses_of(seen: HostWindow) -> Mapping[str, int]:
    """4xx and 5xx, from whoever tells them; and 'errors', which only the load balancer sees: no whole answer came."""
    told = {**(seen.statuses if seen.requests else seen.balancer), "errors": seen.balancer.get("errors", 0)}
    return {name: told[name] for name in STATUSES if told.get(name)}


def warm(seen: HostWindow) -> bool:
    return not 0 < seen.age < WARM_UP
