"""A diff of template counts by the G-test, the usual way to compare two logs.

Dunning, "Accurate Methods for the Statistics of Surprise and Coincidence" (1993), as log tools apply it ("what is
different in this time range?"): for each template, its records against all others, canary against the other hosts
since the rollout began; p below 0.05, divided by the number of templates. It counts by our keys, which spares it
its parser's errors.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from bench.verdict.case import Case

P = 0.05
LEAST = 5
"""Records of a template on both sides together, below which the test is not valid."""


class TemplateDiff:
    name = "G-test diff"

    def turns_back(self, case: Case) -> float | None:
        here: Counter[str] = Counter()
        there: Counter[str] = Counter()
        for window in case.windows:
            for host, seen in window.hosts.items():
                side = here if host == case.canary else there
                for key, (records, _) in seen.counts.items():
                    side[key] += records
            if differs(here, there):
                return window.ends
        return None


def differs(here: Counter[str], there: Counter[str]) -> bool:
    """Whether any template is more frequent here than there, beyond chance as the test sees it."""
    keys = [key for key in here if here[key] + there[key] >= LEAST]
    n, m = here.total(), there.total()
    if not keys or not n or not m:
        return False
    a = np.array([here[key] for key in keys], dtype=float)
    b = np.array([there[key] for key in keys], dtype=float)
    g = 2 * (
        _part(a, (a + b) * n / (n + m))
        + _part(b, (a + b) * m / (n + m))
        + _part(n - a, (n + m - a - b) * n / (n + m))
        + _part(m - b, (n + m - a - b) * m / (n + m))
    )
    return bool(np.any((chi2.sf(g, 1) < P / len(keys)) & (a / n > b / m)))


def _part(seen: NDArray[np.float64], expected: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(seen > 0, seen * np.log(seen / expected), 0.0)
