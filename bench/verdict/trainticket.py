"""Rollouts on the TrainTicket day: its requests are hashed to hosts, the first of which gets the new release.

Nothing of its real noise is taken out. Each seed begins at another minute and hashes otherwise. For 50 requests a
minute and host the day runs in five copies at once, each begun at a minute of its own; for 11 it runs once.
Lines are counted by the agents' code, told as evidence, and cut into windows by the coordinator's.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from bench.verdict.case import Alert, Case, parted
from bench.verdict.changes import Changes, garbage
from bench.verdict.day import Day, Request, read_day
from bench.verdict.scenarios import Scenario
from bench.verdict.telling import APP, Lines, Teller, skewed
from bench.verdict.world import NEW, OLD, START, Fault, default_policy
from noonday_coordinator.core.events import Stage
from noonday_coordinator.core.state import HostState, InRollout, Rollout
from noonday_coordinator.replay.catalogue_of import catalogue_of
from noonday_coordinator.verdict.catalogue import Catalogue
from noonday_coordinator.verdict.protocol import Trial
from noonday_coordinator.verdict.sampler import Base, Sampler
from noonday_coordinator.verdict.window import Window
from noonday_shared.logs.signature import Signer
from noonday_shared.messages import Evidence

NAME = "trainticket"
HOSTS = tuple(f"web-{number}" for number in range(1, 6))
CANARY, SKEWED = HOSTS[0], HOSTS[1]
HISTORY = 1800
COARSE, FINE = 30, 10
_BEFORE = range(-HISTORY + COARSE, 1, COARSE)
COPIES = 5
LONGEST = 1230
"""Seconds of a rollout, also of one that is held or in doubt: with what was before, as long as the day is."""
_AT_LEAST = 30.0
"""Requests a minute and host from which on the day runs in several copies."""
_SIGNER = Signer(most=400_000)
"""One for all hosts, with room for the whole day: what it answers depends on the line alone."""
Told = list[tuple[float, Evidence]]


class Arrival(NamedTuple):
    """`at`: seconds after the rollout's start."""

    at: float
    host: str
    request: Request


class TrainTicket:
    name = NAME

    def __init__(self, day: Day) -> None:
        self._day = day
        self._base = lru_cache(maxsize=4)(self._make_base)

    @classmethod
    def read(cls, data: Path) -> TrainTicket:
        """Raises `BadInput` when the data isn't there."""
        return cls(read_day(data))

    def case(self, scenario: Scenario, seed: int) -> Case:
        fault = scenario.fault(self._day.known, random.Random(f"fault {seed}"))
        copies = COPIES if scenario.per_minute >= _AT_LEAST else 1
        return self._base(seed, copies, scenario.weight).case(scenario, fault)

    def _make_base(self, seed: int, copies: int, weight: float) -> _Base:
        return _Base(self._day, seed, copies, weight)


