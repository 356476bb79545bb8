"""What starts are known to write, compared at equal age: with the starts before, since no old host starts meanwhile.

It only ever holds: what a start writes is over soon, and what goes on for ten minutes is judged like all else.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from noonday_coordinator.statistics.eprocess import LEAST_WINDOWS, EProcess
from noonday_coordinator.statistics.ratio_prior import RatioPrior
from noonday_coordinator.statistics.spending import band_of, log_threshold
from noonday_coordinator.verdict.arms import Arms
from noonday_coordinator.verdict.catalogue import START, Catalogue, Entry

SHAPE = 8.0
"""One start writes of something many times or not at all, so starts differ more than hosts do: by 35 %."""
NO_MORE = 2.0
"""Starts differ; up to twice as much is no finding."""


@dataclass(slots=True)
class Told:
    """Episodes of one kind of record on new hosts in their first ten minutes."""

    hosts: dict[str, int] = field(default_factory=dict)
    windows: int = 0
    first_seen: float = 0.0
    last_seen: float = 0.0

    @property
    def episodes(self) -> int:
        return sum(self.hosts.values())


@dataclass(frozen=True, slots=True)
class Louder:
    """A kind of record of which the new release's starts write more than starts used to."""

    entry: Entry
    told: Told
    log_e: float
    per_start: float
    usual: float

    @property
    def e(self) -> float:
        return math.exp(min(self.log_e, 700.0))


class Starts:
    def __init__(self, catalogue: Catalogue, alpha: float, least: int) -> None:
        self._catalogue = catalogue
        self._least = least
        self._told: dict[str, Told] = {}
        self._ages: dict[str, float] = {}
        self._begun = 0
        kinds = sum(self._judged(entry) for entry in catalogue.entries.values())
        self._threshold = log_threshold(alpha / max(kinds, 1))

    def add(self, arms: Arms) -> None:
        for host, seen in arms.new.items():
            if not 0 < seen.age < START:
                continue
            if seen.age <= self._ages.get(host, math.inf):
                self._begun += 1
            self._ages[host] = seen.age
            for key, (_, episodes) in sorted(seen.counts.items()):
                entry = self._catalogue.entries.get(key)
                if entry is not None and episodes and self._judged(entry):
                    self._note(key, host, episodes, arms.ends)

    def louder(self) -> Iterator[Louder]:
        """In order of keys. A start counts whole from its beginning, so what comes early proves nothing yet."""
        usual = self._catalogue.start_seconds / START
        for key, told in sorted(self._told.items()):
            if told.episodes < self._least or told.windows < LEAST_WINDOWS:
                continue
            entry = self._catalogue.entries[key]
            prior = RatioPrior.of_hosts(SHAPE, new=self._begun, old=max(round(usual), 1))
            before = self._catalogue.at_start(entry)
            test = EProcess.of(prior, rho0=NO_MORE).update(told.episodes, before, self._begun, usual)
            if test.log_e >= self._threshold:
                yield Louder(entry, told, test.log_e, told.episodes / self._begun, before / usual)

    def _judged(self, entry: Entry) -> bool:
        # FATAL is never an affair of starts: it is judged like at any other time.
        return band_of(entry.level) != "other" and entry.level != "FATAL" and self._catalogue.of_starts(entry.key)

    def _note(self, key: str, host: str, episodes: int, ends: float) -> None:
        told = self._told.setdefault(key, Told())
        told.hosts[host] = told.hosts.get(host, 0) + episodes
        told.windows += 1
        told.first_seen = told.first_seen or ends
        told.last_seen = ends
