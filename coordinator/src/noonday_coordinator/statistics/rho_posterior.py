"""What is believed of rho, the factor by which the new release does more of something."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RhoPosterior:
    """`logs`: log(rho) in even steps; `masses`: in sum 1."""

    logs: tuple[float, ...]
    masses: tuple[float, ...]

    @classmethod
    def of(cls, logs: Sequence[float], weights: Sequence[float]) -> RhoPosterior:
        """From weights that need not sum to 1; without any, all are equal."""
        total = sum(weights)
        if not total > 0:
            return cls(tuple(logs), (1 / len(logs),) * len(logs))
        return cls(tuple(logs), tuple(weight / total for weight in weights))

    @property
    def mean(self) -> float:
        """Of rho itself. Little data leave it high: then the quantiles say more."""
        return sum(math.exp(s) * mass for s, mass in zip(self.logs, self.masses, strict=True))

    def quantile(self, share: float) -> float:
        """The rho that is not exceeded with this probability, 0 to 1, between nodes evenly in log(rho)."""
        step = self.logs[1] - self.logs[0]
        below = 0.0
        for s, mass in zip(self.logs, self.masses, strict=True):
            if below + mass >= share and mass > 0:
                return math.exp(s + step * ((share - below) / mass - 0.5))
            below += mass
        return math.exp(self.logs[-1])

    def upper(self, doubt: float = 0.05) -> float:
        """What rho exceeds only with a probability of `doubt`: low enough, and there was power enough."""
        return self.quantile(1 - doubt)
