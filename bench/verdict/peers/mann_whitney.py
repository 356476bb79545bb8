"""Kayenta's judge: Mann-Whitney on each metric's points, canary against baseline.

By spinnaker/kayenta, `NetflixACAJudge` and `MannWhitneyClassifier`: a metric is "High" when the lower end of the 98 %
confidence interval of the difference (Hodges and Lehmann) is above a quarter of its estimate. One point a minute,
which is its step. Metrics: share of requests with 5xx, with an ERROR, with a WARN, and the mean duration. Any of them
at "High" sends the release back, as with all of them marked critical.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.stats import norm

from bench.verdict.case import Case, Sums

CONFIDENCE = 0.98
TOLERANCE = 0.25
STEP = 60.0
LEAST_POINTS = 3


class MannWhitney:
    name = "Mann-Whitney"

    def turns_back(self, case: Case) -> float | None:
        here: list[list[Sums]] = []
        there: list[list[Sums]] = []
        for window in case.windows:
            step = int((window.ends - case.start - 1e-6) // STEP)
            while len(here) <= step:
                here.append([])
                there.append([])
            if (seen := case.here(window)) is not None:
                here[step].append(case.sums(seen))
            there[step].extend(case.sums(other) for other in case.others(window).values())
            over = (window.ends - case.start) % STEP < 1e-6
            if over and len(here) >= LEAST_POINTS and _any_high(here, there):
                return window.ends
        return None


def _any_high(here: Sequence[Sequence[Sums]], there: Sequence[Sequence[Sums]]) -> bool:
    ours, theirs = _points(here), _points(there)
    return any(is_high(mine, other) for mine, other in zip(ours, theirs, strict=True))


def _points(steps: Sequence[Sequence[Sums]]) -> list[list[float]]:
    found: list[list[float]] = [[], [], [], []]
    for sums in steps:
        requests = sum(one.requests for one in sums)
        if requests:
            for column, values in zip(
                found,
                (
                    sum(one.failed for one in sums),
                    sum(one.errors for one in sums),
                    sum(one.warnings for one in sums),
                    sum(one.seconds for one in sums),
                ),
                strict=True,
            ):
                column.append(values / requests)
    return found


def is_high(experiment: Sequence[float], control: Sequence[float]) -> bool:
    """Whether the interval of the difference lies above the tolerance."""
    m, n = len(experiment), len(control)
    if not m or not n or list(experiment) == list(control):
        return False
    differences = np.sort(np.subtract.outer(np.array(experiment), np.array(control)).ravel())
    rank = m * n / 2 - norm.ppf(0.5 + CONFIDENCE / 2) * math.sqrt(m * n * (m + n + 1) / 12)
    lower = float(differences[int(rank) - 1]) if rank >= 1 else -math.inf
    return lower > TOLERANCE * abs(float(np.median(differences)))
