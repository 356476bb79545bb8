"""One unit's test over a whole rollout: a fault may be there from the start, or begin with any later wave.

E is a mean of e-processes, one from the start and one begun at each wave, with weights set beforehand: 0.8 for the
first, 0.2 / (k (k + 1)) for the k-th after it; what has not begun yet counts as 1. So it is an e-process itself:
Vovk and Wang, Ann. Stat. 49 (2021) 1736; of when to begin, Shin, Ramdas and Rinaldo, arXiv 2203.03532.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

from noonday_coordinator.statistics.eprocess import EProcess
from noonday_coordinator.statistics.ratio_prior import RatioPrior

FROM_THE_START = 0.8
"""Chance that a fault is there with the first host, if there is one."""


@dataclass(frozen=True)
class Onsets:
    """Immutable. In the first wave it costs what one e-process costs, in each further wave one more."""

    runs: tuple[EProcess, ...]
    """The first from the start, the others from each wave in turn."""
    weights: tuple[float, ...] = ()
    """Of the rho of each run's mixture."""

    @classmethod
    def of(cls, prior: RatioPrior, *, rho0: float | None = None, weights: tuple[float, ...] = ()) -> Onsets:
        return cls((EProcess.of(prior, rho0=rho0, weights=weights),), weights)

    def update(self, x: float, y: float, e_c: float, e_b: float) -> Onsets:
        """With one window more, as of `EProcess`."""
        return replace(self, runs=tuple(run.update(x, y, e_c, e_b) for run in self.runs))

    def next_stage(self, prior: RatioPrior, *, begin: bool = True) -> Onsets:
        """Goes on with other hosts on the two sides: the runs so far and, with `begin`, one that begins now."""
        begun = EProcess.of(prior, rho0=self.runs[0].grid.rho0, weights=self.weights)
        later = (run.next_stage(prior, weights=self.weights) for run in self.runs)
        return replace(self, runs=(*later, begun) if begin else tuple(later))

    @cached_property
    def log_e(self) -> float:
        """Natural log of E."""
        return mean_of_onsets([run.log_e for run in self.runs])

    @property
    def e_value(self) -> float:
        """E; infinite where a float can't hold it."""
        return math.exp(self.log_e) if self.log_e < 709 else math.inf

    @property
    def enough(self) -> bool:
        return self.runs[0].enough


def mean_of_onsets(runs: list[float]) -> float:
    """Log of the mean of e-processes, of whose logs the first is the one from the start."""
    later = 1 - FROM_THE_START
    parts = [(FROM_THE_START, runs[0]), (later / len(runs), 0.0)]
    parts += [(later / (k * (k + 1)), log_e) for k, log_e in enumerate(runs[1:], start=1)]
    logs = [math.log(weight) + log_e for weight, log_e in parts]
    top = max(logs)
    return top + math.log(sum(math.exp(value - top) for value in logs))
