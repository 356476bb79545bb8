"""The bus on RabbitMQ: one thread owns one connection at a time, and makes a new one for as long as it takes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from random import Random, SystemRandom

from noonday_shared.bus import plans, words
from noonday_shared.bus.backoff import Backoff
from noonday_shared.bus.outbox import Letter, Outbox
from noonday_shared.bus.parameters import parameters
from noonday_shared.bus.protocol import Handler
from noonday_shared.bus.session import Session
from noonday_shared.bus.wishes import Subscription, Wishes
from noonday_shared.clock import Clock, SystemClock

STEADY = 10.0
"""Seconds that a connection must have been good before the next loss counts as a first one."""

_log = logging.getLogger(__name__)

# pika reports every failed attempt as an error, several times, in its own words; ours say it once, in `trouble`.
logging.getLogger("pika").setLevel(logging.CRITICAL)


class RabbitBus:
    """See `Bus`. A publish wakes the bus thread at once; many are on their way to the broker at a time."""

    def __init__(
        self,
        url: str,
        *,
        ca_file: Path | None = None,
        name: str = "",
        clock: Clock | None = None,
        random: Random | None = None,
        longest_wait: float = 30.0,
        answer_within: float = 20.0,
    ) -> None:
        """`name` is shown in RabbitMQ's list of connections. `longest_wait`: seconds between attempts, at most.
        `answer_within`: seconds for the broker to answer a request or confirm a message; later than that the line
        counts as dead, and a new one is made. Raises `BadInput` for a URL or CA file that can't be used."""
        self._parameters = parameters(url, ca_file=ca_file, name=name)
        self._answer_within = answer_within
        self._name = name or "noonday"
        self._clock = clock or SystemClock()
        chance = random or SystemRandom()
        self._attempts = Backoff(chance, longest=longest_wait)
        self._repairs = Backoff(chance, longest=longest_wait)
        self._wishes = Wishes()
        self._outbox = Outbox()
        self._lock = threading.Lock()
        self._session: Session | None = None
        self._thread: threading.Thread | None = None
        self._leaving = threading.Event()
        self._leave_at: float | None = None
        self._trouble = words.not_connected_yet(self._parameters)

    def start(self) -> None:
        with self._lock:
            if self._thread is None and self._leave_at is None:
                self._thread = threading.Thread(target=self._run, name=f"bus-{self._name}", daemon=True)
                self._thread.start()

    def close(self, within: float = 5.0) -> None:
        with self._lock:
            if self._leave_at is None:
                self._leave_at = self._clock.monotonic() + within
            self._leaving.set()
            session, thread = self._session, self._thread
            if session is not None:
                session.leave(self._leave_at)
        if thread is not None and thread is not threading.current_thread():
            thread.join(within + 2.0)
            if thread.is_alive():
                _log.warning("The bus thread did not end within %g s: a handler holds it. It ends with us.", within)
        self._trouble = "The bus is closed."

    def consume(
        self, queue: str, handler: Handler, *, exclusive: bool = False, refused: Callable[[], None] | None = None
    ) -> None:
        self._wishes.subscribe(Subscription(queue, handler, exclusive, refused))
        self._wake()

    def publish(self, exchange: str, key: str, body: bytes, *, slot: str, aside: bool = False) -> None:
        self._outbox.put(Letter(exchange, key, body, slot, aside))
        self._wake()

    def declare_reports(self) -> None:
        self._wishes.declare(*plans.reports())
        self._wake()

    def declare_host(self, host: str) -> None:
        self._wishes.declare(plans.host(host))
        self._wake()

    def delete_host(self, host: str) -> None:
        self._wishes.declare(plans.no_host(host))
        self._wake()

    @property
    def connected(self) -> bool:
        return not self._trouble

    @property
    def trouble(self) -> str:
        return self._trouble

    @property
    def hears(self) -> bool:
        session = self._session
        return session is not None and session.hears

    def _wake(self) -> None:
        session = self._session
        if session is not None:
            session.wake()

    def _run(self) -> None:
        while not self._finished():
            try:
                session = self._new_session()
            except (OSError, RuntimeError) as error:  # no file descriptor or thread left on this machine
                self._say(words.connection_failed(error, self._parameters))
            else:
                self._live(session)
            self._rest()

    def _live(self, session: Session) -> None:
        ending = session.run()
        if ending:
            self._say(ending)
        if session.steady_for >= STEADY:
            self._attempts.reset()

    def _new_session(self) -> Session:
        with self._lock:
            session = Session(
                self._parameters,
                self._wishes,
                self._outbox,
                clock=self._clock,
                repairs=self._repairs,
                answer_within=self._answer_within,
                tell=self._say,
            )
            self._session = session
            if self._leave_at is not None:
                session.leave(self._leave_at)
            return session

    def _finished(self) -> bool:
        at = self._leave_at
        return at is not None and (self._outbox.empty or self._clock.monotonic() >= at)

    def _rest(self) -> None:
        if self._leave_at is None:
            self._leaving.wait(self._attempts.next())
        elif not self._finished():
            self._clock.sleep(0.2)

    def _say(self, trouble: str) -> None:
        if trouble == self._trouble or self._leave_at is not None:
            return
        self._trouble = trouble
        if trouble:
            _log.warning("%s", trouble)
        else:
            _log.info("Connected to the broker %s:%s.", self._parameters.host, self._parameters.port)
