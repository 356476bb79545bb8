"""Messages that must have no effect: signed by nobody we know, expired, for somebody else, or said long ago."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulation.rules import EVIL

from noonday_shared import topology
from noonday_shared.bus.memory import MemoryBus
from noonday_shared.envelope import seal
from noonday_shared.keys import SigningKey
from noonday_shared.messages import AppSnapshot, Assignment, Goal, Snapshot
from noonday_shared.messages.assignment import KIND as ASSIGNMENT
from noonday_shared.messages.snapshot import KIND as STATE
from noonday_shared.names import ReleaseRef

if TYPE_CHECKING:
    from simulation.agent import SimulatedAgent
    from simulation.world import World

FORGED = ReleaseRef(version=EVIL, digest="6" * 64)
_STRANGER = SigningKey.new()


def forge(world: World, agent: SimulatedAgent) -> None:
    """Send them to the agent, and to the coordinator in its name."""
    name = agent.host.name
    lie = Snapshot(
        host=name, boot=10**12, seq=1, sent_at=world.clock.now(),
        apps=(AppSnapshot(app="web", live=FORGED.id, in_service=False),),
    )  # fmt: skip
    bus = MemoryBus(world.broker)
    bus.start()
    for number, body in enumerate((*_orders(world, agent, lie), b"not even an envelope", *agent.sent)):
        bus.publish("", topology.agent_queue(name), body, slot=str(number))
    for number, body in enumerate((seal(STATE, lie, _STRANGER), seal(STATE, lie, world.coordinator.key), b"{}")):
        bus.publish(topology.REPORTS, topology.state_key(name), body, slot=f"s{number}")
    bus.close()


def _orders(world: World, agent: SimulatedAgent, lie: Snapshot) -> list[bytes]:
    now, state, key = agent.host.local.now(), world.coordinator.engine.state, world.coordinator.key
    evil = Assignment(
        app="web", host=agent.host.name, term=state.term, generation=state.generation + 1000, goal=Goal.SERVING,
        release=FORGED, issued_at=now, expires_at=now + 900.0,
    )  # fmt: skip
    late = evil.model_copy(update={"expires_at": now - 100_000.0})
    other = evil.model_copy(update={"host": "web-9"})
    return [
        seal(ASSIGNMENT, evil, _STRANGER),
        seal(ASSIGNMENT, late, key),
        seal(ASSIGNMENT, other, key),
        seal(STATE, lie, key),
    ]
