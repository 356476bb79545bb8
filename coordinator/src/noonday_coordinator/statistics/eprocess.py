"""An anytime-valid test that the new release does more of something than the old one, beyond what hosts differ by.

    new rate = rho * u_c * lambda_w      rate of old host h = u_h * lambda_w      lambda_w: anything, window by window
    x | x + y ~ Bin(x + y, t)            t = psi e_c / (psi e_c + e_b)            psi = rho * phi, phi = u_c / mean(u_b)
    E = mean over 25 rho of  ∫ L(rho phi) f(phi) dphi  /  ∫ L(rho0 phi) f(phi) dphi

While rho <= rho0, E reaches 1 / alpha with a chance of at most alpha, however often anyone looks: Ville's inequality
for the ratio of a mixture to the null; Lindon and Malek, arXiv 2011.03567; Ramdas and others, arXiv 2210.01948.
L depends on psi alone. So one grid of log(psi) carries the data, and two fixed weightings of it, W0 of the null and
W1 of the mixture, make E = sum L W1 / sum L W0. Peaks of L narrower than the grid are integrated between its nodes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from operator import add

from noonday_coordinator.statistics.grid import GREATEST_RHO, LEAST_RHO, LEAST_RISE, RHO_POINTS, TINY, Grid, grid_of
from noonday_coordinator.statistics.ratio_prior import RatioPrior
from noonday_coordinator.statistics.rho_posterior import RhoPosterior
from noonday_coordinator.statistics.window import Window

RHO0_WITH_PAST = 1.0
RHO0_WITHOUT_PAST = 1.5
"""What hosts differ by is known from their past; without it, a rise of half is not held against a release."""
LEAST_EPISODES = 3
LEAST_WINDOWS = 2


@dataclass(frozen=True)
class EProcess:
    """Immutable: `update` gives the next. Counts are of the present stage; only `hits`, `seen` are of all."""

    grid: Grid = field(repr=False)
    x: float = 0.0
    y: float = 0.0
    tail: tuple[float, ...] = field(default=(), repr=False)
    """At each node: the part of log L that is not x * log(psi)."""
    seen: float = 0.0
    """Episodes on the new side, in all stages."""
    hits: int = 0
    """Windows in which the new side had any, in all stages."""
    offset: float = 0.0
    """Log of E at the end of the earlier stages."""

    @classmethod
    def of(cls, prior: RatioPrior, *, rho0: float | None = None, weights: tuple[float, ...] = ()) -> EProcess:
        """`rho0`: the greatest rho that is no finding; by default 1.0 with a past, 1.5 without one.

        `weights`: of the 25 rho of the mixture, in sum 1; by default they are equal.
        """
        null = rho0 if rho0 is not None else RHO0_WITH_PAST if prior.nodes else RHO0_WITHOUT_PAST
        if not LEAST_RHO < null * LEAST_RISE < GREATEST_RHO:
            raise ValueError(f"rho0 is {null!r}: it lies between {LEAST_RHO} and {GREATEST_RHO:g}, over {LEAST_RISE}")
        return cls(grid_of(prior, null, weights))

    def update(self, x: float, y: float, e_c: float, e_b: float) -> EProcess:
        """With one window more. What compares nothing changes nothing. Raises `ValueError` for impossible numbers."""
        if not Window(x, y, e_c, e_b).checked().compares:
            return self
        n, k = x + y, e_c / e_b
        log1p, psi = math.log1p, self.grid.psi
        if self.tail:
            tail = tuple([v - n * log1p(k * p) for v, p in zip(self.tail, psi, strict=True)])
        else:
            tail = tuple([-n * log1p(k * p) for p in psi])
        return EProcess(
            self.grid, self.x + x, self.y + y, tail, self.seen + x, self.hits + (1 if x else 0), self.offset
        )

    @cached_property
    def log_e(self) -> float:
        """Natural log of E; 0 before anything was seen."""
        if not self.tail:
            return self.offset
        likelihood = self._likelihood()
        return self.offset + _log_sum(likelihood, self.grid.bet) - _log_sum(likelihood, self.grid.null)

    @property
    def e_value(self) -> float:
        """E; infinite where a float can't hold it."""
        return math.exp(self.log_e) if self.log_e < 709 else math.inf

    @property
    def enough(self) -> bool:
        """Whether the new side showed enough to be blamed at all: 3 episodes, in 2 windows."""
        return self.seen >= LEAST_EPISODES and self.hits >= LEAST_WINDOWS

    def next_stage(self, prior: RatioPrior, *, weights: tuple[float, ...] = ()) -> EProcess:
        """Goes on with other hosts on the two sides: a new phi, and what was learned of rho.

        Without it, `update` would take the new hosts' own factors for the release's: measured with a past, at 300
        episodes a window, a false alarm in 10 % of clean rollouts in four waves, against 0 % in stages. Half of
        the weight is spread as at the start again (`weights`), as in Herbster and Warmuth's fixed share (Machine
        Learning 32 (1998) 151): a fault may also begin now.
        """
        masses = self._masses()
        stride, base = self.grid.stride, self.grid.base
        sums = [sum([m * f for m, f in zip(masses[j * stride :], base, strict=False)]) for j in range(RHO_POINTS)]
        joint = [max(one * weight, TINY) for one, weight in zip(sums, self.grid.weights, strict=True)]
        total = sum(joint)
        anew = weights or (1 / RHO_POINTS,) * RHO_POINTS
        shared = tuple((one / total + other) / 2 for one, other in zip(joint, anew, strict=True))
        grid = grid_of(prior, self.grid.rho0, shared)
        return EProcess(grid, seen=self.seen, hits=self.hits, offset=self.log_e)

    def rho(self) -> RhoPosterior:
        """What is believed of rho after this stage's windows, if log(rho) was equally likely from 1/4 to 1000."""
        step, log_rho0 = self.grid.step, math.log(self.grid.rho0)
        masses, belief = self._masses(), [math.exp(v) for v in self.grid.null]
        first, last = (math.trunc((math.log(rho) - log_rho0) / step) for rho in (LEAST_RHO, GREATEST_RHO))
        weights = [
            sum([m * f for m, f in zip(masses[max(shift, 0) :], belief[max(-shift, 0) :], strict=False)])
            for shift in range(first, last + 1)
        ]
        return RhoPosterior.of([log_rho0 + shift * step for shift in range(first, last + 1)], weights)

    def _likelihood(self) -> list[float]:
        x = self.x
        return [v + x * s for v, s in zip(self.tail, self.grid.s, strict=True)]

    def _masses(self) -> list[float]:
        """L at each node, in units of its greatest."""
        if not self.tail:
            return [1.0] * len(self.grid.s)
        likelihood = self._likelihood()
        top = max(likelihood)
        return [math.exp(v - top) for v in likelihood]


