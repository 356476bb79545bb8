"""The last minutes, host by host: what is still there, and what rises everywhere."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from noonday_coordinator.verdict.arms import Arms
from noonday_coordinator.verdict.counting import exposure_of, family_of

KEPT = 300.0
"""Seconds."""


@dataclass(slots=True)
class Recent:
    """By window: the two sides, and episodes by unit and host."""

    windows: deque[tuple[Arms, dict[str, dict[str, int]]]] = field(default_factory=deque)

    def add(self, arms: Arms, counts: dict[str, dict[str, int]]) -> None:
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
        found: dict[str, tuple[int, float]] = {}
        family = family_of(unit)
        for arms, counts in self._within(seconds):
            for host, seen in (arms.new if new else arms.old).items():
                n, e = found.get(host, (0, 0.0))
                more = counts.get(unit, {}).get(host, 0)
                found[host] = (n + more, e + exposure_of(family, seen, arms.exposure[host]))
        return found
