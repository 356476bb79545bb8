"""What old hosts usually show of a unit, and which of them show far more of it now.

Usual is a host's past, and of this rollout's last minutes what was no rise itself: a short past alone would call what
was always there a rise for ever.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from noonday_coordinator.verdict.counting import exposure_of, family_of

if TYPE_CHECKING:
    from noonday_coordinator.verdict.session import RolloutSession

LATELY = 60.0
"""Seconds."""
LEAST = 5
"""Episodes that a rise has at least, ..."""
TIMES = 3.0
"""... and how many times the usual it is, beyond four standard deviations."""


class Seen(NamedTuple):
    """Episodes, and the exposure in which they were seen."""

    n: float = 0.0
    e: float = 0.0

    def plus(self, n: float, e: float) -> Seen:
        return Seen(self.n + n, self.e + e)

    def rises_above(self, usual: Seen) -> bool:
        """One episode more than were seen may well be usual."""
        if self.n < LEAST or usual.e <= 0:
            return False
        expected = (usual.n + 1) * self.e / usual.e
        return self.n >= TIMES * expected + 4 * math.sqrt(expected)

    def is_like(self, other: Seen) -> bool:
        """A third of the other's rate is much the same, with as few as there are in a minute."""
        return self.n * other.e * TIMES >= other.n * self.e > 0


@dataclass(slots=True)
class _Host:
    usual: Seen
    lately: deque[tuple[float, Seen]] = field(default_factory=deque)
    risen_until: float = -math.inf
    """The end of the last window of a rise."""

    def take(self, ends: float, n: float, e: float) -> None:
        while self.lately and self.lately[0][0] <= ends - LATELY:
            at, seen = self.lately.popleft()
            if at > self.risen_until:
                self.usual = self.usual.plus(*seen)
        self.lately.append((ends, Seen(n, e)))
        if self.risen:
            self.risen_until = ends

    @property
    def now(self) -> Seen:
        return Seen(math.fsum(seen.n for _, seen in self.lately), math.fsum(seen.e for _, seen in self.lately))

    @property
    def risen(self) -> bool:
        return self.now.rises_above(self.usual)


@dataclass(frozen=True, slots=True)
class Usual:
    """`risen`: old hosts by name. `here`, `there`: what the new side and the old show lately."""

    risen: tuple[str, ...]
    old: int
    here: Seen
    there: Seen
    alike: bool
    """Whether the new side shows it too, or is not there."""

    @property
    def everywhere(self) -> bool:
        """Two old hosts (or the only one) suffer, and so does the new side if there is one."""
        return len(self.risen) >= min(2, self.old) > 0 and self.alike


def many_suffer(session: RolloutSession, unit: str) -> bool:
    """Whether so many old hosts show so much of it that it may be a rise."""
    old = [n for host, (n, _) in session.recent.old(unit, LATELY).items() if host not in session.new_hosts]
    return sum(n >= LEAST for n in old) >= min(2, len(old)) > 0


def usual_of(session: RolloutSession, unit: str) -> Usual:
    """Of the last minute."""
    hosts: dict[str, _Host] = {}
    family = family_of(unit)
    for arms, counts in session.recent.windows:
        for host, seen in arms.old.items():
            if host not in session.new_hosts:
                known = hosts.setdefault(host, _Host(Seen(*session.past.seen(unit, host))))
                n = counts.get(unit, {}).get(host, 0)
                known.take(arms.ends, n, exposure_of(family, seen, arms.exposure[host]))
    new = session.recent.new(unit, LATELY)
    here = Seen(sum(n for n, _ in new.values()), math.fsum(e for _, e in new.values()))
    there = Seen(math.fsum(one.now.n for one in hosts.values()), math.fsum(one.now.e for one in hosts.values()))
    risen = tuple(host for host, known in sorted(hosts.items()) if known.risen)
    return Usual(risen, len(hosts), here, there, not new or here.is_like(there))
