"""What is believed of phi, the ratio of the new hosts' own factor to the old hosts', before any window is judged.

A host's factor is Gamma(r, r), so the ratio of two means of such factors is F(2r new, 2r old): Johnson, Kotz and
Balakrishnan, Continuous Univariate Distributions 2, chapter 27. All densities are of s = log(phi).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from noonday_coordinator.statistics.window import Window

DRIFT = 0.1
"""Standard deviation of log(phi) between the pre-period and the judged windows."""
LEAST_DRIFT = 0.05
"""Less than this no fleet can know of itself, and no grid of ours could resolve."""


@dataclass(frozen=True)
class RatioPrior:
    """`new_df`, `old_df`: degrees of freedom of F. With a past: posterior `nodes` of s, their `masses`, the `drift`."""

    new_df: float
    old_df: float
    nodes: tuple[float, ...] = ()
    masses: tuple[float, ...] = ()
    drift: float = 0.0

    @classmethod
    def of_hosts(cls, shape: float, *, new: int = 1, old: int = 1) -> RatioPrior:
        """`shape`: the Gamma's r; `new`, `old`: hosts on each side. Raises `ValueError` when any is not above 0."""
        if not (shape > 0 and math.isfinite(shape) and new > 0 and old > 0):
            raise ValueError(f"no ratio of {new} new to {old} old hosts of shape {shape!r}")
        return cls(2 * shape * new, 2 * shape * old)

    def after(self, past: Iterable[Window], *, drift: float = DRIFT) -> RatioPrior:
        """What is believed after the pre-period, when all ran the old release (rho = 1), blurred by `drift`.

        `e_c` and `x` of the past are of the hosts that are new now. A past that compares nothing changes nothing.
        """
        if self.nodes:
            raise ValueError("this prior has its past already")
        if not drift >= LEAST_DRIFT:
            raise ValueError(f"a drift of {drift!r} is below {LEAST_DRIFT}")
        x, terms = _merged(past)
        if not terms:
            return self
        mode = _mode(self, x, terms)
        width = 1 / math.sqrt(_bend(self, terms, mode))
        # Nodes further apart than the drift would leave a density of separate bumps.
        step = min(_STEP * width, drift)
        steps = math.ceil(_FAR * width / step)
        nodes = tuple(mode + step * i for i in range(-steps, steps + 1))
        logs = [self.log_density(s) + _log_likelihood(x, terms, s) for s in nodes]
        top = max(logs)
        weights = [math.exp(value - top) for value in logs]
        total = sum(weights)
        return replace(self, nodes=nodes, masses=tuple(weight / total for weight in weights), drift=drift)

    def mirrored(self) -> RatioPrior:
        """The same belief of 1 / phi: the old side seen as the new one."""
        nodes = tuple(-s for s in reversed(self.nodes))
        return replace(self, new_df=self.old_df, old_df=self.new_df, nodes=nodes, masses=self.masses[::-1])

    def log_density(self, s: float) -> float:
        """Log of the density of s = log(phi) at `s`."""
        if not self.nodes:
            z = s + math.log(self.new_df / self.old_df)
            return self._constant + self.new_df / 2 * z - (self.new_df + self.old_df) / 2 * softplus(z)
        scale = 1 / (self.drift * math.sqrt(2))
        logs = [(log_mass - ((s - node) * scale) ** 2) for node, log_mass in self._log_masses]
        top = max(logs)
        return self._constant + top + math.log(sum([math.exp(v - top) for v in logs if v > top - _NEGLIGIBLE]))

    @cached_property
    def sd(self) -> float:
        """Standard deviation of s; of F, the first term of its expansion."""
        if not self.nodes:
            return math.sqrt(2 / self.new_df + 2 / self.old_df)
        mean = sum(s * m for s, m in zip(self.nodes, self.masses, strict=True))
        spread = sum((s - mean) ** 2 * m for s, m in zip(self.nodes, self.masses, strict=True))
        return math.sqrt(spread + self.drift**2)

    @cached_property
    def span(self) -> tuple[float, float]:
        """Least and greatest s that are worth a place in a grid: outside, the density is below exp(-30) of its top."""
        middle = max(zip(self.masses, self.nodes, strict=True))[1] if self.nodes else 0.0
        return middle - _reach(self, middle, -1.0), middle + _reach(self, middle, 1.0)

    @cached_property
    def _log_masses(self) -> list[tuple[float, float]]:
        return [(node, math.log(mass)) for node, mass in zip(self.nodes, self.masses, strict=True) if mass]

    @cached_property
    def _constant(self) -> float:
        if self.nodes:
            return -math.log(self.drift * math.sqrt(2 * math.pi))
        a, b = self.new_df / 2, self.old_df / 2
        return math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)


