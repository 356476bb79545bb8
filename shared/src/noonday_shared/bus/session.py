"""One connection to the broker, from the dialling to its end. Afterwards it is thrown away, and a new one is made."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator

import pika
from pika import frame, spec
from pika.adapters.select_connection import IOLoop

from noonday_shared.bus import words
from noonday_shared.bus.backoff import Backoff
from noonday_shared.bus.consumer import Consumer
from noonday_shared.bus.declarer import Declarer
from noonday_shared.bus.outbox import Outbox
from noonday_shared.bus.part import Part
from noonday_shared.bus.publisher import Publisher
from noonday_shared.bus.wishes import Subscription, Wishes
from noonday_shared.clock import Clock

_WATCH_EVERY = 1.0
_GOODBYE = 1.0
_QUEUE_AGAIN = 5.0

_log = logging.getLogger(__name__)


class Session:
    """`run` on the bus thread; `wake` and `leave` from any thread; everything else happens inside `run`.

    It works like the protocol it carries: `_advance` looks at what is wanted and what is there, begins what is
    missing, and may be called at any time, any number of times.
    """

    def __init__(
        self,
        parameters: pika.connection.Parameters,
        wishes: Wishes,
        outbox: Outbox,
        *,
        clock: Clock,
        repairs: Backoff,
        answer_within: float,
        tell: Callable[[str], None],
    ) -> None:
        """`tell` gets the trouble as a sentence whenever it may have changed; '' means that all is in place."""
        self._parameters = parameters
        self._wishes = wishes
        self._outbox = outbox
        self._clock = clock
        self._repairs = repairs
        self._answer_within = answer_within
        self._tell = tell
        self._lock = threading.Lock()
        self._woken = False
        self._over = False
        self._leave_at: float | None = None
        self._leaving = False
        self._ending = ""
        self._blocked = ""
        self._repair_is_due = False
        self._ready_at: float | None = None
        self.hears = False
        """See `Bus.hears`."""
        self._loop = IOLoop()
        self._connection = pika.SelectConnection(
            parameters,
            on_open_callback=self._on_open,
            on_open_error_callback=self._on_end,
            on_close_callback=self._on_end,
            custom_ioloop=self._loop,
        )
        self._declarer = Declarer(self._connection, clock, self.wake, wishes)
        self._publisher = Publisher(self._connection, clock, self.wake, outbox)
        self._consumers: dict[Subscription, Consumer] = {}

    def run(self) -> str:
        """Block until the connection has ended. Returns why, as a sentence; '' when it was asked to leave."""
        try:
            self._loop.call_later(_WATCH_EVERY, self._watch)
            self._loop.start()
        except Exception as error:  # pika raises from its loop what it can't go on with; a new connection can
            # Hanging up in the middle of a handshake trips an assertion of pika's own, after it closed the socket.
            if not self._leaving:
                _log.exception("The connection to the broker broke off in an unexpected way.")
            self._ending = words.connection_failed(error, self._parameters)
        finally:
            with self._lock:
                self._over = True
            self.hears = False
            self._outbox.take_all_back()
            self._loop.close()
        return "" if self._leaving else self._ending

    def wake(self) -> None:
        """There is something new to look at. Cheap, may repeat."""
        with self._lock:
            if not self._woken and not self._over:
                self._woken = True
                self._loop.add_callback_threadsafe(self._on_wake)

    def leave(self, at: float) -> None:
        """End as soon as all is sent and confirmed, or when the monotonic clock says `at`."""
        with self._lock:
            if not self._over:
                self._leave_at = at
                self._loop.add_callback_threadsafe(self._on_leave)

    @property
    def steady_for(self) -> float:
        """Seconds since everything was in place for the first time; 0 when it never was."""
        return 0.0 if self._ready_at is None else self._clock.monotonic() - self._ready_at

    def _parts(self) -> Iterator[Part]:
        yield self._declarer
        yield self._publisher
        yield from self._consumers.values()

    def _on_wake(self) -> None:
        self._woken = False
        self._advance()

    def _on_open(self, connection: pika.SelectConnection) -> None:
        connection.add_on_connection_blocked_callback(self._on_blocked)
        connection.add_on_connection_unblocked_callback(self._on_unblocked)
        self._advance()

    def _advance(self) -> None:
        if self._connection.is_open and not self._leaving:
            self._declarer.ensure()
            # Nothing is published or consumed before it is declared: on a wiped broker it would go nowhere.
            if self._declarer.settled:
                self._publisher.ensure()
                self._ensure_consumers()
                self._publisher.pump(only_aside=self._silenced)
            self._review()
        self._see_whether_to_leave()

    @property
    def _silenced(self) -> bool:
        return any(consumer.silences for consumer in self._consumers.values())

    def _ensure_consumers(self) -> None:
        for wish in self._wishes.subscriptions:
            if wish not in self._consumers:
                self._consumers[wish] = Consumer(self._connection, self._clock, self.wake, wish)
            self._consumers[wish].ensure()

    @property
    def _consuming(self) -> bool:
        consumers = [self._consumers.get(wish) for wish in self._wishes.subscriptions]
        return all(consumer is not None and consumer.ready for consumer in consumers)

    def _review(self) -> None:
        complaints = [part.complaint for part in self._parts() if part.complaint]
        # Not the declarer: what is declared once more, as a queue that may be gone, keeps nobody from being heard.
        self.hears = self._publisher.ready and self._consuming and not self._blocked
        if complaints:
            self._repair_later()
        if self._blocked:
            complaints.insert(0, words.blocked(self._blocked))
        if complaints:
            self._tell(" ".join(complaints))
        elif self.hears and self._declarer.settled:
            self._ready_at = self._clock.monotonic() if self._ready_at is None else self._ready_at
            self._repairs.reset()
            self._tell("")

    def _repair_later(self) -> None:
        if not self._repair_is_due:
            self._repair_is_due = True
            wait = self._repairs.next()
            # Most often it is our own last connection, which the broker gives up soon: until then the host is silent.
            self._loop.call_later(min(wait, _QUEUE_AGAIN) if self._silenced else wait, self._repair)

    def _repair(self) -> None:
        self._repair_is_due = False
        for part in self._parts():
            part.retry()
        self._advance()

    def _watch(self) -> None:
        self._loop.call_later(_WATCH_EVERY, self._watch)
        # While it is blocked the broker reads nothing from us, so it can't answer; pika has a deadline for that.
        late = next((part for part in self._parts() if part.waits_for > self._answer_within), None)
        if late is not None and not self._blocked and not self._ending:
            self._ending = words.silent(late.doing, self._answer_within)
            self._hang_up()

    def _on_blocked(self, _: pika.SelectConnection, method: frame.Method[spec.Connection.Blocked]) -> None:
        self._blocked = method.method.reason or "an alarm"
        self.wake()

    def _on_unblocked(self, _: pika.SelectConnection, __: frame.Method[spec.Connection.Unblocked]) -> None:
        self._blocked = ""
        self.wake()

    def _on_end(self, _: pika.SelectConnection, reason: BaseException) -> None:
        self._ending = self._ending or words.connection_failed(reason, self._parameters)
        self._loop.stop()

    def _on_leave(self) -> None:
        if self._leave_at is not None:
            self._loop.call_later(max(0.0, self._leave_at - self._clock.monotonic()), self._see_whether_to_leave)
        self._advance()

    def _see_whether_to_leave(self) -> None:
        if self._leave_at is None or self._leaving:
            return
        settled = self._declarer.settled or not self._connection.is_open
        if self._clock.monotonic() >= self._leave_at or (settled and self._outbox.empty):
            self._leaving = True
            self._hang_up()

    def _hang_up(self) -> None:
        """In order if the broker answers, and without it soon after."""
        self._loop.call_later(_GOODBYE, self._loop.stop)
        if not (self._connection.is_closing or self._connection.is_closed):
            self._connection.close()
