"""What no software can notice is not held against us: a balancer that lies or has just forgotten, and a host that does
what a replaced coordinator says, because it never heard of the one that replaced it."""

from __future__ import annotations

from simulation.host import SimulatedHost

from noonday_shared.clock import Clock

MEND = 60.0
"""Seconds in which a drain that a balancer forgot is to be noticed and told again."""


class Excuses:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until: dict[str, float] = {}
        self._foreign: set[tuple[str, int, int]] = set()

    def excuse(self, host: SimulatedHost) -> None:
        """Its balancer forgot what it was told."""
        self._until[host.name] = self._clock.now() + MEND

    def foreign(self, host: str, term: int, generation: int) -> None:
        """A replaced coordinator gave this order."""
        self._foreign.add((host, term, generation))

    def led_astray(self, host: SimulatedHost) -> bool:
        """Whether it does what a replaced coordinator says."""
        assignment = host.file.kept.assignment
        return assignment is not None and (host.name, *assignment.order[:2]) in self._foreign

    def excused(self, host: SimulatedHost) -> bool:
        if host.place.lags:
            self.excuse(host)
        return self._until.get(host.name, 0.0) > self._clock.now()
