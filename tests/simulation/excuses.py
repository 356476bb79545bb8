"""What no software can notice: while a balancer lies, or has just forgotten, what it does is not held against us."""

from __future__ import annotations

from simulation.host import SimulatedHost

from noonday_shared.clock import Clock

MEND = 60.0
"""Seconds in which a drain that a balancer forgot is to be noticed and told again."""


class Excuses:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until: dict[str, float] = {}

    def excuse(self, host: SimulatedHost) -> None:
        """Its balancer forgot what it was told."""
        self._until[host.name] = self._clock.now() + MEND

    def excused(self, host: SimulatedHost) -> bool:
        if host.place.lags:
            self.excuse(host)
        return self._until.get(host.name, 0.0) > self._clock.now()
