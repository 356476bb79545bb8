"""The hosts' own past: what each did of each unit in the windows before the rollout."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace

from noonday_coordinator.statistics.accustomed import NOTHING
from noonday_coordinator.statistics.dispersion import burst_factor
from noonday_coordinator.statistics.host_effects import DEFAULT_SHAPE, HostTotal, shape_of
from noonday_coordinator.statistics.ratio_prior import RatioPrior
from noonday_coordinator.statistics.tide import Block, steadiness
from noonday_coordinator.statistics.window import Window as Counts
from noonday_coordinator.verdict.arms import Arms, arms_of, requests_of, warm
from noonday_coordinator.verdict.counting import ERRORS, Counting, exposure_of, family_of
from noonday_coordinator.verdict.window import Window
from noonday_shared.messages.latency import BUCKETS

QUANTILES = {"p80": 0.8, "p95": 0.95, "p99": 0.99}
"""Beyond the p80 a shift of all requests shows soonest: the p50's share has more noise for its rise."""
_LEAST_BEYOND = 10
"""An edge is of use when so many requests were slower than it before."""
_BURSTS_OF = 20
"""Episodes before, below which nothing is said of how bursty a unit is."""

_BLOCK = 600.0
"""Seconds over which a unit's rate is compared with itself: what goes up and down faster is a burst."""

Cell = dict[str, float]
"""By host."""