def softplus(z: float) -> float:
    """log(1 + exp(z)) without overflow."""
    return z + math.log1p(math.exp(-z)) if z > 0 else math.log1p(math.exp(z))


_STEP = 0.75
_FAR = 9.0
"""Nodes 3/4 of a standard deviation apart, out to nine of them: the trapezoid rule is exact to 1e-15 of a normal."""
_NEGLIGIBLE = 30.0
_BIN = 1 / 64


def _merged(past: Iterable[Window]) -> tuple[float, list[tuple[float, float]]]:
    """All `x`, and (episodes, log of the exposure ratio) of the windows, those of one ratio (to 1.6 %) taken together.

    Two hours are 720 windows. Each bin stands at its mean, so what is lost is of second order: 1e-5 of an episode.
    """
    x_sum = 0.0
    bins: dict[int, list[float]] = {}
    for window in past:
        x, y, e_c, e_b = window.checked()
        if not window.compares:
            continue
        log_k, n = math.log(e_c / e_b), x + y
        x_sum += x
        into = bins.setdefault(round(log_k / _BIN), [0.0, 0.0])
        into[0] += n
        into[1] += n * log_k
    return x_sum, [(n, weighted / n) for n, weighted in bins.values()]


def _log_likelihood(x: float, terms: list[tuple[float, float]], s: float) -> float:
    return x * s - sum([n * softplus(s + log_k) for n, log_k in terms])


def _slope(prior: RatioPrior, x: float, terms: list[tuple[float, float]], s: float) -> float:
    half = (prior.new_df + prior.old_df) / 2
    own = prior.new_df / 2 - half * _share(s + math.log(prior.new_df / prior.old_df))
    return own + x - sum([n * _share(s + log_k) for n, log_k in terms])


def _bend(prior: RatioPrior, terms: list[tuple[float, float]], s: float) -> float:
    """The negative second derivative of the log of the posterior: above 0 everywhere."""
    t = _share(s + math.log(prior.new_df / prior.old_df))
    own = (prior.new_df + prior.old_df) / 2 * t * (1 - t)
    shares = [(n, _share(s + log_k)) for n, log_k in terms]
    return own + sum([n * t * (1 - t) for n, t in shares])


def _mode(prior: RatioPrior, x: float, terms: list[tuple[float, float]]) -> float:
    """Where the slope, which only falls, is 0; by halving, since Newton's step overshoots in the flat tails."""
    low, high = -25.0, 25.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if _slope(prior, x, terms, middle) > 0 else (low, middle)
    return (low + high) / 2


def _share(z: float) -> float:
    """exp(z) / (1 + exp(z)) without overflow."""
    return 1 / (1 + math.exp(-z)) if z > 0 else math.exp(z) / (1 + math.exp(z))


def _reach(prior: RatioPrior, middle: float, direction: float) -> float:
    """How far from `middle` the log of the density has fallen by 30."""
    floor = prior.log_density(middle) - _NEGLIGIBLE
    far = prior.sd
    while prior.log_density(middle + direction * far) > floor and far < 40:
        far *= 1.25
    return far
