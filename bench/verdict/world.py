"""A made-up fleet behind a load balancer, for the verdict's tests and benches: seeded, with known truth.

Hosts differ by more than chance, load comes in waves, the log has a heavy tail of rare kinds, and some kinds come in
bursts: what real fleets do to simple tests. A `Fault` is what one release adds; no fault is an A/A rollout.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from hashlib import blake2b

from noonday_coordinator.core.events import Report, Stage
from noonday_coordinator.core.policy import Policy
from noonday_coordinator.core.state import AppOnHost, HostState, InRollout, Rollout
from noonday_coordinator.verdict.catalogue import Catalogue, Clusters, Entry
from noonday_coordinator.verdict.protocol import Trial
from noonday_coordinator.verdict.window import HostWindow, Window
from noonday_shared.messages import Outcome, Phase
from noonday_shared.messages.evidence import Template
from noonday_shared.messages.latency import BUCKETS, bucket
from noonday_shared.names import ReleaseRef

OLD = ReleaseRef(version="1.0.0", digest="a" * 64)
NEW = ReleaseRef(version="1.1.0", digest="b" * 64)
START = 1_700_000_000.0


@dataclass(frozen=True)
class Knobs:
    """Rates are per host; `spread` and the like are coefficients of variation."""

    seed: int = 0
    hosts: int = 5
    per_minute: float = 50.0
    spread: float = 0.25
    """By which healthy hosts differ in each kind of record."""
    kinds: int = 80
    """Kinds of record that are known, with frequencies that fall as 1 / rank."""
    novelty: float = 0.002
    """Chance of a request to write a kind never seen before, on any host and release: the heavy tail."""
    wave: float = 0.4
    """Amplitude of the load, as a share, over twenty minutes."""
    bursts: float = 0.1
    """Share of kinds that come in bursts of several at a time."""
    weight: float = 1.0
    """The canary's weight in the load balancer."""
    joins: tuple[float, ...] = (0.0,)
    """Seconds after the rollout's start at which hosts restart with the new release, one after the other."""
    starts: int = 2
    """Kinds of record that every start of the app writes, whatever its release: WARN and ERROR in turn."""
    history: float = 7200.0
    coarse: float = 30.0
    """Seconds of a window before the rollout, ..."""
    fine: float = 10.0
    """... and during it."""
    length: float = 600.0
    median: float = 0.08
    """Seconds that a request takes, in the middle."""
    deviation: float = 0.4
    """Of the log of the duration."""


@dataclass(frozen=True)
class Kind:
    """One kind of record: `rate` episodes per request. `canary`, `fleet`: factors that a fault puts on it."""

    template: Template
    rate: float
    burst: float = 1.0

    @property
    def key(self) -> str:
        return self.template.key


@dataclass(frozen=True)
class Fault:
    """What is wrong from `onset` seconds after the rollout's start on. The defaults change nothing."""

    name: str = "aa"
    kinds: tuple[Kind, ...] = ()
    """New kinds of record that only the new release writes."""
    times: tuple[tuple[str, float], ...] = ()
    """Kinds by key and the factor on their rate, on the new release."""
    louder_starts: float = 1.0
    """Factor on what starts write, on the new release."""
    everywhere: tuple[Kind, ...] = ()
    """New kinds on all hosts, whatever their release: an incident of something shared."""
    everywhere_errors: float = 0.0
    slower: float = 1.0
    errors: float = 0.0
    """Share of requests that the new release answers with 5xx, beyond the usual."""
    leak: float = 0.0
    """Bytes a second by which the new release grows."""
    crash_every: float = 0.0
    onset: float = 0.0
    until: float = math.inf
    missing: float = 0.0
    """Share of all windows that never arrive."""
    garbage: int = 0
    """New kinds in each window of a new host, all different."""
    renamed: Callable[[str], str] | None = None
    """What the new release makes of each text: another wording, or another format."""
    rename_share: float = 1.0
    """Share of kinds that `renamed` meets."""


@dataclass
class World:
    """`trial` and `windows` are all that a session needs; `hosts` and `rollout` are what the reports said."""

    knobs: Knobs
    fault: Fault
    trial: Trial
    windows: list[Window] = field(default_factory=list)

    @property
    def rollout(self) -> Rollout:
        return self.trial.rollout

    @property
    def hosts(self) -> dict[str, AppOnHost]:
        names = [host for wave in self.rollout.waves for host in wave]
        canary = self.rollout.waves[0]
        return {name: on_host(NEW if name in canary else OLD) for name in names}


