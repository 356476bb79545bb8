"""One rollout's evidence: a fold over its windows, from what was known at its start."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from noonday_coordinator.core.state import AppOnHost, Rollout
from noonday_coordinator.core.view import Judgement
from noonday_coordinator.statistics.goodturing import novelty_budget
from noonday_coordinator.statistics.silence import Silence
from noonday_coordinator.statistics.spending import Spending, band_of
from noonday_coordinator.statistics.window import Window as Counts
from noonday_coordinator.verdict.arms import STATUSES, WARM_UP, Arms, arms_of, requests_of
from noonday_coordinator.verdict.catalogue import Entry
from noonday_coordinator.verdict.conclude import conclude
from noonday_coordinator.verdict.counting import ERRORS, FAMILIES, About, Counting, Family, exposure_of, family_of
from noonday_coordinator.verdict.coverage import Coverage
from noonday_coordinator.verdict.gauge_series import GaugeSeries
from noonday_coordinator.verdict.log_format import format_changed
from noonday_coordinator.verdict.nearest import Nearest
from noonday_coordinator.verdict.overrides import Overrides
from noonday_coordinator.verdict.past import Past, counts_requests, latency_edges, trusted
from noonday_coordinator.verdict.protocol import Trial
from noonday_coordinator.verdict.recent import Recent
from noonday_coordinator.verdict.replaced import HALF
from noonday_coordinator.verdict.starts import Starts
from noonday_coordinator.verdict.twins import Twins
from noonday_coordinator.verdict.unit import RARELY, SELDOM, KnownWeigher, NewWeigher, Row, Unit, Weigher
from noonday_coordinator.verdict.window import HostWindow, Window
from noonday_shared.messages.evidence import Template

LOGS = 0.7
"""Of the rollout's chance of a false alarm: what is spent on records, ..."""
SELDOM_SHARE = 0.1
"""Of what records have: for the known ones that were seldom seen, in the order in which they show again."""
OPERATION: Mapping[str, float] = {"status": 0.1, "slower": 0.15, "restarts": 0.05}
"""... and on what the app does, so that a log of many kinds takes nothing from it."""
Pair = tuple[float, float]
_CLOCKS = 1.0
"""Seconds by which two ways to tell one instant may differ."""
_LATE = 60.0
"""Seconds after which nothing of before a rollout arrives: a host that has the release already is heard then."""
LISTENED = 200
"""Units of the highest volume whose silence would be noticed."""


