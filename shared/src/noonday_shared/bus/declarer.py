"""Declares and deletes what the coordinator wants on the broker, one thing at a time, so that a refusal has a name."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from pika import exceptions

from noonday_shared import topology
from noonday_shared.bus import words
from noonday_shared.bus.part import Channel, Connection, Part
from noonday_shared.bus.plans import ExchangePlan, Plan, QueuePlan, Removal
from noonday_shared.bus.wishes import Wishes
from noonday_shared.clock import Clock


class Declarer(Part):
    def __init__(self, connection: Connection, clock: Clock, changed: Callable[[], None], wishes: Wishes) -> None:
        super().__init__(connection, clock, changed)
        self._wishes = wishes
        self._done: dict[str, Plan] = {}
        self._failed: dict[str, str] = {}
        self._current: Plan | None = None
        self._todo: deque[Plan] = deque()
        self._todo_of = -1

    def ensure(self) -> None:
        super().ensure()
        if self.ready and self._channel is not None:
            self._next(self._channel)

    def retry(self) -> None:
        """Declare all of it again: what failed, and what may have been deleted behind our back."""
        super().retry()
        self._failed.clear()
        self._done.clear()
        self._todo_of = -1

    @property
    def complaint(self) -> str:
        return " ".join(self._failed.values())

    @property
    def settled(self) -> bool:
        """Whether everything wanted is done or known to fail: then messages have somewhere to go."""
        return self._pending() is None

    @property
    def doing(self) -> str:
        return f"declaring {self._current.name}" if self._current else "declaring"

    @property
    def _wanted(self) -> bool:
        return not self.settled

    def _open(self, channel: Channel) -> None:
        self._is_ready()

    def _refused(self, error: exceptions.ChannelClosed) -> None:
        if self._current is not None:
            self._failed[self._current.name] = words.declaring_failed(self._current.name, error)
            self._current = None
            self._todo_of = -1

    def _pending(self) -> Plan | None:
        version = self._wishes.version
        if version != self._todo_of:
            self._todo = deque(plan for plan in self._wishes.plans if self._is_open(plan))
            self._todo_of = version
        return self._todo[0] if self._todo else None

    def _is_open(self, plan: Plan) -> bool:
        return self._done.get(plan.name) is not plan and plan.name not in self._failed

    def _next(self, channel: Channel) -> None:
        if self._current is not None:
            return
        self._current = self._pending()
        if self._current is not None:
            self._asked()
            self._declare(channel, self._current)

    def _declare(self, channel: Channel, plan: Plan) -> None:
        def done(_: object) -> None:
            self._finish(plan)

        match plan:
            case ExchangePlan(name):
                channel.exchange_declare(name, "topic", durable=True, callback=done)
            case QueuePlan(name, keys=""):
                channel.queue_declare(name, durable=True, arguments=plan.arguments, callback=done)
            case QueuePlan(name, keys=keys):
                # pika holds the second request back until the first is answered, and drops it when that fails.
                channel.queue_declare(name, durable=True, arguments=plan.arguments, callback=lambda _: None)
                channel.queue_bind(name, topology.REPORTS, keys, callback=done)
            case Removal(name):
                channel.queue_delete(name, callback=done)

    def _finish(self, plan: Plan) -> None:
        self._current = None
        self._answered()
        if self._todo and self._todo[0] is plan:
            self._todo.popleft()
        if isinstance(plan, Removal):
            self._wishes.forget(plan)
        else:
            self._done[plan.name] = plan
        if self._channel is not None:
            self._next(self._channel)
        if self._current is None:
            self._changed()
