"""The last minutes, host by host: what is still there, and what rises everywhere."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from noonday_coordinator.verdict.arms import Arms
from noonday_coordinator.verdict.counting import Family, exposure_of, family_of

KEPT = 300.0
"""Seconds."""


@dataclass(slots=True)
class Recent:
    """By window: the two sides, and episodes by unit and host."""

    windows: deque[tuple[Arms, dict[str, dict[str, int]]]] = field(default_factory=deque)
    _exposures: dict[tuple[Family, bool, float], dict[str, float]] = field(default_factory=dict)
    """What was asked for since the last window: all units of a family have it in common."""

    def add(self, arms: Arms, counts: dict[str, dict[str, int]]) -> None:
        self._exposures.clear()
        self.windows.append((arms, counts))
        while self.windows[0][0].ends <= arms.ends - KEPT:
            self.windows.popleft()

    def _within(self, seconds: float) -> Iterator[tuple[Arms, dict[str, dict[str, int]]]]:
        last = self.windows[-1][0].ends if self.windows else 0.0
        return (one for one in self.windows if one[0].ends > last - seconds)

    def old(self, unit: str, seconds: float = KEPT) -> dict[str, tuple[int, float]]:
        """Episodes and exposure of each old host that did not change sides within the time."""
        return self._sums(unit, seconds, new=False)

    def new(self, unit: str, seconds: float = KEPT) -> dict[str, tuple[int, float]]:
        """The same of new hosts."""
        return self._sums(unit, seconds, new=True)

    def _sums(self, unit: str, seconds: float, *, new: bool) -> dict[str, tuple[int, float]]:
        exposures = self._exposure(family_of(unit), seconds, new)
        found = dict.fromkeys(exposures, 0)
        for arms, counts in self._within(seconds):
            side = arms.new if new else arms.old
            for host, more in counts.get(unit, {}).items():
                if host in side:
                    found[host] += more
        return {host: (found[host], exposure) for host, exposure in exposures.items()}

    def _exposure(self, family: Family, seconds: float, new: bool) -> dict[str, float]:
        found = self._exposures.get((family, new, seconds))
        if found is None:
            found = {}
            for arms, _ in self._within(seconds):
                for host, seen in (arms.new if new else arms.old).items():
                    found[host] = found.get(host, 0.0) + exposure_of(family, seen, arms.exposure[host])
            self._exposures[family, new, seconds] = found
        return found
