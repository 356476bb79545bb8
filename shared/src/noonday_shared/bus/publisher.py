"""Sends what is in the outbox, and settles each letter when the broker has confirmed it."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pika
from pika import exceptions, frame, spec

from noonday_shared.bus import words
from noonday_shared.bus.outbox import Letter, Outbox
from noonday_shared.bus.part import Channel, Connection, Part
from noonday_shared.clock import Clock

WINDOW = 128
"""Letters on their way without a confirmation. Beyond it they wait in the outbox, where newer ones replace them."""

_PERSISTENT = pika.BasicProperties(delivery_mode=2, content_type="application/json")

_PAUSE = 1.0

_log = logging.getLogger(__name__)


class Publisher(Part):
    def __init__(self, connection: Connection, clock: Clock, changed: Callable[[], None], outbox: Outbox) -> None:
        super().__init__(connection, clock, changed)
        self._outbox = outbox
        self._tag = 0
        self._unconfirmed: dict[int, Letter] = {}
        self._paused = False

    def pump(self, *, only_aside: bool = False) -> None:
        """Send what waits, as far as the window allows. Never blocks: pika buffers what the socket does not take."""
        channel = self._channel
        if channel is None or not self.ready or self._paused:
            return
        while len(self._unconfirmed) < WINDOW and (letter := self._outbox.take(only_aside=only_aside)) is not None:
            self._tag += 1
            if not self._unconfirmed:
                self._asked()
            self._unconfirmed[self._tag] = letter
            channel.basic_publish(letter.exchange, letter.key, letter.body, _PERSISTENT, mandatory=True)

    @property
    def doing(self) -> str:
        return "confirming what we published" if self.ready else "opening a channel to publish"

    def _open(self, channel: Channel) -> None:
        self._tag = 0
        self._unconfirmed = {}
        channel.add_on_return_callback(self._on_return)
        channel.confirm_delivery(self._on_confirm, callback=lambda _: self._is_ready())

    def _refused(self, error: exceptions.ChannelClosed) -> None:
        self.trouble = words.publishing_failed(error)
        self._outbox.take_all_back()

    def _on_confirm(self, answer: frame.Method[spec.Basic.Ack | spec.Basic.Nack]) -> None:
        method = answer.method
        taken = isinstance(method, spec.Basic.Ack)
        for tag in self._tags(method.delivery_tag or 0, multiple=bool(method.multiple)):
            letter = self._unconfirmed.pop(tag)
            if taken:
                self._outbox.settle(letter)
            else:
                self._hold_back(letter)
        if self._unconfirmed:
            self._asked()
        else:
            self._answered()
        self._changed()

    def _tags(self, tag: int, *, multiple: bool) -> list[int]:
        if not multiple:
            return [tag] if tag in self._unconfirmed else []
        return [known for known in self._unconfirmed if known <= tag]

    def _hold_back(self, letter: Letter) -> None:
        # Sent again at once it would be refused again at once.
        self._outbox.take_back(letter)
        _log.warning("The broker could not take the message with key %s; sent again in %g s.", letter.key, _PAUSE)
        if not self._paused:
            self._paused = True
            self._connection.ioloop.call_later(_PAUSE, self._resume)

    def _resume(self) -> None:
        self._paused = False
        self._changed()

    def _on_return(self, _: Channel, method: spec.Basic.Return, __: spec.BasicProperties, ___: bytes) -> None:
        """Comes before the confirmation, which then settles the letter as if it had been delivered: it is dropped."""
        _log.warning(
            "No queue wants the message with key %s (exchange %r): %s. It is dropped.",
            method.routing_key,
            method.exchange,
            method.reply_text,
        )
