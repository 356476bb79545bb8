"""One rollout as every judge sees it: the windows before it and during it, and the log's alerts as lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from noonday_coordinator.statistics.spending import band_of
from noonday_coordinator.verdict.arms import requests_of
from noonday_coordinator.verdict.protocol import Trial
from noonday_coordinator.verdict.window import HostWindow, Window
from noonday_shared.messages.latency import EDGES


class Alert(NamedTuple):
    """A record at WARN or above, as it was written but without its header."""

    level: str
    text: str


class Sums(NamedTuple):
    """What one or more hosts did in a window. `seconds`: of all requests together, by their buckets' edges."""

    requests: int
    failed: int
    """Requests that were answered with 5xx."""
    errors: int
    """Requests that wrote an ERROR, ..."""
    warnings: int
    """... and a WARN."""
    seconds: float


@dataclass(frozen=True)
class Case:
    """`windows`: those of the examine; `longer`: what would come if it went on. `start`: the rollout's, in seconds
    since the epoch. `onset`: seconds after it from which something is wrong; a rollback before it is no success. 0
    where nothing is wrong with the release."""

    trial: Trial
    windows: Sequence[Window]
    start: float
    lines: Callable[[Window, str], Sequence[Alert]] = field(repr=False)
    """The alerts of one host in one window."""
    onset: float = 0.0
    longer: Sequence[Window] = ()
    older: Sequence[Alert] = field(default=(), repr=False)
    """Alerts that the catalogue knows, whether or not the windows before the rollout show them."""

    @property
    def canary(self) -> str:
        return self.trial.rollout.waves[0][0]

    @cached_property
    def levels(self) -> Mapping[str, str]:
        """Of each kind of record, by key."""
        found = {key: entry.level for key, entry in self.trial.catalogue.entries.items()}
        for window in (*self.trial.before, *self.windows, *self.longer):
            found.update((one.key, one.level) for one in window.templates)
        return found

    def here(self, window: Window) -> HostWindow | None:
        return window.hosts.get(self.canary)

    def others(self, window: Window) -> dict[str, HostWindow]:
        return {host: seen for host, seen in window.hosts.items() if host != self.canary}

    def sums(self, seen: HostWindow) -> Sums:
        requests = requests_of(seen)
        bands = {"error": 0, "warn": 0, "other": 0}
        for key, (_, episodes) in seen.counts.items():
            bands[band_of(self.levels.get(key, ""))] += episodes
        return Sums(
            requests=requests,
            failed=seen.statuses.get("5xx", 0),
            errors=min(bands["error"], requests),
            warnings=min(bands["warn"], requests),
            seconds=sum(count * edge for count, edge in zip(seen.latency, (*EDGES, EDGES[-1]), strict=False)),
        )

    def history(self) -> list[Alert]:
        """All alerts before the rollout, oldest first."""
        before = self.trial.before
        return [
            *self.older,
            *(alert for window in before for host in window.hosts for alert in self.lines(window, host)),
        ]


def parted(windows: Sequence[Window], at: float) -> tuple[Sequence[Window], Sequence[Window]]:
    """Those that end by this instant, and those after it."""
    return [one for one in windows if one.ends <= at], [one for one in windows if one.ends > at]
