"""Silence is a finding too: the same e-process with its sides swapped, on what the old release does all the time."""

from __future__ import annotations

from dataclasses import dataclass, replace

from noonday_coordinator.statistics.eprocess import EProcess
from noonday_coordinator.statistics.ratio_prior import RatioPrior

LEAST_EXPECTED = 30.0
"""Episodes that the new side should have shown by now: of what is rarer, silence says nothing."""


@dataclass(frozen=True)
class Silence:
    """Immutable. Only ever a reason to hold: the test says that something is missing, not why."""

    swapped: EProcess
    expected: float = 0.0
    """Episodes that the new side would have shown at the old side's rates."""

    @classmethod
    def of(cls, prior: RatioPrior, *, rho0: float | None = None) -> Silence:
        """`prior` is the one of the other direction; `rho0` the greatest factor of quiet that is no finding."""
        return cls(EProcess.of(prior.mirrored(), rho0=rho0))

    def update(self, x: float, y: float, e_c: float, e_b: float) -> Silence:
        """With one window more, its sides as everywhere: `x`, `e_c` of the new release."""
        swapped = self.swapped.update(y, x, e_b, e_c)
        return replace(self, swapped=swapped, expected=self.expected + (y * e_c / e_b if e_b else 0.0))

    @property
    def log_e(self) -> float:
        """Natural log of E."""
        return self.swapped.log_e

    @property
    def e_value(self) -> float:
        return self.swapped.e_value

    @property
    def enough(self) -> bool:
        """Whether there should have been enough to miss it: on requests and on units of high volume."""
        return self.expected >= LEAST_EXPECTED

    @property
    def quieter(self) -> float:
        """By which factor the new side does less, as the median of belief."""
        return self.swapped.rho().quantile(0.5)
