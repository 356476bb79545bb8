"""What people do: they wish things at any moment, and answer when they are asked."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from simulation.agent import NEVER
from simulation.liveness import waits
from simulation.script import Wish
from simulation.trail import Broken

from noonday_coordinator.core import commands as c
from noonday_coordinator.core.astray import astray
from noonday_coordinator.core.state import Rollout
from noonday_shared.errors import BadInput, Temporary

if TYPE_CHECKING:
    from simulation.world import World


class Operators:
    def __init__(self, world: World) -> None:
        self._world = world
        self._answer_at = NEVER

    def wish(self, wish: Wish) -> None:
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
            "supersede": c.Deploy("web", world.chance.choice(versions), policy, supersede=True),
            "reconcile": c.Reconcile("web", policy),
            "unblock": c.Unblock("web", world.chance.choice(versions)),
            "remove": c.Remove(wish.host),
        }
        taken = world.enroll(wish.host) if wish.kind == "enroll" else world.ask(commands[wish.kind])
        world.mishaps.happened[f"operator: {wish.kind}"] += taken
        if wish.kind != "enroll":
            self._ask_the_wrong_one(commands[wish.kind])
        nobody = policy.model_copy(update={"hosts": {"role": "nobody"}})
        if wish.kind == "deploy" and world.ask(c.Deploy("web", versions[0], nobody)):
            raise Broken("rule 7: a host filter that matches nothing was taken")

    def _ask_the_wrong_one(self, command: c.Command) -> None:
        """Whoever does not know that the coordinator was replaced still gives orders to the old one."""
        for other in self._world.others:
            if other.alive and not other.cut_off:
                with suppress(BadInput, Temporary):
                    other.ask(command)
                    self._world.tell("operator", f"{type(command).__name__}, to the coordinator that was replaced")

    def mend(self) -> None:
        """What the reasons tell a person to do: let in what somebody holds out, start again what runs the old code,
        and bring home whoever does not go there by himself."""
        world, policy = self._world, self._world.script.policy
        for name, host in world.coordinator.engine.state.hosts.items():
            report, here = host.app("web").report, world.hosts[name]
            if host.drained_by:
                world.ask(c.UndrainHost(name))
            elif report is not None and report.trouble and report.trouble.rule == "held-out":
                world.ask(c.DrainHost(name))
                world.pass_until(world.clock.now() + 10.0)
                world.ask(c.UndrainHost(name))
            elif not here.place.gets_requests and here.running != here.releases.current:
                world.tell("operator", f"starts the app on {name} again")
                here.process.boot()
        state = world.coordinator.engine.state
        reports = [host.app("web").report for host in state.hosts.values()]
        left = any(not one.by_itself for one in astray(state, state.app("web"), policy))
        if left or not policy.catch_up or any(one is not None and not one.in_service for one in reports):
            world.ask(c.Reconcile("web", policy))

    def answer_some_time(self) -> None:
        """A person who is asked answers within half a minute."""
        world, rollout = self._world, self._world.active
        if rollout is None or not waits(rollout):
            self._answer_at = NEVER
        elif self._answer_at == NEVER:
            self._answer_at = world.clock.now() + world.chance.uniform(2.0, 30.0)
        elif world.clock.now() >= self._answer_at and world.coordinator.alive and not world.coordinator.full:
            self._answer_at = NEVER
            self.answer(rollout)

    def answer(self, rollout: Rollout, *, in_vain: bool = False) -> None:
        """One of the answers that the question offers, in any order, until one is taken. Whoever said `in_vain` again
        and again that it may go on says no at last."""
        world = self._world
        answers: list[c.Command] = [c.Abort("web"), c.Rollback("web", world.script.policy)]
        answers += [] if in_vain else [c.Promote("web")]
        if rollout.paused_by:
            answers.append(c.Resume("web"))
        for command in world.chance.sample(answers, len(answers)):
            if world.ask(command) or not world.coordinator.alive or world.active is None:
                return
        raise Broken(f"rule 4: {rollout.id} waits for a person, and no answer is taken")
