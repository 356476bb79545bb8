"""One run: the real engine and the real agents in a world that a seed decides, on a clock that jumps."""

from __future__ import annotations

from random import Random

from simulation.agent import NEVER, SimulatedAgent
from simulation.coordinator import MemoryLog, SimulatedCoordinator
from simulation.crashes import Crashes
from simulation.host import Died, Effect, Nature, SimulatedHost
from simulation.liveness import Liveness, waits, whole_time
from simulation.mishaps import Mishaps
from simulation.operators import Operators
from simulation.rules import Rules
from simulation.script import KNOWN, Script
from simulation.trail import Broken, Trail

from noonday_coordinator.core import commands as c
from noonday_coordinator.core import events as e
from noonday_coordinator.core.astray import astray
from noonday_coordinator.core.state import Rollout
from noonday_coordinator.core.void import is_void
from noonday_coordinator.words import say
from noonday_shared.bus.memory import Faults, MemoryBroker
from noonday_shared.errors import BadInput, Temporary
from noonday_shared.keys import SigningKey
from noonday_shared.messages import Goal
from noonday_shared.names import ReleaseRef
from noonday_shared.release.manifest import ReleaseManifest
from support.virtual_clock import VirtualClock

FIRST = ReleaseRef(version="1.0.0", digest="0" * 64)
STEP = 5.0
"""The longest jump of the clock: the world outside goes on meanwhile."""
SETTLE = 40.0
QUIET_DOWN = 120.0
"""Seconds after the last rollout in which every host comes to rest."""


