"""How much healthy hosts of one release differ: the shape r of the Gamma that a host's own factor follows.

Its coefficient of variation is r^-1/2. It is estimated by the method of moments, with the counts' own Poisson noise
taken off: DerSimonian and Laird, Controlled Clinical Trials 7 (1986) 177; for counts Böhning, Biometrics 56 (2000) 8.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

DEFAULT_SHAPE = 16.0
"""25 %: what five real replicas of a service showed of lines, rounded up."""
LEAST_SHAPE = 4.0
MOST_SHAPE = 400.0
LEAST_HOSTS = 5
LEAST_SECONDS = 3600.0
_PRIOR_DF = 4.0
"""Weight of the default, in hosts: five hosts may look alike by luck, which would make every test too bold."""


class HostTotal(NamedTuple):
    """One unit on one host of one release: its episodes, the exposure (requests, else seconds), the time seen."""

    episodes: float
    exposure: float
    seconds: float


def shape_of(units: Iterable[Sequence[HostTotal]]) -> float:
    """The shape r from the history of an app's units, each over its hosts; the default when that is too little.

    A unit counts when it was seen on 5 hosts for an hour each. Divide episodes by the unit's burst factor first.
    """
    estimates = [found for unit in units if (found := _of_unit(unit)) is not None]
    weight = sum(found.weight for found in estimates)
    if not weight > 0:
        return DEFAULT_SHAPE
    squared = max(sum(found.squared * found.weight for found in estimates) / weight, 0.0)
    df = sum(found.df * found.weight for found in estimates) / weight
    # Units share their hosts, so together they have no more degrees of freedom than one whose noise is nothing.
    trust = df * min(weight, 1.0)
    shrunk = (trust * squared + _PRIOR_DF / DEFAULT_SHAPE) / (trust + _PRIOR_DF)
    return min(max(1 / shrunk, LEAST_SHAPE), MOST_SHAPE)


class _Estimate(NamedTuple):
    squared: float
    """Squared coefficient of variation, unbiased, so it may be negative."""
    df: float
    weight: float
    """0 to 1: how much of the spread seen is not Poisson noise."""


def _of_unit(unit: Sequence[HostTotal]) -> _Estimate | None:
    hosts = [host for host in unit if host.seconds >= LEAST_SECONDS and host.exposure > 0]
    episodes, exposure = sum(host.episodes for host in hosts), sum(host.exposure for host in hosts)
    if len(hosts) < LEAST_HOSTS or not (episodes > 0 and math.isfinite(episodes + exposure)):
        return None
    rate = episodes / exposure
    df = len(hosts) - 1
    pearson = sum((host.episodes - rate * host.exposure) ** 2 / (rate * host.exposure) for host in hosts)
    scale = rate * (exposure - sum(host.exposure**2 for host in hosts) / exposure)
    share = episodes / (episodes + DEFAULT_SHAPE * len(hosts))
    return _Estimate((pearson - df) / scale, df, share**2)