@dataclass(slots=True)
class Past:
    """`counts`: by unit, window and host; a window in which a unit did not occur is absent."""

    arms: tuple[Arms, ...] = ()
    counts: dict[str, dict[int, Cell]] = field(default_factory=dict)
    shape: float = DEFAULT_SHAPE
    hosts: tuple[str, ...] = ()
    _priors: dict[tuple[str, frozenset[str]], RatioPrior] = field(default_factory=dict)
    _bursts: dict[str, float] = field(default_factory=dict)
    _records: dict[str, Block] = field(default_factory=dict)
    _episodes: dict[str, float] = field(default_factory=dict)
    _rates: dict[tuple[str, str], float] = field(default_factory=dict)
    _could: dict[str, float] = field(default_factory=dict)
    _exposure: float | None = None
    _seen: dict[tuple[str, str], tuple[float, float]] = field(default_factory=dict)
    _exposures: dict[tuple[str, str], float] = field(default_factory=dict)
    """Exposure by family of units and host."""

    @classmethod
    def of(cls, windows: Iterable[Window], counting: Counting, *, by_requests: bool) -> Past:
        arms = tuple(arms_of(window, "", by_requests=by_requests) for window in windows)
        hosts = sorted({host for window in arms for host in window.old})
        past = cls(arms, hosts=tuple(hosts))
        for index, window in enumerate(arms):
            for host, seen in window.old.items():
                for unit, episodes, _ in counting.of_host(seen, new=False):
                    if episodes:
                        row = past.counts.setdefault(unit, {}).setdefault(index, {})
                        row[host] = row.get(host, 0.0) + episodes
        past.shape = shape_of(past._totals(unit) for unit in sorted(past.counts) if unit != ERRORS)
        return past

    @property
    def exposure(self) -> float:
        if self._exposure is None:
            self._exposure = sum(window.e_old for window in self.arms)
        return self._exposure

    @property
    def seconds(self) -> float:
        return self.arms[-1].ends - self.arms[0].ends if self.arms else 0.0

    def could(self, unit: str) -> float:
        """The exposure in which this unit could have occurred: requests, or seconds of an old host."""
        family = family_of(unit)
        if family not in self._could:
            self._could[family] = sum(
                exposure_of(family, seen, window.exposure[host])
                for window in self.arms
                for host, seen in window.old.items()
            )
        return self._could[family]

    def record(self, unit: str) -> Block:
        """Its episodes before the rollout, no more than its steadiness makes worth while, and their exposure."""
        if unit not in self._records:
            self._records[unit] = self._record(unit)
        return self._records[unit]

    def _record(self, unit: str) -> Block:
        rate = self.rate(unit)
        if family_of(unit) == "slower" or not rate > 0:
            return NOTHING
        worth = min(self.episodes(unit) / self.burst(unit), steadiness(self._blocks(unit)))
        return Block(worth, worth * self.burst(unit) / rate)

    def episodes(self, unit: str) -> float:
        if unit not in self._episodes:
            self._episodes[unit] = sum(sum(row.values()) for row in self.counts.get(unit, {}).values())
        return self._episodes[unit]

    def rate(self, unit: str, host: str = "") -> float:
        """Episodes by exposure, of one host or of all."""
        if (unit, host) not in self._rates:
            self._rates[unit, host] = self._rate(unit, host)
        return self._rates[unit, host]

    def rate_of(self, unit: str, hosts: Collection[str]) -> float:
        """What these hosts may be expected to show now: each has its own factor, as far as its episodes tell it."""
        rate = self.rate(unit)
        factors = []
        for host in sorted(hosts):
            seen, could = self.seen(unit, host)
            factors.append((seen + self.shape) / (rate * could + self.shape))
        return rate * sum(factors) / len(factors) if factors else rate

    def seen(self, unit: str, host: str = "") -> tuple[float, float]:
        """Episodes and exposure, of one host or of all."""
        if (unit, host) not in self._seen:
            self._seen[unit, host] = self._sums(unit, host)
        return self._seen[unit, host]

    def burst(self, unit: str) -> float:
        """By what to divide episodes of this unit, as one cause gives several."""
        if unit not in self._bursts:
            self._bursts[unit] = self._burst(unit)
        return self._bursts[unit]

    def prior(self, unit: str, new: frozenset[str], old: int) -> RatioPrior:
        """What is believed of the ratio of these new hosts to the `old` others before any window is judged."""
        found = self._priors.get((unit, new))
        if found is None:
            plain = RatioPrior.of_hosts(self.shape, new=max(len(new), 1), old=max(old, 1))
            found = plain.after(self._sides(unit, new))
            self._priors[unit, new] = found
        return found

    def _rate(self, unit: str, host: str) -> float:
        seen, could = self.seen(unit, host)
        return seen / could if could > 0 else 0.0

    def _sums(self, unit: str, host: str) -> tuple[float, float]:
        rows, family = self.counts.get(unit, {}), family_of(unit)
        if (family, host) not in self._exposures:
            self._exposures[family, host] = sum(
                exposure_of(family, window.old[name], window.exposure[name])
                for window in self.arms
                for name in ([host] if host in window.old else [] if host else window.old)
            )
        seen = sum(row.get(host, 0.0) if host else sum(row.values()) for row in rows.values())
        return seen, self._exposures[family, host]

    def _sides(self, unit: str, new: frozenset[str]) -> list[Counts]:
        burst, rows, family = self.burst(unit), self.counts.get(unit, {}), family_of(unit)
        found = []
        for index, row in sorted(rows.items()):
            window = self.arms[index]
            could = {host: exposure_of(family, seen, window.exposure[host]) for host, seen in window.old.items()}
            ours = sum(count for host, count in row.items() if host in new)
            e_new = sum(value for host, value in could.items() if host in new)
            theirs, e_old = sum(row.values()) - ours, sum(could.values()) - e_new
            found.append(Counts(ours / burst, theirs / burst, e_new, e_old))
        return found

    def _burst(self, unit: str) -> float:
        rows = self.counts.get(unit, {})
        if self.episodes(unit) < _BURSTS_OF:
            return 1.0
        counts = [[rows.get(index, {}).get(host, 0.0) for host in self.hosts] for index in range(len(self.arms))]
        family = family_of(unit)
        exposures = [
            [
                exposure_of(family, window.old[host], window.exposure[host]) if host in window.old else 0.0
                for host in self.hosts
            ]
            for window in self.arms
        ]
        return burst_factor(counts, exposures, shape=self.shape)

    def _blocks(self, unit: str) -> list[Block]:
        rows, family, burst = self.counts.get(unit, {}), family_of(unit), self.burst(unit)
        found: dict[int, list[float]] = {}
        for index, window in enumerate(self.arms):
            into = found.setdefault(int(window.ends // _BLOCK), [0.0, 0.0])
            into[0] += sum(rows.get(index, {}).values()) / burst
            into[1] += sum(exposure_of(family, seen, window.exposure[host]) for host, seen in window.old.items())
        return [Block(*one) for one in found.values()]

    def _totals(self, unit: str) -> list[HostTotal]:
        rows = self.counts[unit]
        seconds = {host: sum(w.old[host].seconds for w in self.arms if host in w.old) for host in self.hosts}
        exposure = {host: sum(w.exposure[host] for w in self.arms if host in w.old) for host in self.hosts}
        return [
            HostTotal(sum(row.get(host, 0.0) for row in rows.values()), exposure[host], seconds[host])
            for host in self.hosts
        ]


def trusted(windows: Iterable[Window], untrusted: Collection[str]) -> tuple[Window, ...]:
    """Without what hosts did on a release that never went well: it is no excuse for the next one."""
    found = []
    for window in windows:
        hosts = {host: seen for host, seen in window.hosts.items() if seen.release not in untrusted}
        if hosts:
            found.append(replace(window, hosts=hosts))
    return tuple(found)


def latency_edges(windows: Iterable[Window]) -> dict[str, int]:
    """Buckets at which the usual requests' quantiles lay, by name; those of too few requests are left out."""
    total = [0] * BUCKETS
    for window in windows:
        for seen in window.hosts.values():
            if warm(seen) and len(seen.latency) == BUCKETS:
                total = [a + b for a, b in zip(total, seen.latency, strict=True)]
    found: dict[str, int] = {}
    for name, share in QUANTILES.items():
        below = 0
        for bucket, count in enumerate(total):
            below += count
            if below >= share * sum(total) and count:
                if sum(total) - below >= _LEAST_BEYOND and bucket not in found.values():
                    found[name] = bucket
                break
    return found


def counts_requests(windows: Iterable[Window]) -> bool:
    return any(requests_of(seen) for window in windows for seen in window.hosts.values())
