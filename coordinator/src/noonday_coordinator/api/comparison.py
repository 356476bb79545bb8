"""Both sides of a rollout as sums over its kept windows. Pure; what it means is for the verdict to say."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from noonday_coordinator.api.models_evidence import Change, Comparison, Side
from noonday_coordinator.statistics.spending import band_of
from noonday_coordinator.verdict.arms import Arms, arms_of, requests_of, statuses_of, warm
from noonday_coordinator.verdict.past import counts_requests
from noonday_coordinator.verdict.protocol import Trial
from noonday_coordinator.verdict.window import HostWindow, Window
from noonday_shared.messages.latency import BUCKETS, EDGES

_LEAST_APART = 2.0
"""Standard deviations by which a kind of record must differ to be listed: less is what chance does."""


def compare(trial: Trial, windows: Sequence[Window], *, most: int) -> Comparison:
    """`most`: kinds of record that are listed."""
    rollout = trial.rollout
    by_requests = counts_requests([*trial.before, *windows])
    arms = [arms_of(window, rollout.release.id, by_requests=by_requests) for window in windows]
    together = [one for one in arms if one.new and one.old] or [one for one in arms if one.new]
    ours = frozenset(host for one in together for host in one.new) or frozenset(rollout.waves[0])
    past = (_only(window.hosts, ours) for window in trial.before)
    kinds = _Kinds.of(trial, windows)
    canary, controls, before = (
        _Total.of(hosts, kinds, by_requests=by_requests)
        for hosts in ([one.new for one in together], [one.old for one in together or arms], past)
    )
    other = controls if controls.exposure and together else before
    return Comparison(
        rollout=rollout.id,
        app=rollout.app,
        release=rollout.release,
        previous=rollout.previous,
        since=together[0].ends if together else None,
        until=together[-1].ends if together else None,
        per="request" if by_requests else "second",
        canary=canary.side(),
        controls=controls.side(),
        before=before.side(),
        against="controls" if other is controls else "before",
        changes=tuple(_changes(canary, other, kinds)[:most]),
        words=_missing(trial, together),
    )


@dataclass(frozen=True, slots=True)
class _Kinds:
    """By key of a record: level, text, and whether it was known."""

    about: Mapping[str, tuple[str, str, bool]]

    @classmethod
    def of(cls, trial: Trial, windows: Iterable[Window]) -> _Kinds:
        catalogue = trial.catalogue
        told = {
            one.key: (one.level, one.text, False) for window in (*trial.before, *windows) for one in window.templates
        }
        kept = {
            key: (entry.level, entry.text, catalogue.known(key) is not None)
            for key, entry in catalogue.entries.items()
        }  # fmt: skip
        return cls({**told, **kept})

    def is_error(self, key: str) -> bool:
        return band_of(self.about.get(key, ("", "", False))[0]) == "error"


@dataclass(slots=True)
class _Total:
    """Sums of some hosts' windows. Latencies and CPU time leave the first half minute after a start out."""

    by_requests: bool
    hosts: dict[str, float] = field(default_factory=dict)
    """The newest memory of each host, in bytes; 0 when it is not told."""
    seconds: float = 0.0
    requests: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    latency: list[int] = field(default_factory=lambda: [0] * BUCKETS)
    errors: int = 0
    error_episodes: int = 0
    cpu: float = 0.0
    cpu_requests: int = 0
    restarts: int = 0
    balancer: Counter[str] = field(default_factory=Counter)
    dropped: int = 0
    episodes: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, windows: Iterable[Mapping[str, HostWindow]], kinds: _Kinds, *, by_requests: bool) -> _Total:
        total = cls(by_requests)
        for window in windows:
            for host, seen in window.items():
                total._add(host, seen, kinds)
        return total

    @property
    def exposure(self) -> float:
        return float(self.requests) if self.by_requests else self.seconds

    def side(self) -> Side:
        memory = [rss for rss in self.hosts.values() if rss]
        return Side(
            hosts=tuple(sorted(self.hosts)),
            seconds=self.seconds,
            requests=self.requests,
            statuses=dict(sorted(self.statuses.items())),
            failed=self.statuses["5xx"] / self.requests if self.requests else None,
            errors=self.errors,
            error_rate=self.error_episodes / self.exposure if self.exposure else None,
            p50=_quantile(self.latency, 0.5),
            p95=_quantile(self.latency, 0.95),
            p99=_quantile(self.latency, 0.99),
            cpu_per_request=self.cpu / self.cpu_requests if self.cpu_requests else None,
            rss=sum(memory) / len(memory) if memory else None,
            restarts=self.restarts,
            balancer=dict(sorted(self.balancer.items())),
            dropped=self.dropped,
        )

    def _add(self, host: str, seen: HostWindow, kinds: _Kinds) -> None:
        self.hosts[host] = seen.gauges.get("rss_bytes", self.hosts.get(host, 0.0))
        self.seconds += seen.seconds
        self.requests += requests_of(seen)
        self.statuses.update(statuses_of(seen))
        self.restarts += seen.restarts
        self.balancer.update(seen.balancer)
        self.dropped += seen.dropped
        for key, (records, episodes) in seen.counts.items():
            self.episodes[key] += episodes
            if kinds.is_error(key):
                self.errors += records
                self.error_episodes += episodes
        self.errors += sum(count for level, count in seen.overflow.items() if band_of(level) == "error")
        if warm(seen):
            self._add_warm(seen)

    def _add_warm(self, seen: HostWindow) -> None:
        if len(seen.latency) == BUCKETS:
            self.latency = [a + b for a, b in zip(self.latency, seen.latency, strict=True)]
        if "cpu_seconds" in seen.gauges and requests_of(seen):
            self.cpu += seen.gauges["cpu_seconds"]
            self.cpu_requests += requests_of(seen)


