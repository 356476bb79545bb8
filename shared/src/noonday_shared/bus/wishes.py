"""What the users of a bus asked for: it outlives every connection and is carried out again on the next one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from noonday_shared.bus.plans import Plan
from noonday_shared.bus.protocol import Handler


@dataclass(frozen=True, slots=True, eq=False)
class Subscription:
    queue: str
    handler: Handler
    exclusive: bool = False
    refused: Callable[[], None] | None = None


class Wishes:
    """Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._plans: dict[str, Plan] = {}
        self._version = 0
        self._subscriptions: list[Subscription] = []

    def declare(self, *plans: Plan) -> None:
        """A later plan for a name takes the place of an earlier one."""
        with self._lock:
            self._plans.update({plan.name: plan for plan in plans})
            self._version += 1

    def forget(self, plan: Plan) -> None:
        """Carried out once and for all, unless another plan has taken its place."""
        with self._lock:
            if self._plans.get(plan.name) is plan:
                del self._plans[plan.name]
                self._version += 1

    def subscribe(self, subscription: Subscription) -> None:
        with self._lock:
            self._subscriptions.append(subscription)

    @property
    def version(self) -> int:
        """Grows with every change of the plans."""
        return self._version

    @property
    def plans(self) -> tuple[Plan, ...]:
        with self._lock:
            return tuple(self._plans.values())

    @property
    def subscriptions(self) -> tuple[Subscription, ...]:
        with self._lock:
            return tuple(self._subscriptions)