_SHARP = 1.6
"""Second difference of the log of the integrand, over which the sum of nodes errs by more than 1e-5: nodes 1.26
standard deviations apart."""
_REACH = 7.0
"""Standard deviations of a peak that are integrated to each side."""
_FINEST = 64
_NEGLIGIBLE = 35.0
"""Logs so far below the greatest add less to a sum than its rounding."""


def _log_sum(likelihood: list[float], weights: tuple[float, ...]) -> float:
    """Log of the integral of L W, in steps of the grid."""
    logs = list(map(add, likelihood, weights))
    top = max(logs)
    peak = logs.index(top)
    if 0 < peak < len(logs) - 1:
        bend = 2 * top - logs[peak - 1] - logs[peak + 1]
        if bend > _SHARP:
            return _log_peak(logs, peak, bend)
    return _log_total(logs, top)


def _log_peak(logs: list[float], peak: int, bend: float) -> float:
    """The same for a peak narrower than the grid: between the nodes, log L W is a cubic to good measure."""
    width = 1 / math.sqrt(bend)
    parts = min(math.ceil(1 / width), _FINEST)
    reach = 1 + math.ceil(_REACH * width)
    between = _cubic(parts)
    fine = [
        a * logs[i - 1] + b * logs[i] + c * logs[i + 1] + d * logs[i + 2]
        for i in range(max(peak - reach, 1), min(peak + reach, len(logs) - 2))
        for a, b, c, d in between
    ]
    return _log_total(fine, max(fine)) - math.log(parts)


def _log_total(logs: list[float], top: float) -> float:
    exp, floor = math.exp, top - _NEGLIGIBLE
    return top + math.log(sum([exp(v - top) for v in logs if v > floor]))


@lru_cache(maxsize=_FINEST)
def _cubic(parts: int) -> tuple[tuple[float, float, float, float], ...]:
    """Lagrange's weights of the nodes -1, 0, 1, 2 at each part of the way from 0 to 1."""
    ways = [i / parts for i in range(parts)]
    return tuple(
        (
            -f * (f - 1) * (f - 2) / 6,
            (f + 1) * (f - 1) * (f - 2) / 2,
            -(f + 1) * f * (f - 2) / 2,
            (f + 1) * f * (f - 1) / 6,
        )
        for f in ways
    )
