"""One run: the real engine and the real agents in a world that a seed decides, on a clock that jumps."""

from __future__ import annotations

from random import Random

from simulation.agent import NEVER, SimulatedAgent
from simulation.coordinator import SimulatedCoordinator
from simulation.host import Effect, Nature, SimulatedHost
from simulation.mishaps import Mishaps
from simulation.rules import Rules
from simulation.script import KNOWN, Script
from simulation.trail import Broken, Trail

from noonday_coordinator.core import commands as c
from noonday_coordinator.core import events as e
from noonday_coordinator.core.evolve import fold
from noonday_coordinator.core.state import Rollout
from noonday_coordinator.words import say
from noonday_shared.bus.memory import Faults, MemoryBroker
from noonday_shared.errors import BadInput
from noonday_shared.messages import Goal
from noonday_shared.names import ReleaseRef
from noonday_shared.release.manifest import ReleaseManifest
from support.fake_host import Died
from support.virtual_clock import VirtualClock

FIRST = ReleaseRef(version="1.0.0", digest="0" * 64)
STEP = 5.0
"""The longest jump of the clock: the world outside goes on meanwhile."""
GENEROUS = 1500.0
"""Seconds in which, with nothing wrong any more, a rollout ends or asks a person."""


class World:
    def __init__(self, script: Script) -> None:
        self.script = script
        self.clock = VirtualClock()
        self.chance = Random(script.seed + 1)
        self.trail = Trail(self.clock.now())
        self.broker = MemoryBroker(clock=self.clock, random=Random(script.seed + 2), faults=Faults())
        natures = {FIRST.version: Nature(errors={KNOWN: 0.02})}
        natures |= {one.ref.version: one.nature for one in script.candidates}
        self.hosts = {
            name: SimulatedHost(name, self.clock, script.limits, natures, checked=script.checked)
            for name in script.hosts
        }
        self.rules = Rules(self.hosts, script, self.clock)
        self.coordinator = SimulatedCoordinator(self.broker, self.clock)
        self.agents = {
            name: SimulatedAgent(host, self.broker, self.coordinator.key.public) for name, host in self.hosts.items()
        }
        self.mishaps = Mishaps(self)
        self.rollouts = 0
        self._answer_at = NEVER
        for host in self.hosts.values():
            self._settle_in(host)

    def run(self) -> Trail:
        """The whole story. Raises `Broken`, with the trail in the world, when a rule does not hold."""
        try:
            self._first_release()
            self.broker.faults = self.script.faults
            self._troubled_times()
            self._calm()
        finally:
            self.coordinator.close()
        return self.trail

    def tell(self, who: str, words: str) -> None:
        self.trail.add(self.clock.now(), who, words)

    def ask(self, command: c.Command, by: str = "operator") -> bool:
        """Whether it was taken."""
        if not self.coordinator.alive:
            return False
        try:
            self.coordinator.ask(command, by)
        except BadInput as refused:
            self.tell(by, f"{type(command).__name__}: {refused.text}")
            return False
        except Died:
            self.mishaps.coordinator_died(5.0)
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
        """Go to whatever is due next, and let it happen."""
        now = self.clock.now()
        actors = [agent.due for agent in self.agents.values()]
        due = min(*actors, self.coordinator.due, self.broker.next_due() or NEVER, self.mishaps.due, until, now + STEP)
        if due > now:
            self._let_pass(due - now)
        self.mishaps.act()
        for name in self.chance.sample(sorted(self.agents), len(self.agents)):
            self._act(self.agents[name])
        self._coordinate()
        if self.broker.deliver():
            self.coordinator.heard()
        self.rules.check(self.coordinator.engine.state)

    def _let_pass(self, seconds: float) -> None:
        self.clock.sleep(seconds)
        for host in self.hosts.values():
            host.pass_time(seconds, self.script.rate)

    def _act(self, agent: SimulatedAgent) -> None:
        if agent.due > self.clock.now():
            return
        try:
            agent.act()
        except Died:
            self.mishaps.agent_died(agent, 3.0)

    def _coordinate(self) -> None:
        if self.coordinator.due > self.clock.now():
            return
        try:
            self.coordinator.act()
        except Died:
            self.mishaps.coordinator_died(5.0)
        self._take_note()

    def _take_note(self) -> None:
        for record in self.coordinator.log.fresh:
            self.tell(record.by, say(record.event))
            self.rules.recorded(self.coordinator.engine.state, record)
        self.coordinator.log.fresh.clear()

    def _noticed(self, host: SimulatedHost, effect: Effect) -> None:
        self.tell(host.name, f"* {effect.kind} {effect.what} ({effect.way}, generation {effect.generation})")
        self.rules.noticed(host, effect)

    def _settle_in(self, host: SimulatedHost) -> None:
        host.noticed = self._noticed
        for one in self.script.candidates:
            host.releases.hooks[one.ref.version] = one.hooks
            if one.bad_hook:
                host.bad_hooks.add(one.bad_hook)
            if host.name in one.bad_on:
                host.releases.bad[one.ref.version] = "The archive is damaged."
            if host.name in one.ill_on:
                host.sick.add(one.ref.version)
        if self.script.serving_before:
            host.releases.prepare("web", FIRST, "", within=1.0, cancelled=lambda: False)
            host.adopt(FIRST.id)
        key = str(self.agents[host.name].key.public)
        self.ask(c.Enroll(host.name, {"role": "web"}, key))

    def push(self, ref: ReleaseRef) -> bool:
        return self.ask(c.Push("web", ref, 1, ReleaseManifest(app="web", version=ref.version)))

    def _first_release(self) -> None:
        """In peace: the fleet comes to serve 1.0.0."""
        self.pass_until(self.clock.now() + 5.0)
        self.push(FIRST)
        self.ask(c.Deploy("web", FIRST.version, self.script.policy.model_copy(update={"gates": ()})))
        self._until_ended(GENEROUS)
        if self.coordinator.engine.state.app("web").current != FIRST:
            raise Broken("the first release, with nothing wrong, was not rolled out")
        self.rollouts = 1

    def deploy(self, ref: ReleaseRef) -> bool:
        return self.ask(c.Deploy("web", ref.version, self.script.policy))

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
        """As somebody who tries again when he is refused, and looks on until it has ended."""
        while not self.deploy(ref) and self.clock.now() < end:
            self.pass_until(self.clock.now() + 10.0)
        if self.active is not None:
            self.rollouts += 1
        while self.active is not None and self.clock.now() < end:
            self.step(end)
            self._answer_some_time()

    def _answer_some_time(self) -> None:
        """A person who is asked answers within a minute or so."""
        rollout = self.active
        if rollout is None or not waits(rollout):
            self._answer_at = NEVER
        elif self._answer_at == NEVER:
            self._answer_at = self.clock.now() + self.chance.uniform(5.0, 60.0)
        elif self.clock.now() >= self._answer_at and self.coordinator.alive:
            self._answer_at = NEVER
            self._answer(rollout)

    def _calm(self) -> None:
        """Everything heals; then every rollout ends or asks, and every host serves what is healthy."""
        self.tell("world", "everything heals")
        self.mishaps.heal()
        self.broker.faults = Faults()
        for name in self.hosts:
            if self.coordinator.engine.state.hosts[name].drained_by:
                self.ask(c.UndrainHost(name))
        for _ in range(8):
            self._until_ended(GENEROUS)
            if self.active is None:
                break
            self._answer(self.active)
        if self.active is not None:
            raise Broken(f"rule 4: {self.active.id} does not end whatever a person answers: {self.active.stage}")
        self.pass_until(self.clock.now() + 120.0)
        self._all_well()

    def _until_ended(self, within: float) -> None:
        """Until the rollout under way has ended or waits for a person."""
        deadline = self.clock.now() + within
        while self.clock.now() < deadline:
            self.step(deadline)
            rollout = self.active
            if self.coordinator.alive and (rollout is None or waits(rollout)):
                return
        raise Broken(f"rule 4: {self.active and self.active.id} neither ended nor asked within {within:g} s")

    def _answer(self, rollout: Rollout) -> None:
        answers: list[c.Command] = [c.Abort("web"), c.Rollback("web", self.script.policy), c.Promote("web")]
        if rollout.paused_by:
            answers.append(c.Resume("web"))
        for command in self.chance.sample(answers, len(answers)):
            if self.ask(command):
                return
        raise Broken(f"rule 4: {rollout.id} waits for a person, and no answer is taken")

    def _all_well(self) -> None:
        state = self.coordinator.engine.state
        for name, host in self.hosts.items():
            if host.nature.falls_ill_after:
                continue  # a person wanted it, or it fell ill after its rollout
            if not (host.place.gets_requests and host.well):
                raise Broken(f"at the end {name} does not serve: {host.running} well={host.well} {host.place}")
            on_host = state.hosts[name].app("web")
            if on_host.report is None or not on_host.in_service:
                raise Broken(f"at the end {name} serves, and the coordinator does not know")
            if on_host.assigned is not None and on_host.assigned.generation != on_host.report.generation:
                raise Broken(f"at the end {name} has not taken generation {on_host.assigned.generation}")
            if on_host.assigned is not None and on_host.assigned.goal is not Goal.SERVING:
                raise Broken(f"at the end {name} is to be {on_host.assigned.goal}")
        if fold(self.coordinator.log.read()) != state:
            raise Broken("the log folds to something else than the state")


def waits(rollout: Rollout) -> bool:
    """Whether it waits for a person and says so."""
    return bool(rollout.asked or rollout.paused_by or rollout.stage is e.Stage.GATE)
