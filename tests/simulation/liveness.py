"""Rules 4 and 10: nothing waits for ever, and nobody is out without a word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulation.agent import SimulatedAgent
from simulation.trail import Broken

from noonday_coordinator.core import events as e
from noonday_coordinator.core.absorb import GRACE
from noonday_coordinator.core.policy import Policy
from noonday_coordinator.core.state import AppOnHost, Rollout
from noonday_shared.messages import Goal, Phase

if TYPE_CHECKING:
    from simulation.world import World

EVERY = 2.0
SLACK = 60.0
TELLS_WITHIN = 150.0
"""Seconds in which a host that is connected has told why it is out, whatever the broker loses."""


class Liveness:
    """Looks on while time passes."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._patience = patience(world.script.policy)
        self._word_at: dict[str, float] = {}
        self._runs_since = 0.0
        self._told_since: dict[str, float] = {}
        self._next = 0.0

    def recorded(self, record: e.Record) -> None:
        rollout = getattr(record.event, "rollout", "")
        if rollout:
            self._word_at[rollout] = self._world.clock.now()

    def passed(self) -> None:
        """Looks every EVERY seconds: what it waits for takes minutes."""
        now, coordinator = self._world.clock.now(), self._world.coordinator
        if now < self._next:
            return
        self._next = now + EVERY
        if not coordinator.alive or coordinator.cut_off or coordinator.full:
            self._runs_since = now
        rollout = self._world.active
        if rollout is not None and waits(rollout):
            self._word_at[rollout.id] = now
        elif rollout is not None:
            silent = now - max(self._word_at.get(rollout.id, 0.0), self._runs_since)
            if silent > self._patience:
                raise Broken(f"rule 4: nothing was heard of {rollout.id} ({rollout.stage}) for {silent:.0f} s")
        for agent in self._world.agents.values():
            self._explained(agent, now)

    def _explained(self, agent: SimulatedAgent, now: float) -> None:
        host = agent.host
        there = agent.alive and not agent.cut_off and not host.full and self._runs_since < now
        enrolled = self._world.coordinator.engine.state.hosts.get(host.name)
        if not there or enrolled is None or host.serves_well or host.place.lags:
            self._told_since[host.name] = now
            return
        silent = now - max(self._told_since.setdefault(host.name, now), self._runs_since)
        if silent > TELLS_WITHIN and not enrolled.drained_by and not stated(enrolled.app("web")):
            raise Broken(f"rule 10: {host.name} is out for {silent:.0f} s, and nobody can tell why")


def stated(on_host: AppOnHost) -> bool:
    """Whether `noonday hosts` can tell why the app is out there."""
    report, assigned = on_host.report, on_host.assigned
    if report is None or assigned is None or assigned.goal is not Goal.SERVING:
        return True
    working = report.phase is not Phase.SETTLED or report.generation != assigned.generation
    return bool(working or report.trouble or report.healthy is not True or report.in_service is None)


def waits(rollout: Rollout) -> bool:
    """Whether it waits for a person and says so."""
    return bool(rollout.asked or rollout.paused_by or rollout.stage is e.Stage.GATE)


def patience(policy: Policy) -> float:
    """Seconds in which a rollout under way takes a step, ends, or asks: its longest wait, and what reports may take."""
    longest = max(policy.prepare_within, policy.host_within + GRACE, policy.examine, policy.examine_most)
    return longest + policy.wave_pause + policy.unreachable_after + GRACE + SLACK


def whole_time(policy: Policy, hosts: int) -> float:
    """Seconds in which a rollout of `hosts` ends or asks once nothing is wrong any more: each waits in vain once on its
    way forward and once on its way back."""
    each = policy.host_within + GRACE + policy.unreachable_after
    waits_between = (len(policy.waves) + 1 + hosts) * policy.wave_pause + max(policy.examine, policy.examine_most)
    return policy.prepare_within + GRACE + 2 * hosts * each + waits_between + SLACK