class _Base:
    """What all scenarios of one seed have in common: arrivals, all that old hosts do, and the canary's past."""

    def __init__(self, day: Day, seed: int, copies: int, weight: float) -> None:
        self._day = day
        self._seed = seed
        self._weight = weight
        self._length = LONGEST
        self._arrivals = list(self._arrive(copies))
        self._old = self._lines(Fault(), HOSTS, random.Random(seed))
        self._told = {host: self._tell(host, self._old[host], Fault()) for host in HOSTS}
        self._past = _Past.of(self._told.values())

    def case(self, scenario: Scenario, fault: Fault) -> Case:
        hit = HOSTS if fault.everywhere or fault.everywhere_errors else (CANARY,)
        # Of each scenario's own: with the same luck in all of them, one unlucky seed would be counted many times.
        chance = random.Random(f"{scenario.name} {self._seed}")
        lines = self._lines(fault, hit, chance, new=CANARY, as_json=scenario.as_json)
        if fault.garbage:
            for second in range(0, self._length, FINE):
                lines[CANARY].records[second].extend(garbage(fault.garbage, chance))
        told = {**self._told, **{host: self._tell(host, lines[host], fault, new=CANARY) for host in hit}}
        past = self._past
        if scenario.skew:
            before = {**self._told, **_skew(self._told, scenario.skew)}
            past, told = _Past.of(before.values()), {**told, **_skew(told, scenario.skew)}
        heard = [[one for one in host if one[0] > START and chance.random() >= fault.missing] for host in told.values()]
        windows = list(_cut(past.sampler(), heard, range(FINE, self._length + 1, FINE)))
        trial = Trial(_rollout(), past.catalogue, before=past.windows)
        now, longer = parted(windows, START + scenario.length)
        return Case(trial, now, START, _Alerts(self._old, {**self._old, **lines}), scenario.onset(fault), longer)

    def _arrive(self, copies: int) -> Iterator[Arrival]:
        """The day goes round: after its last minute comes its first."""
        chance = random.Random(f"trainticket {self._seed} {copies}")
        for copy in range(copies):
            # Whole seconds, so that each request's records stay in the seconds they were read for.
            shift = chance.randrange(round(self._day.length))
            for request in self._day.requests:
                at = (request.begin - shift) % self._day.length - HISTORY
                if at < self._length:
                    yield Arrival(at, self._host(f"{request.trace} {copy}"), request)

    def _host(self, trace: str) -> str:
        number = int.from_bytes(blake2b(f"{self._seed} {trace}".encode(), digest_size=8).digest(), "big")
        host = HOSTS[number % len(HOSTS)]
        if host == CANARY and number // len(HOSTS) % 1000 >= 1000 * self._weight:
            host = HOSTS[1 + number // 5000 % (len(HOSTS) - 1)]
        return host

    def _lines(
        self, fault: Fault, hosts: Iterable[str], chance: random.Random, *, new: str = "", as_json: bool = False
    ) -> dict[str, Lines]:
        """What `hosts` write; the `new` one only what it writes after the start."""
        found = {host: Lines() for host in hosts}
        changes = {host: Changes(self._day, fault, host == new, as_json) for host in found}
        for at, host, request in self._arrivals:
            if host not in found or (at < 0 and host == new):
                continue
            # The canary is drained before it is stopped.
            latest = -0.5 if host == CANARY and at < 0 else math.inf
            change = changes[host]
            if change.leaves(at):
                found[host].add_plain(request, math.floor(at), latest)
            else:
                written = change.written(request, at, chance)
                found[host].add(written, change.answered(request, at, chance), latest)
        return found

    def _tell(self, host: str, lines: Lines, fault: Fault, new: str = "") -> Told:
        ours = fault if host == new else Fault()
        ticks = range(FINE, self._length + 1, FINE)
        teller = Teller(host, START, _SIGNER, ours.leak, ours.crash_every)
        if host == new:
            return list(teller.tell(lines, NEW.id, 2, 0, ticks, started=-1.0))
        return list(teller.tell(lines, OLD.id, 1, -HISTORY, [*_BEFORE, *ticks]))


@dataclass(frozen=True)
class _Past:
    """All until the rollout's start. `bases`: where the sampler goes on from."""

    windows: tuple[Window, ...]
    catalogue: Catalogue
    bases: Mapping[str, Base]

    @classmethod
    def of(cls, told: Iterable[Told]) -> _Past:
        sampler = Sampler(since=START - HISTORY - 1)
        windows = tuple(_cut(sampler, told, _BEFORE))
        return cls(windows, catalogue_of(windows), sampler.bases(APP))

    def sampler(self) -> Sampler:
        """One that has heard all of it, each time a new one."""
        sampler = Sampler(since=START - HISTORY - 1)
        bases = {host: replace(base, totals=dict(base.totals)) for host, base in self.bases.items()}
        sampler.resume(APP, bases, START)
        return sampler


def _skew(told: Mapping[str, Told], seconds: float) -> dict[str, Told]:
    """One clock early, one late."""
    return {CANARY: skewed(told[CANARY], seconds), SKEWED: skewed(told[SKEWED], -seconds)}


@dataclass(frozen=True)
class _Alerts:
    """Before the rollout, and during it."""

    old: Mapping[str, Lines]
    new: Mapping[str, Lines]

    def __call__(self, window: Window, host: str) -> Sequence[Alert]:
        if host not in window.hosts:
            return ()
        end = window.ends - START
        lines, step = (self.new, FINE) if end > 0 else (self.old, COARSE)
        return lines[host].alerts_between(end - step, end)


def _cut(sampler: Sampler, told: Iterable[Told], ends: Iterable[int]) -> Iterator[Window]:
    """Windows that end so many seconds after the rollout's start; a message is heard when it is sent."""
    arrived: dict[float, list[Evidence]] = defaultdict(list)
    for host in told:
        for at, evidence in host:
            arrived[at].append(evidence)
    moments = sorted(arrived)
    heard = 0
    for end in ends:
        now = START + end
        while heard < len(moments) and moments[heard] <= now:
            for evidence in arrived[moments[heard]]:
                sampler.add(evidence, now)
            heard += 1
        yield from sampler.cut(APP, now)


def _rollout() -> Rollout:
    policy = default_policy()
    states = {host: InRollout(HostState.SERVING if host == CANARY else HostState.PREPARED) for host in HOSTS}
    return Rollout(
        id="web-1", app=APP, kind="deploy", release=NEW, previous=OLD, policy=policy, waves=((CANARY,), HOSTS[1:]),
        by="bench", started_at=START, hosts=states, stage=Stage.EXAMINING, stage_since=START,
        deadline=START + policy.examine,
    )  # fmt: skip