class RolloutSession:
    """`units`, `past` and the like are for the parts that judge; they change them in nothing."""

    def __init__(self, trial: Trial) -> None:
        self.trial = trial
        self.policy = trial.rollout.policy
        self.release = trial.rollout.release.id
        self._before = trusted(trial.before, trial.catalogue.untrusted)
        self.by_requests = counts_requests(self._before)
        self.counting = Counting(trial.catalogue, latency_edges(self._before))
        for window in trial.before:
            self.counting.learn(window.templates)
        self.past = Past.of(self._before, self.counting, by_requests=self.by_requests)
        self._novelty = self._usual_novelty()
        self.overrides = Overrides(self.policy.overrides)
        self.units: dict[str, Unit] = {}
        self.silences: dict[str, Silence] = {}
        self.recent = Recent()
        self.gauges = GaugeSeries(self._before)
        self.starts = Starts(trial.catalogue, self.policy.sensitivity, self.policy.least_new_errors)
        self.twins = Twins()
        rollout = trial.rollout
        self._half_rolled = {one.id for one in rollout.half_rolled.values() if one != rollout.previous} - {self.release}
        self.coverage = Coverage(host for host in rollout.members if host not in rollout.half_rolled)
        self.nearest = Nearest(trial.catalogue)
        self.serving: dict[str, float] = {}
        """New hosts, and the end of their first window."""
        self.new_hosts: frozenset[str] = frozenset()
        self.old_hosts: frozenset[str] = frozenset()
        self.windows = 0
        self.ends = 0.0
        self.requests = 0
        self.control_requests = 0
        self.exposure: dict[Family, Pair] = dict.fromkeys(FAMILIES, (0.0, 0.0))
        """Of both sides since the rollout began."""
        self.settling = WARM_UP if self._before else 0.0
        self._silent_for: frozenset[str] = frozenset()
        self._format_changed: bool | None = None
        self._spending = self._budget()
        self._seldom_spending = Spending.over([], alpha=self.policy.sensitivity * LOGS * SELDOM_SHARE, known_part=0.0)

    def learn(self, templates: Iterable[Template]) -> None:
        self.counting.learn(templates)

    def advance(self, window: Window) -> None:
        self._format_changed = None
        self.learn(window.templates)
        if not self.by_requests and not self.new_hosts and counts_requests([window]):
            self._count_by_requests()
        arms = arms_of(self._since_the_start(window), self.release, by_requests=self.by_requests)
        self.new_hosts |= frozenset(host for host in arms.new if arms.exposure[host])
        self.old_hosts |= frozenset(arms.old)
        counts = self._counted(arms)
        self.recent.add(arms, counts)
        self.coverage.add(arms, window.refused)
        self.gauges.add(arms)
        self.starts.add(arms)
        self.twins.add(arms, counts)
        exposure = {family: _exposure(family, arms) for family in FAMILIES}
        for name in sorted(counts):
            self._take(name, counts[name], arms, exposure)
        self._listen(counts, arms)
        for host in arms.new:
            self.serving.setdefault(host, arms.ends)
        self.requests += sum(requests_of(seen) for seen in arms.new.values())
        self.control_requests += sum(requests_of(seen) for seen in arms.old.values())
        for family, (e_new, e_old) in exposure.items():
            before = self.exposure[family]
            self.exposure[family] = (before[0] + e_new, before[1] + e_old)
        self.windows += 1
        self.ends = window.ends

    def judgement(self, rollout: Rollout, hosts: Mapping[str, AppOnHost], now: float) -> Judgement:
        return conclude(self, rollout, hosts, now)

    @property
    def first_new(self) -> float:
        """When the new release first told of itself."""
        return min(self.serving.values(), default=0.0)

    @property
    def format_changed(self) -> bool:
        """Since the last window; asked for each unit."""
        if self._format_changed is None:
            self._format_changed = format_changed(self)
        return self._format_changed

    @property
    def alone(self) -> bool:
        """Whether no host of the old release was ever seen beside the new one: then the past is the other side."""
        return not (self.old_hosts - self.new_hosts)

    def rates(self, unit: Unit) -> tuple[float, float]:
        """Episodes by exposure during the rollout, on new and on old hosts."""
        e_new, e_old = self.exposure[family_of(unit.about.unit)]
        return (unit.x / e_new if e_new else 0.0, unit.y / e_old if e_old else 0.0)

    def rates_of(self, name: str) -> tuple[float, float]:
        unit = self.units.get(name)
        return self.rates(unit) if unit else (0.0, 0.0)

    def novelty_budget(self) -> float:
        """How many kinds never seen before the new side was expected to show by now, by the past's own novelty."""
        once, all_of = self._novelty
        upcoming = self.exposure["usual"][0] / self.past.exposure * all_of if self.past.exposure else 0.0
        return novelty_budget(once, all_of, round(upcoming))

    def alpha_of_known(self, entry: Entry) -> float:
        """The part that a known kind of record has, or would have if it were none of the seldom ones."""
        if not self._spending.knows(entry.level):
            return self.policy.sensitivity
        return self._spending.of_known(entry.level, self.past.episodes(f"template:{entry.key}"))

    def _budget(self) -> Spending:
        return Spending.over(self._usual_units(), alpha=self.policy.sensitivity * LOGS * (1 - SELDOM_SHARE))

    def _usual_units(self) -> list[tuple[str, float]]:
        """Level and episodes of each known kind of record that is no rarity: these share what is spent on such."""
        catalogue = self.trial.catalogue
        known = [entry for key, entry in sorted(catalogue.entries.items()) if catalogue.known(key)]
        units = [(entry.level, f"template:{entry.key}") for entry in known]
        return [(level, self.past.episodes(name)) for level, name in units if not self._seldom(name)]

    def _usual_novelty(self) -> tuple[int, int]:
        """Of the past's units that are no errors: those seen once, and all episodes."""
        about = self.counting.about
        found = [
            self.past.episodes(name)
            for name in self.past.counts
            if about[name].kind in ("template", "cluster") and band_of(about[name].level) == "other"
        ]
        return sum(count <= 1 for count in found), round(sum(found))

    def falls_elsewhere(self, name: str) -> bool:
        """Whether two old hosts (or the only one) fell silent too: less than a third of what they used to show."""
        old = {host: one for host, one in self.recent.old(name).items() if host not in self.new_hosts}
        fallen = [host for host, (n, e) in old.items() if e and n < self.past.rate(name, host) * e / 3 - 1]
        return len(fallen) >= min(2, len(old)) > 0

    def without_requests(self, seconds: float) -> list[str]:
        """New hosts that got less than a twentieth of what old ones get, where twenty were to be expected."""
        if not self.by_requests or self.windows < 2:
            return []
        new, old = self.recent.new("requests", seconds), self.recent.old("requests", seconds)
        old = {host: one for host, one in old.items() if host not in self.new_hosts}
        usual = sum(e for _, e in old.values()) / len(old) if old else 0.0
        known = {host for host in self.serving if self.ends - self.serving[host] >= seconds}
        return [host for host, (_, e) in new.items() if host in known and usual >= 20 and e < usual / 20]

    def _since_the_start(self, window: Window) -> Window:
        """Without what hosts did on this release before the rollout began, as when it was there yesterday; and without
        hosts on what a superseded rollout had begun with, which nobody ever found good."""
        start = self.trial.rollout.started_at - _CLOCKS
        young = window.ends < start + _LATE

        def earlier(seen: HostWindow) -> bool:
            return window.ends - seen.seconds < start or (young and seen.age > 0 and window.ends - seen.age < start)

        hosts = {host: seen for host, seen in window.hosts.items() if seen.release != self.release or not earlier(seen)}
        hosts = {host: seen for host, seen in hosts.items() if seen.release not in self._half_rolled}
        return replace(window, hosts=hosts)

    def _count_by_requests(self) -> None:
        """The first requests come: what was counted by time before, as of servers that nobody used, says nothing."""
        self.by_requests = True
        self.past = Past.of(self._before, self.counting, by_requests=True)
        self.units, self.recent, self.twins = {}, Recent(), Twins()
        self._spending = self._budget()
        self.exposure = dict.fromkeys(FAMILIES, (0.0, 0.0))

    def _counted(self, arms: Arms) -> dict[str, dict[str, int]]:
        found: dict[str, dict[str, int]] = {}
        for side, new in ((arms.new, True), (arms.old, False)):
            for host, seen in side.items():
                for unit, episodes, _ in self.counting.of_host(seen, new=new):
                    if episodes:
                        row = found.setdefault(unit, {})
                        row[host] = row.get(host, 0) + episodes
        return found

    def _take(self, name: str, row: Mapping[str, int], arms: Arms, exposure: Mapping[Family, Pair]) -> None:
        unit = self.units.get(name) or self._discovered(name)
        x = sum(count for host, count in row.items() if host in arms.new)
        family = family_of(name)
        counts = Counts(x, sum(row.values()) - x, *exposure[family])
        if x and unit.tested and not unit.alpha:
            unit.alpha = self._alpha(unit.about)
        unit.take(Row(counts, self.new_hosts, len(arms.old), self.exposure[family]), arms.ends)
        for host, count in row.items():
            into = unit.new_hosts if host in arms.new else unit.old_hosts
            into[host] = into.get(host, 0) + count

    def _discovered(self, name: str) -> Unit:
        about = self.counting.about[name]
        left = len(self.old_hosts - self.new_hosts)
        together = RARELY if band_of(about.level) == "other" else 1
        weigher: Weigher = (
            NewWeigher(self.past, name, self.new_hosts, left, alone=self.alone)
            if not about.known or (self._seldom(name) and not self.alone)
            else KnownWeigher(self.past, name, least=self.policy.least_new_errors, alone=self.alone, together=together)
        )
        tested = about.unit != ERRORS and not self.overrides.of(about).ignored
        self.units[name] = Unit(about, tested, weigher, self.policy.least_new_errors)
        return self.units[name]

    def _seldom(self, name: str) -> bool:
        """Whether it is a record that the past holds, but hardly: known, and next to new."""
        counted = family_of(name) != "slower" and name != ERRORS
        return counted and bool(self.past.arms) and self.past.episodes(name) < SELDOM

    def _alpha(self, about: About) -> float:
        """Its part of the rollout's, when the new side first shows it: what only old hosts show takes nothing."""
        rule = self.overrides.of(about)
        if about.kind in OPERATION:
            units = {"slower": len(self.counting.edges), "status": len(STATUSES)}.get(about.kind, 1)
            return self.policy.sensitivity * OPERATION[about.kind] / units * rule.weight
        if about.known and about.kind != "cluster":
            if not self._seldom(about.unit):
                return self._spending.of_known(about.level, self.past.episodes(about.unit)) * rule.weight
            alpha, self._seldom_spending = self._seldom_spending.discover(about.level)
            return alpha * rule.weight
        alpha, self._spending = self._spending.discover(about.level)
        return alpha * rule.weight

    def _listened(self, about: About) -> bool:
        """What starts say is left out of what the new side is counted with, so its silence would mean nothing."""
        return about.kind == "template" and not self.trial.catalogue.of_starts(about.key)

    def _listen(self, counts: Mapping[str, Mapping[str, int]], arms: Arms) -> None:
        """Silence of what is common: from anew whenever another host joins the new side."""
        if not arms.new or not arms.old or not self.past.arms:
            return
        if self._silent_for != self.new_hosts:
            self._silent_for = self.new_hosts
            common = [unit for unit in self.past.counts if self._listened(self.counting.about[unit])]
            common.sort(key=lambda unit: (-self.past.episodes(unit), unit))
            old = len(self.old_hosts - self.new_hosts)
            self.silences = {
                unit: Silence.of(self.past.prior(unit, self.new_hosts, old), rho0=HALF)
                for unit in common[:LISTENED]
                if self.past.episodes(unit) >= 100
            }
        for unit, silence in self.silences.items():
            row = counts.get(unit, {})
            burst = self.past.burst(unit)
            x = sum(count for host, count in row.items() if host in arms.new)
            y = sum(row.values()) - x
            self.silences[unit] = silence.update(x / burst, y / burst, arms.e_new, arms.e_old)


def _exposure(family: Family, arms: Arms) -> Pair:
    new, old = (
        sum(exposure_of(family, seen, arms.exposure[host]) for host, seen in side.items())
        for side in (arms.new, arms.old)
    )
    return new, old
