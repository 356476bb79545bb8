"""What no software can notice is not held against us: a balancer that lies, has just forgotten, or forgot while nobody
could tell it again; a host that does what a replaced coordinator says, because it never heard of the one that replaced
it; and one whose disk was put back, and that does once more what the broker brings it once more."""

from __future__ import annotations

from simulation.host import SimulatedHost

from noonday_shared.clock import Clock

MEND = 60.0
"""Seconds in which a drain that a balancer forgot is to be noticed and told again, once anybody can."""
REPEATED = 30.0
"""Seconds after an order that was taken up in which others of its number may still have been sent."""


class Excuses:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until: dict[str, float] = {}
        self._forgot: set[str] = set()
        """Hosts whose balancer was not told anything since it forgot."""
        self._mute_at: dict[str, float] = {}
        """When a host's balancer could last not be told anything."""
        self._foreign: set[tuple[str, int, int]] = set()
        self._before: dict[str, tuple[int, int, float]] = {}
        """The last order that a host had taken up when it forgot it."""
        self._again: set[str] = set()

    def excuse(self, host: SimulatedHost) -> None:
        """Its balancer does not do what it was told."""
        self._until[host.name] = self._clock.now() + MEND

    def forgot(self, host: SimulatedHost) -> None:
        self.excuse(host)
        self._forgot.add(host.name)

    def told(self, host: SimulatedHost) -> None:
        """Its agent let it in, or took it out."""
        self._forgot.discard(host.name)

    def look_on(self, host: SimulatedHost) -> None:
        """Time went by. A balancer is told nothing while its host's agent is dead, or it does not answer."""
        if not host.tended or not host.place.reachable:
            self._mute_at[host.name] = self._clock.now()

    def beyond_telling(self, host: SimulatedHost) -> bool:
        """Whether its balancer forgot, and it is less than a minute since nobody could tell it again."""
        mute_at = self._mute_at.get(host.name)
        return host.name in self._forgot and mute_at is not None and self._clock.now() < mute_at + MEND

    def foreign(self, host: str, term: int, generation: int) -> None:
        """A replaced coordinator gave this order."""
        self._foreign.add((host, term, generation))

    def forgot_order(self, host: SimulatedHost, order: tuple[int, int, float]) -> None:
        self._before[host.name] = max(order, self._before.get(host.name, order))

    def may_repeat(self, host: SimulatedHost) -> None:
        """It took an order up: whether that is a message of before it forgot, brought once more. What is said again of
        the same order since then makes it no other."""
        assignment, before = host.file.kept.assignment, self._before.get(host.name)
        if assignment is None or before is None:
            return
        if assignment.generation > before[1]:
            self._again.discard(host.name)
        elif assignment.issued_at <= before[2] + REPEATED:
            self._again.add(host.name)

    def led_astray(self, host: SimulatedHost) -> bool:
        """Whether it does what a replaced coordinator says, or what came once more after it forgot that."""
        assignment = host.file.kept.assignment
        foreign = assignment is not None and (host.name, *assignment.order[:2]) in self._foreign
        return foreign or host.name in self._again

    def excused(self, host: SimulatedHost) -> bool:
        now = self._clock.now()
        if host.place.lags:
            self.excuse(host)
        return now < max(self._until.get(host.name, 0.0), host.place.lagged_until + MEND)