class World:
    def __init__(self, script: Script) -> None:
        self.script = script
        self.clock = VirtualClock()
        self.chance = Random(script.seed + 1)
        self.trail = Trail(self.clock.now())
        self.crashes = Crashes()
        self.broker = MemoryBroker(clock=self.clock, random=Random(script.seed + 2), faults=Faults())
        natures = {FIRST.version: Nature(errors={KNOWN: 0.02})}
        natures |= {one.ref.version: one.nature for one in script.candidates}
        self.hosts = {
            name: SimulatedHost(name, self.clock, script.limits, natures, checked=script.checked)
            for name in script.hosts
        }
        self.rules = Rules(self.hosts, script, self.clock)
        key = SigningKey.new()
        log = MemoryLog(self.crashes.reached)
        self.coordinator = SimulatedCoordinator(self.broker, self.clock, self.crashes, key=key, log=log)
        self.coordinator.start()
        self.others: list[SimulatedCoordinator] = []
        """Those that were replaced, and may not know it."""
        self.agents = {
            name: SimulatedAgent(host, self.broker, key.public, self.clock, self.crashes)
            for name, host in self.hosts.items()
        }
        self._agents = tuple(self.agents.values())
        self.mishaps = Mishaps(self)
        self.operators = Operators(self)
        self.liveness = Liveness(self)
        for agent in self.agents.values():
            self._settle_in(agent)

    def run(self) -> Trail:
        """The whole story. Raises `Broken`, with the trail in the world, when a rule does not hold."""
        try:
            with self.crashes.watched():
                self._first_release()
                self.broker.faults = self.script.faults
                self._troubled_times()
                self._calm()
        finally:
            for coordinator in (self.coordinator, *self.others):
                coordinator.close()
            for agent in self._agents:
                agent.close()
        return self.trail

    def tell(self, who: str, words: str) -> None:
        self.trail.add(self.clock.now(), who, words)

    def ask(self, command: c.Command, by: str = "operator") -> bool:
        """Whether it was taken."""
        if not self.coordinator.alive:
            return False
        try:
            self.coordinator.ask(command, by)
        except (BadInput, Temporary) as refused:
            self.tell(by, f"{type(command).__name__}: {refused.text}")
            return False
        except Died as death:
            self.mishaps.died(self.coordinator, str(death))
        finally:
            self._take_note()
        return True

    @property
    def active(self) -> Rollout | None:
        return self.coordinator.engine.state.active("web")

    def pass_until(self, instant: float) -> None:
        while self.clock.now() < instant:
            self.step(instant)

    def step(self, until: float = NEVER) -> None:
        """Go to whatever is due next, and let it happen. After each event the rules are checked."""
        now = self.clock.now()
        due = min(self.coordinator.due, self.broker.next_due() or NEVER, self.mishaps.due, until, now + STEP)
        for agent in self._agents:
            due = min(due, agent.due)
        for other in self.others:
            due = min(due, other.due)
        if due > now:
            self._let_pass(due - now)
        if self.mishaps.act():
            self.rules.check(self.coordinator.engine.state)
        now = self.clock.now()
        ready = [agent for agent in self._agents if agent.due <= now]
        if len(ready) > 1:
            self.chance.shuffle(ready)
        for agent in ready:
            self._act(agent)
        self._coordinate()
        self._other_coordinators()
        self._deliver()

    def replace_coordinator(self) -> SimulatedCoordinator:
        """Another machine takes over with all that was kept; returns the old one, which is cut off and knows nothing of
        it. Raises `Died`."""
        self._take_note()
        old = self.coordinator
        old.cut(off=True)
        self.others.append(old)
        self.coordinator = SimulatedCoordinator(
            self.broker, self.clock, self.crashes, key=old.key, log=old.log.twin()
        )  # fmt: skip
        self.coordinator.start()
        return old

    def _let_pass(self, seconds: float) -> None:
        self.clock.sleep(seconds)
        rate, longest = self.script.rate, self.script.longest_request
        for host in self.hosts.values():
            host.pass_time(seconds, rate, longest)
        self.rules.passed()
        self.liveness.passed()

    def _act(self, agent: SimulatedAgent) -> None:
        if agent.due > self.clock.now():
            return  # it died meanwhile
        self.crashes.begin(agent)
        try:
            agent.act()
        except Died as death:
            self.mishaps.died(agent, str(death))
        finally:
            self.crashes.end()
        self.rules.check(self.coordinator.engine.state, agent.host)

    def _coordinate(self) -> None:
        if self.coordinator.due > self.clock.now():
            return
        try:
            self.coordinator.act()
        except Died as death:
            self.mishaps.died(self.coordinator, str(death))
        self._take_note()
        self.rules.check(self.coordinator.engine.state)

    def _other_coordinators(self) -> None:
        for other in self.others:
            if other.due <= self.clock.now():
                other.act()
                fresh, other.log.fresh = other.log.fresh, []
                for record in fresh:
                    self.tell("replaced", say(record.event))
                    if isinstance(record.event, e.Assigned):
                        told = record.event
                        self.rules.foreign(told.host, other.engine.state.term, told.generation)
                self.rules.check(self.coordinator.engine.state)

    def _deliver(self) -> None:
        try:
            delivered = self.broker.deliver()
        except Died as death:
            victim = self.crashes.victim
            assert isinstance(victim, SimulatedAgent)
            self.mishaps.died(victim, str(death))
            delivered = 1
        if delivered:
            for coordinator in (self.coordinator, *self.others):
                coordinator.heard()
            self.rules.check(self.coordinator.engine.state)

    def _take_note(self) -> None:
        fresh, self.coordinator.log.fresh = self.coordinator.log.fresh, []
        for record in fresh:
            self.tell(record.by, say(record.event))
            self.liveness.recorded(record)
            self.rules.recorded(self.coordinator.engine.state, record)

    def _noticed(self, host: SimulatedHost, effect: Effect) -> None:
        self.tell(host.name, f"* {effect.kind} {effect.what} ({effect.way}, generation {effect.generation})")
        self.rules.noticed(host, effect)

    def _settle_in(self, agent: SimulatedAgent) -> None:
        host = agent.host
        host.noticed = self._noticed
        host.took = self.rules.took
        host.releases.takes = self.script.download
        for one in self.script.candidates:
            host.releases.hooks[one.ref.version] = one.hooks
            if one.bad_hook:
                host.bad_hooks.add(one.bad_hook)
            if host.name in one.bad_on:
                host.releases.bad[one.ref.version] = "The archive is damaged."
            if host.name in one.ill_on:
                host.sick.add(one.ref.version)
        if self.script.serving_before:
            host.releases.put("web", FIRST)
            host.adopt(FIRST.id)
        if host.name not in self.script.late:
            self.enroll(host.name)

    def enroll(self, name: str) -> bool:
        rack = dict(self.script.racks).get(name)
        labels = {"role": "web", "rack": rack} if rack else {"role": "web"}
        return self.ask(c.Enroll(name, labels, str(self.agents[name].key.public)))

    def push(self, ref: ReleaseRef) -> bool:
        return self.ask(c.Push("web", ref, 1, ReleaseManifest(app="web", version=ref.version)))

    def _first_release(self) -> None:
        """In peace: the fleet comes to serve 1.0.0."""
        self.pass_until(self.clock.now() + 5.0)
        self.push(FIRST)
        self.ask(c.Deploy("web", FIRST.version, self.script.policy.model_copy(update={"gates": ()})))
        self._until_ended()
        if self.coordinator.engine.state.app("web").current != FIRST:
            raise Broken("rule 4: the first release, with nothing wrong, was not rolled out")

    def _troubled_times(self) -> None:
        end = self.clock.now() + self.script.calm_after
        self.mishaps.begin(self.clock.now())
        for one in self.script.candidates:
            self.tell(
                "world", f"{one.ref} is {one.kind} ({one.nature}, on {', '.join(one.bad_on + one.ill_on) or 'all'})"
            )
            while not self.push(one.ref) and self.clock.now() < end:
                self.pass_until(self.clock.now() + 5.0)
            self._roll_out(one.ref, end)
            if self.active is None and self.chance.random() < 0.4:
                self.pass_until(self.clock.now() + self.chance.uniform(0.0, 10.0))
                self.ask(c.Rollback("web", self.script.policy))
            elif self.active is None and self.chance.random() < 0.4:
                self._roll_out(one.ref, self.clock.now() + 15.0)
        self.pass_until(end)

    def _roll_out(self, ref: ReleaseRef, end: float) -> None:
        """As somebody who tries again when he is refused, and looks on until it has ended or takes too long."""
        impatient = self.script.impatient
        order = c.Deploy("web", ref.version, self.script.policy, supersede=impatient)
        while not self.ask(order) and self.clock.now() < end:
            self.pass_until(self.clock.now() + 10.0)
        end = min(end, self.clock.now() + self.chance.uniform(1.0, 60.0)) if impatient else end
        while self.active is not None and self.clock.now() < end:
            self.step(end)
            self.operators.answer_some_time()

    def _calm(self) -> None:
        """Everything heals; then every rollout ends or asks, and every host serves what is healthy."""
        self.tell("world", "everything heals")
        self.mishaps.heal()
        self.broker.faults = Faults()
        self.pass_until(self.clock.now() + 1.0)
        for number in range(8):
            self._until_ended()
            if self.active is None:
                break
            self.operators.answer(self.active, in_vain=number > 4)
        self._until_ended()
        if self.active is not None:
            raise Broken(f"rule 4: {self.active.id} does not end whatever a person answers: {self.active.stage}")
        self.pass_until(self.clock.now() + SETTLE)
        self.operators.mend()
        self._until_ended()
        self.pass_until(self.clock.now() + QUIET_DOWN)
        self._all_well()
        self.rules.whole(self.coordinator.engine.state, self.coordinator.log.read())

    def _until_ended(self) -> None:
        """Until the rollout under way has ended or waits for a person."""
        within = whole_time(self.script.policy, len(self.hosts))
        deadline = self.clock.now() + within
        while self.clock.now() < deadline:
            self.step(deadline)
            rollout = self.active
            if self.coordinator.alive and (rollout is None or waits(rollout)):
                return
        raise Broken(f"rule 4: {self.active and self.active.id} neither ended nor asked within {within:g} s")

    def _all_well(self) -> None:
        state = self.coordinator.engine.state
        for name, host in self.hosts.items():
            enrolled = state.hosts.get(name)
            if host.nature.falls_ill_after or enrolled is None:
                continue  # a person wanted it, or it fell ill after its rollout; or it left
            on_host = enrolled.app("web")
            if on_host.assigned is None:
                continue  # it came after the last rollout
            if not host.has_hope(state.app("web").current):
                continue  # it came new to releases that are never well there, and has no other
            if not host.serves_well:
                raise Broken(f"at the end {name} does not serve: {host.running} well={host.well} {host.place.state()}")
            heard = self.coordinator.engine.snapshots.get(name) or on_host.report
            if heard is not None and host.boot < heard.boot:
                continue  # it forgot a start at which its clock was ahead of now, so it is taken for an earlier agent
            if not on_host.in_service or on_host.report is None:
                raise Broken(f"at the end {name} serves, and the coordinator does not know")
            if on_host.from_backup:
                continue  # it follows what it was told after the backup
            behind = on_host.assigned.generation != on_host.report.generation and not is_void(state, name, on_host)
            if behind and not self._waits_for_others(host):
                raise Broken(f"at the end {name} has not taken generation {on_host.assigned.generation}")
            forgot = on_host.report.proven is None  # it stays as it is until the next rollout
            if on_host.assigned.goal is not Goal.SERVING and not forgot:
                raise Broken(f"at the end {name} is to be {on_host.assigned.goal}")

    def _waits_for_others(self, host: SimulatedHost) -> bool:
        """Whether what it was told would take it out while another one is out or ill, and `noonday hosts` says so."""
        state, policy = self.coordinator.engine.state, self.script.policy
        named = any(one.host == host.name and one.told for one in astray(state, state.app("web"), policy))
        return named and not all(one.serves_well for one in self.hosts.values() if one is not host)
