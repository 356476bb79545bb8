"""One unit under test: what was counted of it on both sides, and how that weighs."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from noonday_coordinator.statistics.accustomed import NOTHING, Accustomed
from noonday_coordinator.statistics.newcomer import Newcomer
from noonday_coordinator.statistics.ratio_prior import RatioPrior
from noonday_coordinator.statistics.spending import log_threshold
from noonday_coordinator.statistics.window import Window as Counts
from noonday_coordinator.verdict.counting import About
from noonday_coordinator.verdict.past import Past

LEAST_WINDOWS = 2
SELDOM = 20.0
"""Episodes before the rollout, below which a unit's record is short enough to be compared as a whole."""
RARELY = 6
"""Rows of what can't turn a release back that are weighed at once: it is most of a log, and nobody waits for it."""
PAST_TIMES = 4.0
"""Where no host is left on the old release, the past is the other side, for so many times as long."""


class Row(NamedTuple):
    """One window of one unit. `new`: hosts on the new release then; `before`: all exposure of the windows before it."""

    counts: Counts
    new: frozenset[str]
    old: int
    before: tuple[float, float]


class Weigher(Protocol):
    @property
    def log_e(self) -> float: ...

    def weigh(self, row: Row) -> None: ...


class KnownWeigher:
    """A unit with a past: the e-process, with a stage for each set of new hosts.

    A fault may begin with a later wave, so a run begins whenever the new side has doubled. `together`: so many rows are
    weighed at once.
    """

    def __init__(self, past: Past, unit: str, *, least: int, alone: bool, together: int = 1) -> None:
        self._past = past
        self._unit = unit
        self._together = together
        self._alone = alone
        self._burst = past.burst(unit)
        self._new: frozenset[str] = frozenset()
        self._process: Accustomed | None = None
        self._begun = 1
        self._waiting: list[Row] = []
        self._least = least
        self._shown = 0.0
        self._fed = 0.0

    @property
    def log_e(self) -> float:
        return self._process.log_e if self._process else 0.0

    def weigh(self, row: Row) -> None:
        self._waiting.append(row)
        self._shown += row.counts.x
        if self._process is None and self._shown < self._least:
            # What the new side hardly shows is never blamed, and most units are such.
            return
        if len(self._waiting) < self._together:
            return
        for one in _merged(self._waiting) if self._together > 1 else self._waiting:
            self._add(one)
        self._waiting = []

    def _gap(self, row: Row) -> Counts:
        """What passed without an episode: beside other hosts it says nothing, beside the past it does."""
        e_new = row.before[0] - self._fed if self._alone else 0.0
        e_old = PAST_TIMES * e_new
        return Counts(0.0, self._past.rate(self._unit) * e_old / self._burst, e_new, e_old)

    def _add(self, row: Row) -> None:
        if self._process is None:
            record = NOTHING if self._alone else self._past.record(self._unit)
            self._process = Accustomed.of(self._prior(row), record=record)
            self._begun = len(row.new)
        elif row.new != self._new:
            doubled = len(row.new) >= 2 * self._begun
            self._process = self._process.next_stage(self._prior(row), begin=doubled)
            self._begun = len(row.new) if doubled else self._begun
        self._new = row.new
        x, y, e_new, e_old = row.counts
        if self._alone:
            self._process = self._process.update(*self._gap(row))
            self._fed = row.before[0] + e_new
            e_old = PAST_TIMES * e_new
            y = self._past.rate(self._unit) * e_old
        self._process = self._process.update(x / self._burst, y / self._burst, e_new, e_old)

    def _prior(self, row: Row) -> RatioPrior:
        if self._alone:  # the past is the other side, so it can't tell the ratio as well
            return RatioPrior.of_hosts(self._past.shape, new=max(len(row.new), 1), old=max(row.old, 1))
        return self._past.prior(self._unit, row.new, row.old)


def _merged(rows: list[Row]) -> list[Row]:
    """One row for each set of new hosts."""
    found: list[Row] = []
    for row in rows:
        if found and found[-1].new == row.new:
            sums = Counts(*(a + b for a, b in zip(found[-1].counts, row.counts, strict=True)))
            found[-1] = found[-1]._replace(counts=sums, old=row.old)
        else:
            found.append(row)
    return found


class NewWeigher:
    """A unit that nobody has seen before, or seldom: its absence from the past counts."""

    def __init__(self, past: Past, unit: str, new: frozenset[str], old: int, *, alone: bool) -> None:
        self._past = past
        self._new = new
        self._newcomer = Newcomer.of(self._prior(new, old), history=past.could(unit), episodes=past.episodes(unit))
        self._alone = alone
        self._fed = (0.0, 0.0)

    @property
    def log_e(self) -> float:
        if self._alone:  # no host of the old release is left to tell an incident from the release
            return self._newcomer.fresh.update(*self._newcomer.total).log_e
        return self._newcomer.log_e

    def weigh(self, row: Row) -> None:
        if row.new != self._new:
            self._new = row.new
            self._newcomer = self._newcomer.next_stage(self._prior(row.new, row.old))
        x, y, e_new, e_old = row.counts
        gap = (row.before[0] - self._fed[0], row.before[1] - self._fed[1])
        if max(gap) > 0:
            self._newcomer = self._newcomer.update(0.0, 0.0, *gap)
        self._newcomer = self._newcomer.update(x, y, e_new, e_old)
        self._fed = (row.before[0] + e_new, row.before[1] + e_old)

    def _prior(self, new: frozenset[str], old: int) -> RatioPrior:
        return RatioPrior.of_hosts(self._past.shape, new=max(len(new), 1), old=max(old, 1))


@dataclass(slots=True)
class Unit:
    """`tested`: not only counted. `x`, `y`: episodes on new and old hosts; instants are windows' ends."""

    about: About
    tested: bool
    weigher: Weigher
    least: int
    alpha: float = 0.0
    """Its part of the rollout's chance of a false alarm, from when the new side first shows it."""
    x: float = 0.0
    y: float = 0.0
    hits: int = 0
    new_hosts: dict[str, int] = field(default_factory=dict)
    """Episodes by host on the new release."""
    old_hosts: dict[str, int] = field(default_factory=dict)
    first_seen: float = 0.0
    """When the new side first showed it; 0 before."""
    last_seen: float = 0.0

    @property
    def log_e(self) -> float:
        return self.weigher.log_e

    @property
    def e(self) -> float:
        return math.exp(min(self.log_e, 700.0))

    @property
    def enough(self) -> bool:
        return self.x >= self.least and self.hits >= LEAST_WINDOWS

    @property
    def crosses(self) -> bool:
        """Whether it is held against the release by its numbers alone, now."""
        return self.alpha > 0 and self.enough and self.log_e >= log_threshold(self.alpha)

    def take(self, row: Row, ends: float) -> None:
        self.x += row.counts.x
        self.y += row.counts.y
        if row.counts.x:
            self.hits += 1
            self.first_seen = self.first_seen or ends
            self.last_seen = ends
        if self.tested:
            self.weigher.weigh(row)