def make_world(knobs: Knobs, fault: Fault | None = None, policy: Policy | None = None) -> World:
    return _Maker(knobs, fault or Fault(), policy or default_policy()).world()


def default_policy(**keys: object) -> Policy:
    return Policy.model_validate({"app": "web", "hosts": {"role": "web"}, "examine": 600.0, **keys})


def on_host(release: ReleaseRef) -> AppOnHost:
    report = Report(
        boot=1, seq=1, term=1, generation=1, outcome=Outcome.DONE, phase=Phase.SETTLED,
        live=release.id, proven=release, in_service=True, healthy=True,
    )  # fmt: skip
    return AppOnHost(report=report)


def template(text: str, level: str = "INFO", logger: str = "shop", at: float = START) -> Template:
    key = blake2b(f"{level}\0{logger}\0{text}".encode(), digest_size=8).hexdigest()
    return Template(key=key, level=level, logger=logger, text=text, first_seen=at, samples=(text.replace("<*>", "17"),))


def error_kind(share: float, text: str = "KeyError in shop/pay.py charge", level: str = "ERROR") -> Kind:
    return Kind(template(text, level), share)


def known_kinds(knobs: Knobs) -> list[Kind]:
    """The log's usual kinds, the most frequent first; one in ten is a WARN, one in twenty an ERROR."""
    chance = random.Random(f"kinds {knobs.seed}")
    found = []
    for rank in range(1, knobs.kinds + 1):
        level = "ERROR" if rank % 20 == 13 else "WARN" if rank % 10 == 7 else "INFO"
        words = " ".join(chance.choice(_WORDS) for _ in range(chance.randint(4, 9)))
        burst = chance.uniform(2.0, 5.0) if chance.random() < knobs.bursts else 1.0
        rate = min(0.9, (0.9 if level == "INFO" else 0.3) / rank)
        found.append(Kind(template(f"{words} <*>", level, chance.choice(_LOGGERS), START - 86_400), rate, burst))
    return found


def start_kinds(knobs: Knobs) -> list[Kind]:
    """What every start writes; `rate` is by start here, nearly all of it in the first 20 seconds."""
    texts = ("cache is cold, filling it from <*>", "database is not there yet, trying again in <*>")
    levels = ("WARN", "ERROR")
    return [
        Kind(template(f"{texts[n % 2]} ({_letters(n + 1)})", levels[n % 2], "boot", START - 86_400), 6.0)
        for n in range(knobs.starts)
    ]


def poisson(chance: random.Random, mean: float) -> int:
    if mean <= 0:
        return 0
    if mean > 50:
        return max(0, round(chance.gauss(mean, math.sqrt(mean))))
    limit, product, count = math.exp(-mean), chance.random(), 0
    while product > limit:
        product *= chance.random()
        count += 1
    return count


_WORDS = [
    "order", "cart", "price", "stock", "login", "session", "payment", "basket", "user", "mail", "queue", "cache",
    "retry", "lookup", "sent", "loaded", "stored", "found", "removed", "updated", "checked", "opened", "closed",
    "late", "early", "refused", "accepted", "slow", "page", "image", "search", "index",
]  # fmt: skip
_LOGGERS = ("shop", "shop.pay", "shop.stock", "http")


START_SECONDS = 600.0
_EARLIER_STARTS = 3
"""Of each host, that the catalogue knows of."""
_SETTLES = 7.0
"""Seconds in which two thirds of a start's trouble are over."""


def _cold(age: float) -> float:
    """How much slower requests are after a start."""
    return 1 + 2 * math.exp(-age / _SETTLES)


