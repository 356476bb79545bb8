"""Old-release hosts that were restarted during the rollout: what a start writes, at the same age and the same hour.

With such a twin nobody has to know what starts used to write, nor what they write on a day like this.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from noonday_coordinator.verdict.arms import WARM_UP, Arms
from noonday_coordinator.verdict.catalogue import START
from noonday_coordinator.verdict.past import Past
from noonday_coordinator.verdict.unit import Unit

NO_MORE = 2.0
"""Two starts of one release differ; up to twice as much is the same."""
LOUD = 3.0
"""Times what is usual of a host: what it writes less of is no affair of its start."""


@dataclass(frozen=True, slots=True)
class _Part:
    """One window of a twin's start: its age at the end, what it could have shown, and episodes by unit."""

    age: float
    exposure: float
    episodes: Mapping[str, int]


@dataclass(slots=True)
class Twins:
    _starts: dict[str, list[_Part]] = field(default_factory=dict)
    """By host. Only starts that were seen from their beginning."""
    _ages: dict[str, float] = field(default_factory=dict)
    """Of new hosts in their first ten minutes, as far as they came."""
    _begun: int = 0
    """Starts of new hosts."""
    _later: Counter[str] = field(default_factory=Counter)
    """Episodes by unit of new hosts that started long ago."""

    def add(self, arms: Arms, counts: Mapping[str, Mapping[str, int]]) -> None:
        """`counts`: episodes by unit and host in this window."""
        for host, seen in arms.old.items():
            if seen.first and 0 < seen.age <= seen.seconds + WARM_UP:
                self._starts[host] = []
            if host in self._starts and 0 < seen.age < START:
                shown = {unit: row[host] for unit, row in counts.items() if host in row}
                self._starts[host].append(_Part(seen.age, arms.exposure[host], shown))
        for host, seen in arms.new.items():
            if 0 < seen.age < START:
                self._begun += seen.age <= self._ages.get(host, math.inf)
                self._ages[host] = seen.age
            else:
                self._later.update({unit: row[host] for unit, row in counts.items() if host in row})

    def as_loud(self, unit: str, per_start: float) -> bool:
        """Whether the twins' starts wrote as much of it, up to the age that the new hosts have come to."""
        told, _ = self._told(unit)
        return told > 0 and per_start <= NO_MORE * told

    def explain(self, unit: Unit, past: Past, least: int) -> bool:
        """Whether the new side shows it when it starts only, and no more of it than the twins did at that age.

        A twin shows what goes on all the time as well, so its start must have written more of it than is usual.
        """
        about = unit.about
        if about.kind not in ("template", "cluster") or about.level == "FATAL" or not self._begun:
            return False
        told, exposure = self._told(about.unit)
        later = self._later[about.unit]
        if told < LOUD * past.rate(about.unit) * exposure or later >= least:
            return False
        return self.as_loud(about.unit, (unit.x - later) / self._begun)

    def _told(self, unit: str) -> tuple[float, float]:
        """Episodes and exposure of one twin's start up to the new hosts' age, as they were on the average."""
        age = max(self._ages.values(), default=0.0)
        parts = [part for start in self._starts.values() for part in start if part.age <= age]
        starts = max(len(self._starts), 1)
        return sum(part.episodes.get(unit, 0) for part in parts) / starts, sum(one.exposure for one in parts) / starts
