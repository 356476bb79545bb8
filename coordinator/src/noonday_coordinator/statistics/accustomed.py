"""The test of a unit that is known: its rate before counts, as far as that was steady, but an incident may begin today.

Two nulls, as of a newcomer. Either the unit has the rate that it had, k episodes of which are as good as all if that
rate goes up and down by k^-1/2: then these are episodes on the old side, and the windows are pooled. Or something
shared began: then only hosts at the same time compare. With a chance of `incident` for the second,

    E = 1 / ((1 - incident) / (0.6 E_past)  +  incident / (0.4 E_now))

keeps P(E ever >= 1 / alpha) <= alpha, 0.6 of it for the first null. Without a record, E is E_now.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

from noonday_coordinator.statistics.eprocess import EProcess
from noonday_coordinator.statistics.grid import MODEST
from noonday_coordinator.statistics.onsets import Onsets, mean_of_onsets
from noonday_coordinator.statistics.ratio_prior import RatioPrior
from noonday_coordinator.statistics.tide import Block
from noonday_coordinator.statistics.window import Window

INCIDENT = 0.05
"""Chance that something shared by all hosts begins during a rollout."""
OF_THE_PAST = 0.6
"""Of alpha, for the null that nothing shared begins, which is the likelier one to be hard to refute."""
NOTHING = Block(0.0, 0.0)


@dataclass(frozen=True)
class Accustomed:
    """Immutable. `record`: episodes and exposure before, no more than its steadiness makes worth while."""

    now: Onsets
    fresh: EProcess
    """What the present stage's test was before any window."""
    record: Block
    total: Window
    """Of the present stage."""
    ended: tuple[float, ...] = ()
    """Log of E_past of each stage that is over."""
    begun: tuple[int, ...] = ()
    """The stages, from 1, with which a fault may have begun."""

    @classmethod
    def of(cls, prior: RatioPrior, *, record: Block = NOTHING) -> Accustomed:
        """Raises `ValueError` for an impossible record."""
        now = Onsets.of(prior, weights=MODEST)
        return cls(now, now.runs[0], record, _only(record).checked())

    def update(self, x: float, y: float, e_c: float, e_b: float) -> Accustomed:
        """With one window more."""
        window = Window(x, y, e_c, e_b).checked()
        total = Window(*(a + b for a, b in zip(self.total, window, strict=True)))
        return replace(self, now=self.now.update(*window), total=total)

    def next_stage(self, prior: RatioPrior, *, begin: bool = True) -> Accustomed:
        """Goes on with other hosts on the two sides; with `begin`, a fault may also begin now."""
        now = self.now.next_stage(prior, begin=begin)
        ended = (*self.ended, self._present)
        begun = (*self.begun, len(ended)) if begin else self.begun
        fresh = EProcess.of(prior, rho0=self.fresh.grid.rho0, weights=MODEST)
        return Accustomed(now, fresh, self.record, _only(self.record), ended, begun)

    @cached_property
    def log_e(self) -> float:
        """Natural log of E."""
        if not self.record.exposure:
            return self.now.log_e
        logs = [
            math.log((1 - INCIDENT) / OF_THE_PAST) - self._past,
            math.log(INCIDENT / (1 - OF_THE_PAST)) - self.now.log_e,
        ]
        top = max(logs)
        return -top - math.log(sum(math.exp(value - top) for value in logs))

    @property
    def enough(self) -> bool:
        return self.now.enough

    @property
    def _present(self) -> float:
        # The record alone compares nothing.
        return self.fresh.update(*self.total).log_e if self.total.e_c else 0.0

    @property
    def _past(self) -> float:
        stages = (*self.ended, self._present)
        return mean_of_onsets([sum(stages[first:]) for first in (0, *self.begun)])


def _only(record: Block) -> Window:
    return Window(0, record.episodes, 0, record.exposure)
