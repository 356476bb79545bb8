"""One queue of the broker in memory: bounded, dropping its oldest, with the consumers that take turns."""

from __future__ import annotations

from dataclasses import dataclass

from noonday_shared.bus.plans import QueuePlan
from noonday_shared.bus.wishes import Subscription


@dataclass(frozen=True, slots=True, eq=False)
class Arrival:
    """A message in a queue. `due`: seconds since the epoch, from when on it may be handed over."""

    body: bytes
    due: float


class MemoryQueue:
    """Not for many threads: the broker's lock is around it."""

    def __init__(self, plan: QueuePlan) -> None:
        self.plan = plan
        self._arrivals: list[Arrival] = []
        self._consumers: list[Subscription] = []

    def __len__(self) -> int:
        return len(self._arrivals)

    def insert(self, place: int, arrival: Arrival) -> None:
        """`place`: how many messages stand before it. The oldest ones go when there is no room."""
        self._arrivals.insert(place, arrival)
        while self._too_full():
            del self._arrivals[0]

    def due(self, now: float) -> list[Arrival]:
        """In the queue's order."""
        return [arrival for arrival in self._arrivals if arrival.due <= now]

    def next_due(self) -> float | None:
        return min((arrival.due for arrival in self._arrivals), default=None)

    def remove(self, arrival: Arrival) -> bool:
        """Whether it was still there."""
        if arrival not in self._arrivals:
            return False
        self._arrivals.remove(arrival)
        return True

    @property
    def consumer(self) -> Subscription | None:
        """Whose turn it is."""
        return self._consumers[0] if self._consumers else None

    def pass_turn(self) -> None:
        self._consumers.append(self._consumers.pop(0))

    def join(self, subscription: Subscription) -> bool:
        """Whether it may consume: not when somebody has the queue alone, or wants it alone and is not. May repeat."""
        if subscription in self._consumers:
            return True
        if self._consumers and (subscription.exclusive or self._consumers[0].exclusive):
            return False
        self._consumers.append(subscription)
        return True

    def leave(self, subscription: Subscription) -> None:
        if subscription in self._consumers:
            self._consumers.remove(subscription)

    def _too_full(self) -> bool:
        plan = self.plan
        if plan.length and len(self._arrivals) > plan.length:
            return True
        return bool(plan.size) and sum(len(arrival.body) for arrival in self._arrivals) > plan.size
