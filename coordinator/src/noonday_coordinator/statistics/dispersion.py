"""How bursty a unit is: one cause may give many episodes, and then counts vary more than Poisson's.

Pearson's chi2 / df over the pre-period: McCullagh and Nelder, Generalized Linear Models, 2nd edition, 4.5 and 6.2.
Expected counts are conditional on each window's total, so load waves and shared incidents are no bursts; each host
has its own level, shrunk to the fleet's as far as its episodes are few.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from noonday_coordinator.statistics.host_effects import DEFAULT_SHAPE

Table = Sequence[Sequence[float]]
"""Rows are windows, columns hosts."""


def burst_factor(counts: Table, exposures: Table, *, shape: float = DEFAULT_SHAPE) -> float:
    """Pearson's chi2 / df, at least 1: what to divide x and y by. Exposure 0 where a host was not seen.

    Of one host alone, windows are compared with each other. 1 when nothing can be said: no episodes, or no degree of
    freedom. Raises `ValueError` for tables that don't fit each other, and impossible numbers.
    """
    widths = {len(row) for row in (*counts, *exposures)}
    if len(counts) != len(exposures) or len(widths) > 1:
        raise ValueError("counts and exposures are two tables of the same windows and hosts")
    alone = widths == {1}
    if alone:
        counts, exposures = [[row[0] for row in counts]], [[row[0] for row in exposures]]
    rows = [found for pair in zip(counts, exposures, strict=True) if (found := _seen(*pair)) is not None]
    if not rows:
        return 1.0
    levels = [1.0] * len(rows[0][0]) if alone else _levels(rows, shape)
    fitted = 0.0 if alone else _fitted(rows, shape)
    chi2, df = 0.0, -fitted
    for row, exposure in rows:
        weights = [e * level for e, level in zip(exposure, levels, strict=True)]
        scale = sum(row) / sum(weights)
        chi2 += sum((c - scale * w) ** 2 / (scale * w) for c, w in zip(row, weights, strict=True) if w > 0)
        df += sum(w > 0 for w in weights) - 1
    # One cause can't give more episodes than there were.
    return max(min(chi2 / df, sum(sum(row) for row, _ in rows)), 1.0) if df >= 1 else 1.0


_Rows = list[tuple[Sequence[float], Sequence[float]]]
_NOTHING = 1e-9
"""Of the greatest exposure in a row: who had less can't have shown anything. And fewer episodes are none."""
_ROUNDS = 3
"""The levels stand still after that, to about 1 %."""


def _seen(counts: Sequence[float], exposures: Sequence[float]) -> tuple[Sequence[float], Sequence[float]] | None:
    """A window's row, without what a host can't have shown; None when nothing is left of it.

    Only the ratios of a row's exposures matter, so they come in units of the greatest: products can't underflow.
    """
    if not all(0 <= value < math.inf for value in (*counts, *exposures)):
        raise ValueError("counts and exposures are finite and not negative")
    most = max(exposures, default=0.0)
    shares = [exposure / most if exposure > most * _NOTHING else 0.0 for exposure in exposures]
    row = [count if share > 0 else 0.0 for count, share in zip(counts, shares, strict=True)]
    return (row, shares) if sum(row) > _NOTHING else None


def _levels(rows: _Rows, shape: float) -> list[float]:
    """Each host's own factor: the mode under Gamma(shape, shape), given the windows' totals."""
    sums = [sum(column) for column in zip(*(row for row, _ in rows), strict=True)]
    levels = [1.0] * len(sums)
    for _ in range(_ROUNDS):
        expected = [0.0] * len(sums)
        for row, exposure in rows:
            scale = sum(row) / sum(e * level for e, level in zip(exposure, levels, strict=True))
            expected = [before + scale * e for before, e in zip(expected, exposure, strict=True)]
        levels = [(seen + shape) / (mean + shape) for seen, mean in zip(sums, expected, strict=True)]
    return levels


def _fitted(rows: _Rows, shape: float) -> float:
    """Degrees of freedom that the levels take: as many as hosts less one, less what shrinking gives back."""
    sums = [sum(column) for column in zip(*(row for row, _ in rows), strict=True)]
    mean = float(sum(sums)) / len(sums)
    return (len(sums) - 1) * mean / (mean + shape)