class _Maker:
    def __init__(self, knobs: Knobs, fault: Fault, policy: Policy) -> None:
        self.knobs, self.fault, self.policy = knobs, fault, policy
        self.chance = random.Random(f"world {knobs.seed}")
        self.names = [f"web-{number}" for number in range(1, knobs.hosts + 1)]
        self.kinds = known_kinds(knobs)
        self.start_kinds = start_kinds(knobs)
        self.effects: dict[tuple[str, str], float] = {}
        self.told: set[str] = set()
        self.serial = 0
        self.rss = {name: 2e8 * self.chance.uniform(0.95, 1.05) for name in self.names}
        self.pace = {name: math.exp(self.chance.gauss(0, 0.03)) for name in self.names}

    def world(self) -> World:
        before = tuple(self._windows(START - self.knobs.history, START, self.knobs.coarse))
        started = replace(self._rollout(), started_at=START)
        trial = Trial(rollout=started, catalogue=self._catalogue(before), before=before)
        windows = list(self._windows(START, START + self.knobs.length, self.knobs.fine))
        return World(self.knobs, self.fault, trial, windows)

    def _rollout(self) -> Rollout:
        canary, rest = self.names[:1], self.names[1:]
        states = {name: InRollout(HostState.SERVING if name in canary else HostState.PREPARED) for name in self.names}
        return Rollout(
            id="web-1", app="web", kind="deploy", release=NEW, previous=OLD, policy=self.policy,
            waves=(tuple(canary), tuple(rest)) if rest else (tuple(canary),), by="bench", started_at=START,
            hosts=states, stage=Stage.EXAMINING, stage_since=START, deadline=START + self.policy.examine,
        )  # fmt: skip

    def _catalogue(self, before: tuple[Window, ...]) -> Catalogue:
        clusters, entries = Clusters(), {}
        seen: dict[str, Template] = {kind.key: kind.template for kind in self.kinds}
        totals: dict[str, int] = {}
        for window in before:
            seen.update({one.key: one for one in window.templates})
            for host in window.hosts.values():
                for key, (_, episodes) in host.counts.items():
                    totals[key] = totals.get(key, 0) + episodes
        for key, one in sorted(seen.items()):
            count = totals.get(key, 0)
            entries[key] = Entry(
                key=key, level=one.level, logger=one.logger, text=one.text, cluster=clusters.find(one).id,
                first_seen=one.first_seen, last_seen=START, records=count, episodes=count, releases={OLD.id: count},
            )  # fmt: skip
        begun = _EARLIER_STARTS * self.knobs.hosts
        for kind in self.start_kinds:
            one, count = kind.template, poisson(self.chance, kind.rate * begun)
            entries[one.key] = Entry(
                key=one.key, level=one.level, logger=one.logger, text=one.text, cluster=clusters.find(one).id,
                first_seen=one.first_seen, last_seen=START, records=count, episodes=count, at_start=count,
                releases={OLD.id: count},
            )  # fmt: skip
        seconds = self.knobs.history * self.knobs.hosts
        return Catalogue(
            entries=entries, clusters=clusters.all, seconds=seconds + begun * START_SECONDS,
            start_seconds=begun * START_SECONDS,
        )  # fmt: skip

    def _windows(self, begin: float, end: float, seconds: float) -> Iterator[Window]:
        self.told.clear()
        ends = begin + seconds
        while ends <= end + 1e-6:
            load = 1 + self.knobs.wave * math.sin(2 * math.pi * (ends - START) / 1200)
            load *= math.exp(self.chance.gauss(0, 0.15))
            new: dict[str, Template] = {}
            hosts = {}
            for name in self.names:
                made = self._host(name, ends, seconds, load, new)
                if ends <= START or self.chance.random() >= self.fault.missing:
                    hosts[name] = made
            yield Window(ends, hosts, tuple(new[key] for key in sorted(new)))
            ends += seconds

    def _host(self, name: str, ends: float, seconds: float, load: float, new: dict[str, Template]) -> HostWindow:
        joined = self._joined(name)
        ours = ends - seconds >= joined
        age = ends - joined if ours else 86_400 + ends - START
        on = START + self.fault.onset < ends <= START + self.fault.until
        weight = self.knobs.weight if name == self.names[0] else 1.0
        requests = poisson(self.chance, self.knobs.per_minute / 60 * seconds * load * weight)
        counts: dict[str, tuple[int, int]] = {}
        for kind, rate in self._rates(name, ours, on):
            burst = kind.burst if self.chance.random() < 1 / kind.burst else 0.0
            episodes = min(requests, poisson(self.chance, requests * rate * burst))
            if episodes:
                counts[kind.key] = (episodes + poisson(self.chance, episodes * 0.2), episodes)
                self._tell(kind.template, ends, new)
        for _ in range(
            poisson(self.chance, requests * self.knobs.novelty) + (self.fault.garbage if ours and on else 0)
        ):
            rare = self._rare(ends)
            counts[rare.key] = (1, 1)
            self._tell(rare, ends, new)
        fault = self.fault
        for kind in self.start_kinds if ours else ():
            share = math.exp(-(age - seconds) / _SETTLES) - math.exp(-age / _SETTLES)
            episodes = poisson(self.chance, kind.rate * fault.louder_starts * share)
            if episodes:
                counts[kind.key] = (episodes, episodes)
                self._tell(kind.template, ends, new)
        errors = 0.001 + (fault.errors if ours and on else 0.0) + (fault.everywhere_errors if on else 0.0)
        bad = min(requests, poisson(self.chance, requests * errors))
        if ours and on:
            self.rss[name] += fault.leak * seconds
        crashes = ours and on and fault.crash_every > 0
        return HostWindow(
            release=(NEW if ours else OLD).id,
            seconds=seconds,
            requests=requests,
            statuses={"2xx": requests - bad, "5xx": bad} if bad else {"2xx": requests},
            latency=self._latency(name, requests, (fault.slower if ours and on else 1.0) * _cold(age)),
            counts=counts,
            gauges={
                "rss_bytes": self.rss[name] * math.exp(self.chance.gauss(0, 0.01)),
                "cpu_seconds": requests * 0.02 * math.exp(self.chance.gauss(0, 0.1)),
            },
            age=age,
            restarts=poisson(self.chance, seconds / fault.crash_every) if crashes else 0,
            first=ours and age <= seconds,
        )

    def _joined(self, name: str) -> float:
        """When the host restarted with the new release; infinite when it never does."""
        place = self.names.index(name)
        return START + self.knobs.joins[place] if place < len(self.knobs.joins) else math.inf

    def _rates(self, name: str, ours: bool, on: bool) -> Iterator[tuple[Kind, float]]:
        times = dict(self.fault.times) if ours and on else {}
        for rank, kind in enumerate(self.kinds):
            shown = self._renamed(kind, rank) if ours and self.fault.renamed else kind
            yield shown, kind.rate * self._effect(name, kind.key) * times.get(kind.key, 1.0)
        if on:
            extra = (*(self.fault.kinds if ours else ()), *self.fault.everywhere)
            for kind in extra:
                yield kind, kind.rate * self._effect(name, kind.key)

    def _renamed(self, kind: Kind, rank: int) -> Kind:
        if self.fault.renamed is None or (rank * 7919 % 1000) / 1000 >= self.fault.rename_share:
            return kind
        one = kind.template
        return replace(kind, template=template(self.fault.renamed(one.text), one.level, one.logger))

    def _effect(self, name: str, key: str) -> float:
        if self.knobs.spread <= 0:
            return 1.0
        if (name, key) not in self.effects:
            shape = self.knobs.spread**-2
            drawn = random.Random(f"{self.knobs.seed} {name} {key}")
            self.effects[name, key] = drawn.gammavariate(shape, 1 / shape)
        return self.effects[name, key]

    def _rare(self, ends: float) -> Template:
        self.serial += 1
        level = self.chance.choices(("INFO", "WARN", "ERROR"), (0.9, 0.07, 0.03))[0]
        words = " ".join(self.chance.choice(_WORDS) for _ in range(self.chance.randint(4, 8)))
        return template(f"{words} {_letters(self.serial)}", level, at=ends)

    def _tell(self, one: Template, ends: float, new: dict[str, Template]) -> None:
        if one.key not in self.told:
            self.told.add(one.key)
            new[one.key] = one.model_copy(update={"first_seen": min(one.first_seen, ends)})

    def _latency(self, name: str, requests: int, slower: float) -> tuple[int, ...]:
        found = [0] * BUCKETS
        for _ in range(requests):
            seconds = self.knobs.median * self.pace[name] * slower
            found[bucket(seconds * math.exp(self.chance.gauss(0, self.knobs.deviation)))] += 1
        return tuple(found)


def _letters(number: int) -> str:
    """A word of its own for each number, without digits, as a mask would leave it."""
    word = ""
    while number:
        number, rest = divmod(number, 26)
        word += chr(97 + rest)
    return f"x{word}"
