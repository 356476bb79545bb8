"""What goes wrong, when, and how it heals."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING

from simulation.agent import NEVER, SimulatedAgent
from simulation.coordinator import SimulatedCoordinator
from simulation.disk import Kept
from simulation.forgery import forge
from simulation.host import Died, SimulatedHost
from simulation.script import Mishap

from noonday_shared.bus import plans
from noonday_shared.errors import NoondayError

if TYPE_CHECKING:
    from simulation.world import World

SELF_START = 3.0
"""Seconds until the process manager starts an app that ended."""
SECOND = 90.0
"""Seconds in which a second coordinator speaks."""
AGAIN = 5.0
"""Seconds until a service that could not start is started again."""
HANGS = 7.0
"""Seconds that a part takes to answer nothing while it hangs."""


class Mishaps:
    """A calendar of things to do; those that heal come by themselves, or all at once with `heal`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._calendar: list[tuple[float, int, Callable[[], None]]] = []
        self._healing: dict[int, Callable[[], None]] = {}
        self._number = count()
        self._backups: dict[str, Kept] = {}
        self.happened: Counter[str] = Counter()

    @property
    def due(self) -> float:
        return self._calendar[0][0] if self._calendar else NEVER

    def begin(self, now: float) -> None:
        self._backups = {name: host.backup() for name, host in self._world.hosts.items()}
        for mishap in self._world.script.mishaps:
            self._at(now + mishap.at, lambda mishap=mishap: self._happen(mishap))  # type: ignore[misc]
        for wish in self._world.script.wishes:
            self._at(now + wish.at, lambda wish=wish: self._world.operators.wish(wish))  # type: ignore[misc]

    def act(self) -> bool:
        """Whether anything happened."""
        if not self._calendar or self._calendar[0][0] > self._world.clock.now():
            return False
        while self._calendar and self._calendar[0][0] <= self._world.clock.now():
            heapq.heappop(self._calendar)[2]()
        return True

    def heal(self) -> None:
        """Nothing that was to come comes, and all that goes on is over."""
        self._calendar.clear()
        for agent in self._world.agents.values():
            agent.host.steps.live_on()
            agent.host.fills_after = None
            agent.doom = None
            agent.host.local.offset = 0.0
        self._world.coordinator.doom = None
        self._world.coordinator.local.offset = 0.0
        while self._healing:  # a coordinator that was replaced wakes up, and is to be found as well
            next(iter(self._healing.values()))()

    def died(self, who: SimulatedAgent | SimulatedCoordinator, where: str) -> None:
        """A process died by itself, as `Died` said; it is started again."""
        self._world.tell("world", f"that was the end of {self._name(who)}{f', at {where}' if where else ''}")
        self._dies(who, 3.0 if isinstance(who, SimulatedAgent) else AGAIN)

    def _dies(self, who: SimulatedAgent | SimulatedCoordinator, lasts: float) -> None:
        self._world.tell("world", f"{self._name(who)} dies, for {lasts:g} s")
        who.kill()
        self._until(lasts, f"{self._name(who)} is started", lambda: self._start(who))

    def _start(self, who: SimulatedAgent | SimulatedCoordinator) -> None:
        if who.alive or (isinstance(who, SimulatedAgent) and not who.host.powered):
            return
        self._world.crashes.begin(who)
        try:
            who.start()
        except (NoondayError, Died) as error:
            who.kill()
            self._world.tell("world", f"{self._name(who)} does not start: {error}")
            self._until(AGAIN, f"{self._name(who)} is started", lambda: self._start(who))
        finally:
            self._world.crashes.end()

    def _put_back(self, coordinator: SimulatedCoordinator, age: float) -> None:
        coordinator.restore(age)
        self._world.rules.put_back()
        self._start(coordinator)

    def _name(self, who: SimulatedAgent | SimulatedCoordinator) -> str:
        return f"the agent of {who.host.name}" if isinstance(who, SimulatedAgent) else "the coordinator"

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
        agent = self._world.agents[mishap.host]
        before = self._world.trail.count
        if mishap.kind.startswith("coordinator") or mishap.kind in ("broker-wiped", "second-coordinator"):
            self._at_the_centre(mishap)
        elif mishap.kind.startswith(("balancer", "manager", "restart")):
            self._at_a_part(mishap, agent.host)
        else:
            self._at_a_host(mishap, agent, agent.host)
        if self._world.trail.count != before:
            self.happened[mishap.kind] += 1

    def _at_the_centre(self, mishap: Mishap) -> None:
        world, lasts = self._world, mishap.lasts
        coordinator = world.coordinator
        match mishap.kind:
            case "coordinator-dies" if coordinator.alive:
                self._dies(coordinator, lasts)
            case "coordinator-dies-at-point" if coordinator.alive:
                world.tell("world", f"the coordinator will die {mishap.size} crash points from now")
                coordinator.doom = mishap.size
            case "coordinator-cut-off" if not coordinator.cut_off:
                world.tell("world", f"the coordinator is cut off for {lasts:g} s")
                coordinator.cut(off=True)
                self._until(lasts, "the coordinator is reached again", lambda: coordinator.cut(off=False))
            case "coordinator-disk-full" if not coordinator.full:
                self._switch("the disk of the coordinator", "full", lasts, coordinator, "full")
            case "coordinator-restored" if coordinator.alive:
                world.tell("world", f"the coordinator's disk is lost, for {lasts:g} s")
                coordinator.kill()
                words = f"its log is put back, as of {mishap.size} s ago"
                self._until(lasts, words, lambda: self._put_back(coordinator, mishap.size))
            case "coordinator-clock-set":
                self._set_clock("the coordinator", coordinator, mishap.size, lasts)
            case "broker-wiped":
                world.tell("world", "the broker loses everything")
                world.broker.wipe()
            case "second-coordinator" if coordinator.alive:
                self._second_coordinator(lasts)

    def _second_coordinator(self, lasts: float) -> None:
        """The first one only seemed to be gone: it comes back, goes on with what it knew, and is found in the end."""
        world, asleep = self._world, min(lasts, 60.0)
        world.tell("world", f"the coordinator's machine stands still for {asleep:g} s, and another one takes over")
        try:
            old = world.replace_coordinator()
        except Died as death:
            self.died(world.coordinator, str(death))
            old = world.others[-1]
        old.doom, old.due = None, NEVER

        def wake() -> None:
            old.cut(off=False)
            old.due = world.clock.now()
            self._until(SECOND, "the coordinator that was replaced is found and stopped", old.kill)

        self._until(asleep, "the coordinator that was replaced goes on as if nothing had been", wake)

    def _at_a_host(self, mishap: Mishap, agent: SimulatedAgent, host: SimulatedHost) -> None:
        world, lasts, name = self._world, mishap.lasts, mishap.host
        match mishap.kind:
            case "agent-dies" if agent.alive:
                self._dies(agent, lasts)
            case "agent-dies-in-step":
                when = "after" if mishap.late else "before"
                world.tell("world", f"the agent of {name} will die {when} {mishap.stage}")
                host.steps.die_at(mishap.stage, after=mishap.late)
            case "agent-dies-at-point" if agent.alive:
                world.tell("world", f"the agent of {name} will die {mishap.size} crash points from now")
                agent.doom = mishap.size
            case "power-cut" | "old-state" | "no-state" if host.powered:
                self._power_cut(mishap, agent, host)
            case "disk-full" if not host.full:
                self._switch(f"the disk of {name}", "full", lasts, host, "full")
            case "disk-full-after-step":
                self._fill_after(mishap, host)
            case "app-ill" if not host.broken:
                self._switch(f"the app's database on {name}", "gone", lasts, host, "broken")
            case "app-dies" if host.process.up:
                world.tell("world", f"the app on {name} ends")
                host.process.die()
                self._until(SELF_START, f"the app on {name} is started", host.start_by_itself)
            case "host-cut-off" if not agent.cut_off:
                world.tell("world", f"{name} is cut off for {lasts:g} s")
                agent.cut(off=True)
                self._until(lasts, f"{name} is reached again", lambda: agent.cut(off=False))
            case "clock-set":
                self._set_clock(name, host, mishap.size, lasts)
            case "queue-deleted":
                world.tell("world", f"somebody deletes the queue of {name}")
                world.broker.carry_out(plans.no_host(name))
            case "forgery":
                world.tell("world", f"somebody forges messages to and from {name}")
                forge(world, agent)

    def _at_a_part(self, mishap: Mishap, host: SimulatedHost) -> None:
        lasts, name = mishap.lasts, mishap.host
        place, process = host.place, host.process
        match mishap.kind:
            case "balancer-gone" | "balancer-hangs" if place.reachable:
                place.hangs = HANGS if mishap.kind == "balancer-hangs" else 0.0
                self._switch(f"the balancer of {name}", "gone", lasts, place, "reachable", to=False)
            case "balancer-lags" if not place.lags:
                self._world.tell("world", f"the balancer of {name} does what it is told only in {lasts:g} s")
                place.start_lagging()
                self._until(lasts, f"the balancer of {name} does what it was told", place.stop_lagging)
            case "balancer-forgets" if not place.lags:
                self._world.tell("world", f"the balancer of {name} forgets what it was told")
                self._world.rules.forgot(host)
                place.forget()
            case "manager-gone" | "manager-hangs" if process.reachable:
                process.hangs = HANGS if mishap.kind == "manager-hangs" else 0.0
                self._switch(f"the process manager of {name}", "gone", lasts, process, "reachable", to=False)
            case "manager-lies" if not process.keeps_old:
                self._switch(f"the process manager of {name}", "restarting nothing", lasts, process, "keeps_old")
            case "restart-hangs" if not process.start_takes:
                self._world.tell("world", f"the app on {name} takes {min(lasts, 60.0):g} s to start, for {lasts:g} s")
                process.start_takes = min(lasts, 60.0)
                self._until(lasts, f"the app on {name} starts as ever", lambda: setattr(process, "start_takes", 0.0))

    def _fill_after(self, mishap: Mishap, host: SimulatedHost) -> None:
        self._world.tell("world", f"the disk of {host.name} will be full after {mishap.stage}")
        host.fills_after = mishap.stage

        def fill() -> None:
            host.fills_after = None
            if not host.full:
                self._switch(f"the disk of {host.name}", "full", min(mishap.lasts, 60.0), host, "full")

        host.fill = fill

    def _switch(self, words: str, how: str, lasts: float, owner: object, name: str, *, to: bool = True) -> None:
        self._world.tell("world", f"{words} is {how} for {lasts:g} s")
        setattr(owner, name, to)
        self._until(lasts, f"{words} is as ever", lambda: setattr(owner, name, not to))

    def _set_clock(self, name: str, owner: SimulatedHost | SimulatedCoordinator, seconds: int, lasts: float) -> None:
        self._world.tell("world", f"the clock of {name} is set by {seconds:+} s, for {lasts:g} s")
        owner.local.offset += seconds

        def set_right() -> None:
            owner.local.offset = 0.0

        self._until(lasts, f"the clock of {name} is set right", set_right)

    def _power_cut(self, mishap: Mishap, agent: SimulatedAgent, host: SimulatedHost) -> None:
        lasts = min(mishap.lasts, 60.0)
        self._world.tell("world", f"{host.name} loses its power for {lasts:g} s")
        agent.kill()
        host.process.die()
        host.powered = False
        match mishap.kind:
            case "power-cut" if mishap.late and host.file.lose(mishap.size % 3 + 1):
                self._world.tell("world", f"and with it the last writes of {host.name}'s agent")
            case "old-state":
                self._world.tell("world", f"and comes back as it was before: {self._backups[host.name].current or '-'}")
                host.restore(self._backups[host.name])
            case "no-state":
                self._world.tell("world", "and comes back without its agent's memory")
                host.restore(Kept(host.file.fresh(), 0, host.releases.folders, host.releases.current))

        def boot() -> None:
            host.powered = True
            if mishap.kind != "power-cut" or mishap.late:
                self._world.rules.forgotten(host)
            host.start_by_itself()
            self._world.rules.booted(host)
            self._start(agent)

        self._until(lasts, f"{host.name} has power again", boot)