def _only(hosts: Mapping[str, HostWindow], names: frozenset[str]) -> dict[str, HostWindow]:
    return {host: seen for host, seen in hosts.items() if host in names}


def _quantile(latency: Sequence[int], share: float) -> float | None:
    """The upper edge of its bucket; of the last bucket, which has none, the lower."""
    needed, below = share * sum(latency), 0
    for bucket, count in enumerate(latency):
        below += count
        if count and below >= needed:
            return EDGES[min(bucket, len(EDGES) - 1)]
    return None


def _changes(canary: _Total, other: _Total, kinds: _Kinds) -> list[Change]:
    """What differs by more than chance would make it, in order of how unlikely that is."""
    share = canary.exposure / (canary.exposure + other.exposure) if canary.exposure else 0.0
    if not 0 < share < 1:
        return []
    found = []
    for key in sorted({*canary.episodes, *other.episodes}):
        here, there = canary.episodes[key], other.episodes[key]
        spread = math.sqrt((here + there) * share * (1 - share))
        apart = abs(here - (here + there) * share) / spread if spread else 0.0
        level, text, known = kinds.about.get(key, ("", "", False))
        if apart >= _LEAST_APART or (here and not known and band_of(level) == "error"):
            rates = (here / canary.exposure, there / other.exposure)
            change = Change(
                key=key, level=level, text=text, known=known, here=here, there=there,
                rate_here=rates[0], rate_there=rates[1],
            )  # fmt: skip
            found.append((apart, change))
    return [change for _, change in sorted(found, key=lambda one: (-one[0], one[1].key))]


def _missing(trial: Trial, together: Sequence[Arms]) -> str:
    release = trial.rollout.release.version
    if not together:
        return f"No evidence has arrived from {release} yet."
    if not any(one.old for one in together):
        was = "and none from before" if not trial.before else "so it is compared with what its hosts did before"
        return f"No server on another release told anything at the same time, {was}."
    return ""
