"""What goes wrong, when, and how it heals; and what operators wish meanwhile."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING

from simulation.agent import NEVER, SimulatedAgent
from simulation.rules import EVIL
from simulation.script import Mishap, Wish

from noonday_coordinator.core import commands as c
from noonday_shared import topology
from noonday_shared.bus.memory import MemoryBus
from noonday_shared.envelope import seal
from noonday_shared.keys import SigningKey
from noonday_shared.messages import AppSnapshot, Assignment, Goal, Snapshot
from noonday_shared.messages.assignment import KIND as ASSIGNMENT
from noonday_shared.messages.snapshot import KIND as STATE
from noonday_shared.names import ReleaseRef

if TYPE_CHECKING:
    from simulation.world import World

FORGED = ReleaseRef(version=EVIL, digest="6" * 64)
SELF_START = 3.0
"""Seconds until the process manager starts an app that ended."""


class Mishaps:
    """A calendar of things to do; those that heal come by themselves, or all at once with `heal`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._calendar: list[tuple[float, int, Callable[[], None]]] = []
        self._healing: dict[int, Callable[[], None]] = {}
        self._number = count()
        self._stranger = SigningKey.new()

    @property
    def due(self) -> float:
        return self._calendar[0][0] if self._calendar else NEVER

    def begin(self, now: float) -> None:
        for mishap in self._world.script.mishaps:
            self._at(now + mishap.at, lambda mishap=mishap: self._happen(mishap))  # type: ignore[misc]
        for wish in self._world.script.wishes:
            self._at(now + wish.at, lambda wish=wish: self._wish(wish))  # type: ignore[misc]

    def act(self) -> None:
        while self._calendar and self._calendar[0][0] <= self._world.clock.now():
            heapq.heappop(self._calendar)[2]()

    def heal(self) -> None:
        """Nothing that was to come comes, and all that goes on is over."""
        self._calendar.clear()
        for over in list(self._healing.values()):
            over()
        for agent in self._world.agents.values():
            agent.host.steps.live_on()
        self._world.coordinator.log.doom = None

    def agent_died(self, agent: SimulatedAgent, lasts: float) -> None:
        self._world.tell("world", f"the agent of {agent.host.name} dies, for {lasts:g} s")
        agent.kill()
        self._until(lasts, f"the agent of {agent.host.name} is started", agent.start)

    def coordinator_died(self, lasts: float) -> None:
        self._world.tell("world", f"the coordinator dies, for {lasts:g} s")
        self._world.coordinator.kill()
        self._until(lasts, "the coordinator is started", self._world.coordinator.start)

    def _at(self, instant: float, do: Callable[[], None]) -> None:
        heapq.heappush(self._calendar, (instant, next(self._number), do))

    def _until(self, lasts: float, words: str, over: Callable[[], None]) -> None:
        number = next(self._number)

        def heal() -> None:
            if self._healing.pop(number, None) is not None:
                self._world.tell("world", words)
                over()

        self._healing[number] = heal
        self._at(self._world.clock.now() + lasts, heal)

    def _happen(self, mishap: Mishap) -> None:
        world, agent = self._world, self._world.agents[mishap.host]
        host, lasts = agent.host, mishap.lasts
        match mishap.kind:
            case "agent-dies" if agent.alive:
                self.agent_died(agent, lasts)
            case "agent-dies-in-step":
                world.tell(
                    "world", f"{host.name}'s agent will die {'after' if mishap.late else 'before'} {mishap.stage}"
                )
                host.steps.die_at(mishap.stage, after=mishap.late)
            case "coordinator-dies" if world.coordinator.alive:
                self.coordinator_died(lasts)
            case "coordinator-dies-in-append" if world.coordinator.alive:
                world.coordinator.log.doom = (world.chance.randint(0, 20), mishap.late)
            case "balancer-gone" if host.place.reachable:
                self._switch(f"the balancer of {host.name}", lasts, host.place, "reachable", at_fault=False)
            case "manager-gone" if host.process.reachable:
                self._switch(f"the process manager of {host.name}", lasts, host.process, "reachable", at_fault=False)
            case "app-ill" if not host.broken:
                self._switch(f"the app's database on {host.name}", lasts, host, "broken", at_fault=True)
            case "app-dies":
                world.tell("world", f"the app on {host.name} ends")
                host.process.die()
                self._until(SELF_START, f"the app on {host.name} is started", host.start_by_itself)
            case "host-cut-off" if not agent.cut_off:
                world.tell("world", f"{host.name} is cut off for {lasts:g} s")
                agent.cut(off=True)
                self._until(lasts, f"{host.name} is reached again", lambda: agent.cut(off=False))
            case "coordinator-cut-off" if not world.coordinator.cut_off:
                world.tell("world", f"the coordinator is cut off for {lasts:g} s")
                world.coordinator.cut(off=True)
                self._until(lasts, "the coordinator is reached again", lambda: world.coordinator.cut(off=False))
            case "broker-wiped":
                world.tell("world", "the broker loses everything")
                world.broker.wipe()
            case "forgery":
                self._forge(agent)

    def _switch(self, words: str, lasts: float, owner: object, name: str, *, at_fault: bool) -> None:
        self._world.tell("world", f"{words} is gone for {lasts:g} s")
        setattr(owner, name, at_fault)
        self._until(lasts, f"{words} is back", lambda: setattr(owner, name, not at_fault))

    def _wish(self, wish: Wish) -> None:
        world, policy = self._world, self._world.script.policy
        versions = [one.ref.version for one in world.script.candidates]
        commands: dict[str, c.Command] = {
            "pause": c.Pause("web"),
            "resume": c.Resume("web"),
            "abort": c.Abort("web"),
            "promote": c.Promote("web"),
            "rollback": c.Rollback("web", policy),
            "drain": c.DrainHost(wish.host),
            "undrain": c.UndrainHost(wish.host),
            "deploy": c.Deploy("web", world.chance.choice(versions), policy),
            "unblock": c.Unblock("web", world.chance.choice(versions)),
        }
        world.ask(commands[wish.kind])

    def _forge(self, agent: SimulatedAgent) -> None:
        """Messages that must have no effect: signed by nobody we know, expired, or said long ago."""
        world, name, now = self._world, agent.host.name, self._world.clock.now()
        world.tell("world", f"somebody forges messages to and from {name}")
        state = world.coordinator.engine.state
        evil = Assignment(
            app="web", host=name, term=state.term, generation=state.generation + 1000, goal=Goal.SERVING,
            release=FORGED, issued_at=now, expires_at=now + 900.0,
        )  # fmt: skip
        late = evil.model_copy(update={"expires_at": now - 1.0})
        other = evil.model_copy(update={"host": "web-9"})
        sick = AppSnapshot(app="web", live=FORGED.id, in_service=False)
        lie = Snapshot(host=name, boot=10**12, seq=1, sent_at=now, apps=(sick,))
        bus = MemoryBus(world.broker)
        bus.start()
        queue = topology.agent_queue(name)
        key = world.coordinator.key
        orders = [
            seal(ASSIGNMENT, evil, self._stranger),
            seal(ASSIGNMENT, late, key),
            seal(ASSIGNMENT, other, key),
            seal(STATE, lie, key),
            b"not even an envelope",
            *agent.sent,
        ]
        for number, body in enumerate(orders):
            bus.publish("", queue, body, slot=str(number))
        for number, body in enumerate((seal(STATE, lie, self._stranger), seal(STATE, lie, key), b"{}")):
            bus.publish(topology.REPORTS, topology.state_key(name), body, slot=f"s{number}")
        bus.close()
