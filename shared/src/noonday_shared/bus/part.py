"""One channel of a connection and the one job it does. A channel of its own, since the broker punishes any mistake by
closing the channel, and a queue that is missing must not keep reports from being published."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import pika.channel
from pika import exceptions

from noonday_shared.clock import Clock

Connection = pika.SelectConnection
Channel = pika.channel.Channel


class Part(ABC):
    """On the bus thread only. `changed` is called whenever `ready` or `trouble` may have changed.

    `trouble` is why the job can't be done, as a sentence. It stays until `retry`, so that nothing is tried in a hot
    loop.
    """

    def __init__(self, connection: Connection, clock: Clock, changed: Callable[[], None]) -> None:
        self._connection = connection
        self._clock = clock
        self._changed = changed
        self._channel: Channel | None = None
        self._asked_at: float | None = None
        self.ready = False
        self.trouble = ""

    def ensure(self) -> None:
        """Begin, unless it has begun or is in trouble."""
        if self._channel is None and not self.trouble and self._wanted:
            self._asked()
            self._channel = self._connection.channel(on_open_callback=self._on_open)
            self._channel.add_on_close_callback(self._on_close)

    def retry(self) -> None:
        """Forget the trouble: the next `ensure` tries again."""
        self.trouble = ""

    @property
    def complaint(self) -> str:
        """What a person should know about this part now; empty when it does its job or is about to."""
        return self.trouble

    @property
    def waits_for(self) -> float:
        """Seconds since the broker was asked for what it has not answered yet; 0 when nothing is awaited."""
        return 0.0 if self._asked_at is None else self._clock.monotonic() - self._asked_at

    @property
    @abstractmethod
    def doing(self) -> str:
        """As in 'consuming the queue …'."""

    @property
    def _wanted(self) -> bool:
        return True

    @abstractmethod
    def _open(self, channel: Channel) -> None:
        """The channel is there: ask for what the job needs."""

    @abstractmethod
    def _refused(self, error: exceptions.ChannelClosed) -> None:
        """The broker closed the channel: say why in `trouble`."""

    def _asked(self) -> None:
        self._asked_at = self._clock.monotonic()

    def _answered(self) -> None:
        self._asked_at = None

    def _is_ready(self) -> None:
        self._answered()
        self.ready = True
        self._changed()

    def _on_open(self, channel: Channel) -> None:
        if channel is self._channel:
            self._open(channel)

    def _on_close(self, channel: Channel, reason: Exception) -> None:
        if channel is not self._channel:
            return
        self._channel = None
        self.ready = False
        self._answered()
        # Any other reason is that of the connection, whose end the session sees by itself.
        if isinstance(reason, exceptions.ChannelClosedByBroker):
            self._refused(reason)
            self._changed()
