"""How a rollout's chance of a false alarm is shared out, so that it stays below alpha over all units together.

A tenth goes to the units that were known before, by the square roots of how often they were seen; the rest to new ones,
the j-th discovered getting 1 / (j (j + 1)) of it: Bonferroni's inequality with weights set beforehand, Roeder and
Wasserman, Statist. Sci. 24 (2009) 398, and Foster and Stine's alpha spending, J. R. Statist. Soc. B 70 (2008) 429.
Within each part ERROR and WARN have their own shares. What is neither is told and never blamed, so it has an alpha of
its own beside them.

A tenth, since it is known units that luck makes loud: of 420 clean rollouts with a half or a third four went back, all
for a known ERROR or WARN. What is new and comes again and again is hardly ever luck. Square roots, since a fault that
adds as many of each makes a rare one so much louder that a higher threshold costs it a part of an episode.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

ALPHA = 0.05
"""Of a whole rollout."""

Band = Literal["error", "warn", "other"]
KNOWN_PART = 0.1
SHARES: dict[Band, float] = {"error": 2 / 3, "warn": 1 / 3, "other": 0.1}
"""Of what may be blamed, in sum 1; and beside it of what is only told."""
_ERRORS = frozenset({"ERROR", "ERR", "FATAL", "CRITICAL", "CRIT", "SEVERE", "ALERT", "EMERG", "PANIC"})
_WARNINGS = frozenset({"WARN", "WARNING"})


def band_of(level: str) -> Band:
    """The band of a log level, whatever its case."""
    word = level.strip().upper()
    return "error" if word in _ERRORS else "warn" if word in _WARNINGS else "other"


@dataclass(frozen=True, slots=True)
class Spending:
    """Immutable. `known`: of each band the square roots of its units' episodes before the rollout, in sum; `found`: how
    many were new so far."""

    known: tuple[float, float, float]
    found: tuple[int, int, int] = (0, 0, 0)
    alpha: float = ALPHA
    known_part: float = KNOWN_PART

    @classmethod
    def over(
        cls, units: Iterable[tuple[str, float]], *, alpha: float = ALPHA, known_part: float = KNOWN_PART
    ) -> Spending:
        """`units`: level and episodes of each that was known before. Raises `ValueError` for an alpha that is none."""
        if not 0 < alpha < 1:
            raise ValueError(f"alpha is {alpha!r}: it lies between 0 and 1")
        sums = dict.fromkeys(_BANDS, 0.0)
        for level, episodes in units:
            sums[band_of(level)] += _weight(episodes)
        return cls((sums["error"], sums["warn"], sums["other"]), alpha=alpha, known_part=known_part)

    def knows(self, level: str) -> bool:
        return self.known[_BANDS.index(band_of(level))] > 0

    def of_known(self, level: str, episodes: float) -> float:
        """Alpha of a known unit, seen so often before. Where there is no ERROR, WARN has its share, and vice versa."""
        place = _BANDS.index(band_of(level))
        total = self.known[place]
        if not total:
            raise ValueError(f"no unit of level {level!r} was known before")
        present = sum(share for share, known in zip(_BLAMED, self.known, strict=False) if known) if place < 2 else 1.0
        return self.alpha * self.known_part * _SHARES[place] / present * min(_weight(episodes) / total, 1.0)

    def discover(self, level: str) -> tuple[float, Spending]:
        """The alpha of the next new unit, of this level, and what is left."""
        place = _BANDS.index(band_of(level))
        j = self.found[place] + 1
        errors, warnings, others = (count + (at == place) for at, count in enumerate(self.found))
        return self.alpha * (1 - self.known_part) * _SHARES[place] / (j * (j + 1)), replace(
            self, found=(errors, warnings, others)
        )

    @property
    def spent(self) -> float:
        """What all units that may be blamed have together; below alpha whatever is discovered."""
        known = self.known_part if any(self.known[:2]) else 0.0
        new = sum(share * count / (count + 1) for share, count in zip(_BLAMED, self.found, strict=False))
        return self.alpha * (known + (1 - self.known_part) * new)


def log_threshold(alpha: float) -> float:
    """What the natural log of E must reach: log(1 / alpha)."""
    return -math.log(alpha)


def _weight(episodes: float) -> float:
    # Known from earlier rollouts and not seen in the past that is at hand: it may come once, like what was seen once.
    return math.sqrt(max(episodes, 1.0))


_BANDS: tuple[Band, ...] = ("error", "warn", "other")
_SHARES = tuple(SHARES[band] for band in _BANDS)
_BLAMED = _SHARES[:2]
