"""The grid of log(psi) that an e-process stands on, with its two weightings: all that windows never change."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

from noonday_coordinator.statistics.ratio_prior import RatioPrior

RHO_POINTS = 25
LEAST_RISE = 1.5
"""The least rho of the mixture, in units of rho0."""
GREATEST_RHO = 1000.0
_BELL = tuple(math.exp(-(((j - 4) / 3.5) ** 2) / 2) + 0.002 for j in range(RHO_POINTS))
MODEST = tuple(weight / sum(_BELL) for weight in _BELL)
"""Weights of rho for what is known from the past: a bell around 4.4 rho0, a factor of 2.6 to each side its deviation,
and something for all others. It is more often some times as frequent than a thousand times."""
LEAST_RHO = 0.25
"""Down to here the posterior of rho reaches; a release that does less of something is no finding of this test."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Nodes of s = log(psi), `step` apart. The rho of the mixture lie `stride` steps apart from 1.5 * rho0 on."""

    rho0: float
    step: float
    stride: int
    s: tuple[float, ...]
    psi: tuple[float, ...]
    null: tuple[float, ...]
    """Log of f(s - log(rho0)), f the prior of log(phi)."""
    bet: tuple[float, ...]
    """Log of the mean over rho of f(s - log(rho))."""
    weights: tuple[float, ...]
    """Of each rho of the mixture, in sum 1."""
    base: tuple[float, ...]
    """f(s - log(1.5 * rho0)): `stride` steps further stands the same for the next rho."""


@lru_cache(maxsize=64)
def grid_of(prior: RatioPrior, rho0: float, weights: tuple[float, ...] = ()) -> Grid:
    """`weights`: of the rho, in sum 1; empty for equal ones. Made once for all units without a past of their own."""
    plain = _evenly(prior, rho0)
    if not weights:
        return plain
    return replace(plain, weights=weights, bet=_bet(plain.base, weights, plain.stride))


@lru_cache(maxsize=64)
def _evenly(prior: RatioPrior, rho0: float) -> Grid:
    """With equal weights. Densities cost most, and all runs of a unit in one stage share them."""
    low, high = prior.span
    gap = math.log(GREATEST_RHO / (LEAST_RISE * rho0)) / (RHO_POINTS - 1)
    stride = min(max(math.ceil(gap / (_STEP_IN_SD * prior.sd)), 1), _MOST_STRIDE)
    step = gap / stride
    first = math.log(LEAST_RHO) + low
    count = math.ceil((math.log(GREATEST_RHO) + high - first) / step) + 1
    s = tuple(first + step * i for i in range(count))
    base = tuple(math.exp(prior.log_density(v - math.log(LEAST_RISE * rho0))) for v in s)
    shares = (1 / RHO_POINTS,) * RHO_POINTS
    return Grid(
        rho0=rho0,
        step=step,
        stride=stride,
        s=s,
        psi=tuple(math.exp(v) for v in s),
        null=tuple(prior.log_density(v - math.log(rho0)) for v in s),
        bet=_bet(base, shares, stride),
        weights=shares,
        base=base,
    )


TINY = 1e-300
"""Stands for a mass that a float can't hold, where a log of it is wanted."""
_STEP_IN_SD = 0.9
"""The trapezoid rule errs by 2 exp(-2 (pi sd / step)^2): 5e-11 of a normal density."""
_MOST_STRIDE = 8


def _bet(base: tuple[float, ...], shares: tuple[float, ...], stride: int) -> tuple[float, ...]:
    sums = [0.0] * len(base)
    for j, share in enumerate(shares):
        shifted = base[: len(base) - j * stride]
        sums[j * stride :] = [v + share * f for v, f in zip(sums[j * stride :], shifted, strict=True)]
    return tuple(math.log(max(v, TINY)) for v in sums)
