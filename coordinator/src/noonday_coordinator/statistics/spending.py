"""How a rollout's chance of a false alarm is shared out, so that it stays below alpha over all units together.

A tenth goes to the units that were known before, evenly; the rest to new ones, the j-th discovered getting
1 / (j (j + 1)) of it: Bonferroni's inequality, and Foster and Stine's alpha spending, J. R. Statist. Soc. B 70 (2008)
429. Within each part ERROR and WARN have their own shares. What is neither is told and never blamed, so it has an alpha
of its own beside them.

A tenth, since it is known units that luck makes loud: of 420 clean rollouts with a half or a third four went back, all
for a known ERROR or WARN. What is new and comes again and again is hardly ever luck.
"""

from __future__ import annotations

import math
from collections import Counter
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
    """Immutable. `known`: how many units each band had before the rollout; `found`: how many were new so far."""

    known: tuple[int, int, int]
    found: tuple[int, int, int] = (0, 0, 0)
    alpha: float = ALPHA
    known_part: float = KNOWN_PART

    @classmethod
    def over(cls, levels: Iterable[str], *, alpha: float = ALPHA, known_part: float = KNOWN_PART) -> Spending:
        """`levels`: one of each unit known before. Raises `ValueError` when alpha is not a probability."""
        if not 0 < alpha < 1:
            raise ValueError(f"alpha is {alpha!r}: it lies between 0 and 1")
        counts = Counter(band_of(level) for level in levels)
        return cls((counts["error"], counts["warn"], counts["other"]), alpha=alpha, known_part=known_part)

    def knows(self, level: str) -> bool:
        return self.known[_BANDS.index(band_of(level))] > 0

    def of_known(self, level: str) -> float:
        """The alpha of each known unit of this level. Where there is no ERROR, WARN has its share, and vice versa."""
        place = _BANDS.index(band_of(level))
        count = self.known[place]
        if not count:
            raise ValueError(f"no unit of level {level!r} was known before")
        present = sum(share for share, known in zip(_BLAMED, self.known, strict=False) if known) if place < 2 else 1.0
        return self.alpha * self.known_part * _SHARES[place] / present / count

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


_BANDS: tuple[Band, ...] = ("error", "warn", "other")
_SHARES = tuple(SHARES[band] for band in _BANDS)
_BLAMED = _SHARES[:2]
