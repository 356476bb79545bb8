"""The bus in memory, for tests: honest by default, and as hostile as asked for.

Nothing moves by itself. `MemoryBroker.deliver` hands over what is due, so a simulation decides when anything happens,
and the same seed makes the same history.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from noonday_shared.bus import plans, words
from noonday_shared.bus.consumer import call, hand_over
from noonday_shared.bus.memory_queue import Arrival, MemoryQueue
from noonday_shared.bus.outbox import Letter, Outbox
from noonday_shared.bus.plans import ExchangePlan, Plan, QueuePlan, Removal
from noonday_shared.bus.protocol import Handler
from noonday_shared.bus.wishes import Subscription, Wishes
from noonday_shared.clock import Clock, SystemClock
from noonday_shared.topology import REPORTS

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Faults:
    """Probabilities, from 0 to 1, for each message that reaches a queue. `longest_delay`: seconds; a delayed message is
    due at any moment up to it, so later ones overtake it. A reordered one cuts in anywhere in the queue."""

    lose: float = 0.0
    repeat: float = 0.0
    delay: float = 0.0
    reorder: float = 0.0
    longest_delay: float = 30.0


class MemoryBroker:
    """Queues and exchanges as topology.py has them. Safe to use from any thread; handlers run in the thread that calls
    `deliver`."""

    def __init__(
        self, *, clock: Clock | None = None, random: Random | None = None, faults: Faults | None = None
    ) -> None:
        """`random` decides which messages the faults strike. `faults` may be replaced at any time."""
        self.faults = faults or Faults()
        self.struck: Counter[str] = Counter()
        """Messages that were lost, repeated, delayed and reordered so far."""
        self.lock = threading.RLock()
        self._clock = clock or SystemClock()
        self._random = random or Random(0)  # noqa: S311 -- decides the faults of a test, guards nothing
        self._queues: dict[str, MemoryQueue] = {}
        self._exchanges: set[str] = {""}
        self._buses: list[MemoryBus] = []

    def deliver(self, now: float | None = None) -> int:
        """Hand over, in each queue's order, what is due at `now` (the clock's when absent) and has a consumer.
        Returns how many were handed over. What handlers publish meanwhile waits for the next call."""
        when = self._clock.now() if now is None else now
        with self.lock:
            due = [(queue, arrival) for queue in self._queues.values() for arrival in queue.due(when)]
        return sum(self._hand_over(queue, arrival) for queue, arrival in due)

    def next_due(self) -> float | None:
        """When the next message with a consumer is due, on the clock's `now`; None when none waits."""
        with self.lock:
            times = [queue.next_due() for queue in self._queues.values() if queue.consumer is not None]
            return min((time for time in times if time is not None), default=None)

    def waiting(self, queue: str) -> int:
        """How many messages the queue holds; 0 when there is no such queue."""
        with self.lock:
            return len(self._queues[queue]) if queue in self._queues else 0

    def wipe(self) -> None:
        """Every queue, exchange and message is gone, and the buses that are not cut off declare theirs again."""
        with self.lock:
            self._queues.clear()
            self._exchanges = {""}
            for bus in self._buses:
                bus.catch_up(anew=True)

    def join(self, bus: MemoryBus) -> None:
        with self.lock:
            self._buses.append(bus)

    def carry_out(self, plan: Plan) -> None:
        with self.lock:
            match plan:
                case ExchangePlan(name):
                    self._exchanges.add(name)
                case QueuePlan(name):
                    self._queues.setdefault(name, MemoryQueue(plan))
                case Removal(name):
                    self._queues.pop(name, None)
            self.tell_all()

    def tell_all(self) -> None:
        """Something changed that a bus may wait for."""
        with self.lock:
            for bus in self._buses:
                bus.catch_up()

    def subscribe(self, wish: Subscription) -> str:
        """Why it can't be consumed, as a sentence; '' when it is. May repeat."""
        with self.lock:
            if wish.queue not in self._queues:
                return words.missing_queue(wish.queue)
            return "" if self._queues[wish.queue].join(wish) else words.in_use(wish.queue)

    def unsubscribe(self, wish: Subscription) -> None:
        with self.lock:
            if wish.queue in self._queues:
                self._queues[wish.queue].leave(wish)

    def accept(self, letter: Letter) -> str:
        """Why it can't be taken now, as a sentence; '' when it was. What no queue wants is dropped with a warning."""
        with self.lock:
            if letter.exchange not in self._exchanges:
                return words.no_exchange(letter.exchange)
            targets = [queue for queue in self._queues.values() if _routed(letter, queue.plan)]
            if not targets:
                _log.warning("No queue wants the message with key %s. It is dropped.", letter.key)
            for queue in targets:
                self._strike(queue, letter.body)
            return ""

    def _hand_over(self, queue: MemoryQueue, arrival: Arrival) -> bool:
        with self.lock:
            consumer = queue.consumer
            if consumer is None or not queue.remove(arrival):
                return False
            queue.pass_turn()
        try:
            hand_over(consumer.handler, consumer.queue, arrival.body)
        except BaseException:  # whoever dies before it has acknowledged leaves the message here
            with self.lock:
                queue.insert(0, arrival)
            raise
        return True

    def _strike(self, queue: MemoryQueue, body: bytes) -> None:
        faults = self.faults
        if self._strikes("lost", faults.lose):
            return
        for _ in range(2 if self._strikes("repeated", faults.repeat) else 1):
            late, early = self._strikes("delayed", faults.delay), self._strikes("reordered", faults.reorder)
            wait = self._random.uniform(0.0, faults.longest_delay) if late else 0.0
            place = self._random.randint(0, len(queue)) if early else len(queue)
            queue.insert(place, Arrival(body, self._clock.now() + wait))

    def _strikes(self, how: str, probability: float) -> bool:
        if self._random.random() >= probability:
            return False
        self.struck[how] += 1
        return True


