"""How much novelty is to be expected of logs that are never all seen, and what therefore is no finding.

The chance that the next one is of a kind never seen is N1 / n, N1 the kinds seen once in n: Good, Biometrika 40
(1953) 237. What m more bring is m times that while m is at most n: Efron and Thisted, Biometrika 63 (1976) 435.
"""

from __future__ import annotations

import math

BUDGETS = 3.0
"""INFO novelty is a finding beyond three times its budget."""
LUCK = 0.01
"""And only where a Poisson count of that mean would be seen less often than this."""
RARELY_NEW = 0.1
_SURELY_NO_LUCK = 30
"""A Poisson count this many times its mean has a chance below 1e-20: not worth the sum of a flood's terms."""


def novelty_chance(singletons: int, observations: int) -> float:
    """The chance that the next observation is of an unseen kind: N1 / n; 1 before anything was observed."""
    if not 0 <= singletons <= observations:
        raise ValueError(f"{singletons} kinds seen once in {observations} observations")
    return singletons / observations if observations else 1.0


def novelty_budget(singletons: int, observations: int, upcoming: int) -> float:
    """How many unseen kinds `upcoming` more observations are expected to show."""
    return novelty_chance(singletons, observations) * upcoming


def beyond_budget(new_kinds: int, budget: float) -> bool:
    """Whether so many new kinds are more than three budgets, and more than luck."""
    return new_kinds > BUDGETS * budget and _poisson_tail(new_kinds, budget) < LUCK


def rare_cluster(singletons: int, observations: int) -> bool:
    """Whether an unseen key is a unit of its own: its cluster is new, or rarely makes new keys.

    `singletons`: keys of the cluster seen once; `observations`: its lines. Else the whole cluster is the unit.
    """
    novelty_chance(singletons, observations)
    return observations == 0 or (singletons + 0.5) / (observations + 1) < RARELY_NEW


def _poisson_tail(least: int, mean: float) -> float:
    """P(count >= least); the sum below it stops where float has no more to add."""
    if least <= 0:
        return 1.0
    if mean <= 0 or least > _SURELY_NO_LUCK * (mean + 1):
        return 0.0
    logs = [k * math.log(mean) - mean - math.lgamma(k + 1) for k in range(least)]
    return max(1 - sum(math.exp(value) for value in logs), 0.0)
