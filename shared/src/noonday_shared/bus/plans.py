"""What the coordinator declares on the broker, as values: the same for RabbitMQ and for memory."""

from __future__ import annotations

from dataclasses import dataclass

from noonday_shared import topology


@dataclass(frozen=True, slots=True)
class ExchangePlan:
    """A durable topic exchange."""

    name: str


@dataclass(frozen=True, slots=True)
class QueuePlan:
    """A durable queue that drops its oldest message beyond `length` messages or `size` bytes; 0 means no such limit.
    With `keys` it gets what is published to the reports exchange with a key that matches."""

    name: str
    length: int = 0
    size: int = 0
    keys: str = ""

    @property
    def arguments(self) -> dict[str, int | str]:
        """As RabbitMQ wants them."""
        limits = {"x-max-length": self.length, "x-max-length-bytes": self.size}
        return {"x-overflow": "drop-head"} | {name: limit for name, limit in limits.items() if limit}


@dataclass(frozen=True, slots=True)
class Removal:
    """A queue that is to be deleted, with what is in it."""

    name: str


Plan = ExchangePlan | QueuePlan | Removal


def reports() -> tuple[Plan, ...]:
    return (
        ExchangePlan(topology.REPORTS),
        QueuePlan(topology.STATE_QUEUE, length=topology.STATE_QUEUE_LENGTH, keys=topology.STATE_KEYS),
        QueuePlan(topology.EVIDENCE_QUEUE, size=topology.EVIDENCE_QUEUE_BYTES, keys=topology.EVIDENCE_KEYS),
    )


def host(name: str) -> QueuePlan:
    return QueuePlan(topology.agent_queue(name), length=topology.AGENT_QUEUE_LENGTH)


def no_host(name: str) -> Removal:
    return Removal(topology.agent_queue(name))
