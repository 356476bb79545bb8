"""Delivers one queue to one handler."""

from __future__ import annotations

import logging
from collections.abc import Callable

from pika import exceptions, frame, spec

from noonday_shared.bus import words
from noonday_shared.bus.part import Channel, Connection, Part
from noonday_shared.bus.protocol import Handler
from noonday_shared.bus.wishes import Subscription
from noonday_shared.clock import Clock

PREFETCH = 16
"""Messages that the broker sends ahead of our acknowledgements: enough to hide a round trip."""

_log = logging.getLogger(__name__)


class Consumer(Part):
    def __init__(
        self, connection: Connection, clock: Clock, changed: Callable[[], None], subscription: Subscription
    ) -> None:
        super().__init__(connection, clock, changed)
        self._subscription = subscription
        self._taken = False

    @property
    def silences(self) -> bool:
        """Whether nothing may be published yet, since the queue that should be ours alone is somebody else's, or we
        don't know so far."""
        return self._subscription.exclusive and not self.ready and (self._taken or not self.trouble)

    @property
    def doing(self) -> str:
        return f"consuming the queue {self._subscription.queue}"

    def _open(self, channel: Channel) -> None:
        channel.add_on_cancel_callback(self._on_cancel)
        channel.basic_qos(prefetch_count=PREFETCH)
        channel.basic_consume(
            self._subscription.queue,
            self._on_message,
            exclusive=self._subscription.exclusive,
            callback=lambda _: self._is_ready(),
        )

    def _refused(self, error: exceptions.ChannelClosed) -> None:
        self._taken = words.is_in_use(error)
        self.trouble = words.consuming_failed(self._subscription.queue, error)
        if self._taken and self._subscription.refused is not None:
            call(self._subscription.refused, self._subscription.queue)

    def _on_cancel(self, _: frame.Method[spec.Basic.Cancel]) -> None:
        """The broker cancels a consumer whose queue was deleted, and leaves the channel open."""
        self.ready = False
        self.trouble = words.missing_queue(self._subscription.queue)
        if self._channel is not None:
            channel, self._channel = self._channel, None
            channel.close()
        self._changed()

    def _on_message(self, channel: Channel, method: spec.Basic.Deliver, _: spec.BasicProperties, body: bytes) -> None:
        hand_over(self._subscription.handler, self._subscription.queue, body)
        if channel.is_open:
            channel.basic_ack(method.delivery_tag or 0)


def call(refused: Callable[[], None], queue: str) -> None:
    """Let it know; whatever goes wrong there is logged."""
    try:
        refused()
    except Exception:  # as in `hand_over`
        _log.exception("That %s is somebody else's could not be handled.", queue)


def hand_over(handler: Handler, queue: str, body: bytes) -> None:
    """Let the handler have it; whatever goes wrong there is logged."""
    try:
        handler(body)
    except Exception:  # the bus thread must survive any handler; the next message heals what this one left undone
        _log.exception("A message of %d bytes from %s could not be handled; it is dropped.", len(body), queue)