class MemoryBus:
    """See `Bus`. A publish reaches the broker at once, unless the bus is cut off; then it waits in its slot."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker
        self._wishes = Wishes()
        self._outbox = Outbox()
        self._started = False
        self._kept_out: set[Subscription] = set()
        self._cut = False
        self._trouble = _NOT_STARTED

    def start(self) -> None:
        with self._broker.lock:
            if not self._started:
                self._started = True
                self._broker.join(self)
                self.catch_up(anew=True)

    def close(self, within: float = 5.0) -> None:
        with self._broker.lock:
            self.disconnect()
            self._trouble = "The bus is closed."

    def consume(
        self, queue: str, handler: Handler, *, exclusive: bool = False, refused: Callable[[], None] | None = None
    ) -> None:
        self._wishes.subscribe(Subscription(queue, handler, exclusive, refused))
        self.catch_up()

    def publish(self, exchange: str, key: str, body: bytes, *, slot: str, aside: bool = False) -> None:
        self._outbox.put(Letter(exchange, key, body, slot, aside))
        self.catch_up()

    def declare_reports(self) -> None:
        self._declare(*plans.reports())

    def declare_host(self, host: str) -> None:
        self._declare(plans.host(host))

    def delete_host(self, host: str) -> None:
        self._declare(plans.no_host(host))

    @property
    def connected(self) -> bool:
        return not self._trouble

    @property
    def trouble(self) -> str:
        return self._trouble

    @property
    def hears(self) -> bool:
        return self._started and not self._cut and not self._kept_out

    def disconnect(self) -> None:
        """Cut off from the broker until `reconnect`; nothing that is in the broker is lost."""
        with self._broker.lock:
            self._cut = True
            self._trouble = "Cut off from the broker in memory."
            for wish in self._wishes.subscriptions:
                self._broker.unsubscribe(wish)
            self._broker.tell_all()

    def reconnect(self) -> None:
        with self._broker.lock:
            self._cut = False
            self.catch_up(anew=True)

    def catch_up(self, *, anew: bool = False) -> None:
        """Do what waits for the broker; `anew` as after a reconnect: declare everything again. May repeat."""
        with self._broker.lock:
            if not self._started or self._cut:
                return
            if anew:
                self._carry_out(*self._wishes.plans)
            troubles = {wish: self._broker.subscribe(wish) for wish in self._wishes.subscriptions}
            kept_out = {wish for wish, said in troubles.items() if wish.exclusive and said == words.in_use(wish.queue)}
            news, self._kept_out = kept_out - self._kept_out, kept_out
            unsent = self._flush(only_aside=bool(kept_out))
            self._trouble = " ".join(trouble for trouble in (*troubles.values(), unsent) if trouble)
        for wish in news:
            if wish.refused is not None:
                call(wish.refused, wish.queue)

    def _declare(self, *wanted: Plan) -> None:
        with self._broker.lock:
            self._wishes.declare(*wanted)
            if self._started and not self._cut:
                self._carry_out(*wanted)

    def _carry_out(self, *wanted: Plan) -> None:
        for plan in wanted:
            self._broker.carry_out(plan)
            if isinstance(plan, Removal):
                self._wishes.forget(plan)

    def _flush(self, *, only_aside: bool) -> str:
        while (letter := self._outbox.take(only_aside=only_aside)) is not None:
            if trouble := self._broker.accept(letter):
                self._outbox.take_back(letter)
                return trouble
            self._outbox.settle(letter)
        return ""


_NOT_STARTED = "Not connected to the broker in memory yet."


def _routed(letter: Letter, plan: QueuePlan) -> bool:
    if not letter.exchange:
        return letter.key == plan.name
    return letter.exchange == REPORTS and bool(plan.keys) and _matches(letter.key, plan.keys)


def _matches(key: str, pattern: str) -> bool:
    """As a topic exchange does, for '*' alone: it stands for exactly one word."""
    given, wanted = key.split("."), pattern.split(".")
    return len(given) == len(wanted) and all(want in ("*", word) for word, want in zip(given, wanted, strict=True))
