"""What everything else knows of the broker. Behind it: RabbitMQ, or memory that loses, repeats and delays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

Handler = Callable[[bytes], None]
"""Gets one message's body. Runs on the bus thread, so it must hand over and return: milliseconds, no I/O but a journal.
The message is acknowledged after it returns; an exception is logged and the message acknowledged too, since the next
message heals it."""


class Bus(Protocol):
    """Safe to call from any thread. Nothing here blocks on the network but `start` and `close`.

    Messages are level-triggered: a publish that can't be confirmed is reported by its return value's absence later,
    never by an exception, and the sender simply says it again.
    """

    def start(self) -> None:
        """Begin connecting in the background; returns at once also when the broker is down."""

    def close(self, within: float = 5.0) -> None:
        """Stop after what was published is confirmed, or `within` seconds."""

    def consume(
        self, queue: str, handler: Handler, *, exclusive: bool = False, refused: Callable[[], None] | None = None
    ) -> None:
        """Deliver this queue's messages to `handler`, again after each reconnect. Call before or after `start`.
        `exclusive`: nobody else may consume it meanwhile; whoever comes second finds that in `trouble`, and what it
        publishes waits until the queue is its own, so that two under one name never speak in turns. `refused` is called
        each time that it finds somebody else there, on the bus thread."""

    def publish(self, exchange: str, key: str, body: bytes, *, slot: str, aside: bool = False) -> None:
        """Send as soon as connected. `slot` names what this message is the newest of: an unsent message in the same
        slot is replaced by this one. Exchange '' with a queue's name as key sends straight to that queue. `aside`: it
        goes also while a queue that should be ours alone is somebody else's."""

    def declare_reports(self) -> None:
        """Coordinator only: declare the reports exchange and the two queues behind it, again after each reconnect."""

    def declare_host(self, host: str) -> None:
        """Coordinator only: declare the host's queue, again after each reconnect."""

    def delete_host(self, host: str) -> None:
        """Coordinator only: delete the host's queue."""

    @property
    def connected(self) -> bool:
        """Whether there is a connection and everything asked for is in place on it; then `trouble` is empty."""
        ...

    @property
    def trouble(self) -> str:
        """Why it is not `connected`, as a sentence (broker down, queue missing, no memory left); else empty."""
        ...

    @property
    def hears(self) -> bool:
        """Whether every queue asked for is consumed now, and what is published is taken. May be true where `connected`
        is not, as when one host's queue can't be declared. While it is false, silence means nothing."""
        ...
