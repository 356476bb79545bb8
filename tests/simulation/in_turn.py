"""Rules 14 and 15: group by group with a limit for each, and no more failures than the policy lets pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import groupby

from simulation.script import Script
from simulation.trail import Broken

from noonday_coordinator.core import events as e
from noonday_coordinator.core.policy import share_of
from noonday_coordinator.core.state import LEFT_OUT, HostState, Rollout, State
from noonday_shared.messages import Goal

OVER = LEFT_OUT | {HostState.SERVING}
"""States of hosts for which a rollout waits no longer."""


class InTurn:
    def __init__(self, script: Script) -> None:
        self._racks: Mapping[str, str] = dict(script.racks)
        self._policy = script.policy
        self._size = Counter(self._racks.values())
        self._started: dict[str, e.RolloutStarted] = {}
        self._last: dict[tuple[str, str], str] = {}
        self._failed: Counter[str] = Counter()
        self._told_to_go_on: set[str] = set()

    def recorded(self, state: State, event: e.Event) -> None:
        match event:
            case e.RolloutStarted() as started:
                self._begun(started)
            case e.Promoted(rollout):
                self._told_to_go_on.add(rollout)
            case e.HostJudged(rollout, host, to):
                worked = self._last.get((rollout, host)) is HostState.WORKING
                if worked and to in (HostState.REVERTED, HostState.FAILED):
                    self._failed[rollout] += host not in self._started[rollout].sick
                self._last[rollout, host] = HostState(to)
            case e.Assigned(rollout=rollout, restart_for="") if rollout in state.rollouts:
                self._may_go(state.rollouts[rollout], event)

    def within_groups(self, out: Iterable[str]) -> None:
        """Of those that are out because of us no group has more than it may."""
        names = list(out) if self._racks else []
        for rack, count in Counter(self._racks[name] for name in names).items():
            most = share_of(self._policy.group_limit, self._size[rack])
            if count > most:
                raise Broken(f"rule 14: of {', '.join(names)} {count} are in rack {rack}, and at most {most} may be")

    def _begun(self, started: e.RolloutStarted) -> None:
        self._started[started.rollout] = started
        if not self._racks or started.kind == "reconcile":
            return
        order = [rack for rack, _ in groupby(name for wave in started.waves for name in map(self._racks.get, wave))]
        mixed = [wave for wave in started.waves if len({self._racks[name] for name in wave}) > 1]
        if mixed or len(order) != len(set(order)):
            raise Broken(f"rule 14: {started.rollout} goes through its racks in this order: {started.waves}")

    def _may_go(self, rollout: Rollout, told: e.Assigned) -> None:
        """Checked for each word that takes a host to the release of its rollout."""
        forward = told.goal is Goal.SERVING and told.release == rollout.release and rollout.stage is e.Stage.ROLLING
        if not forward or rollout.kind == "reconcile":
            return
        allowed = share_of(self._policy.max_failures, len(rollout.hosts))
        if rollout.kind == "deploy" and rollout.id not in self._told_to_go_on and self._failed[rollout.id] > allowed:
            raise Broken(
                f"rule 15: {self._failed[rollout.id]} hosts failed, {allowed} may, and {told.host} is told to go"
            )
        if self._racks:
            order = list(dict.fromkeys(self._racks[name] for name in rollout.members))
            before = set(order[: order.index(self._racks[told.host])])
            late = [
                one for one in rollout.members if self._racks[one] in before and rollout.hosts[one].state not in OVER
            ]
            if late:
                raise Broken(
                    f"rule 14: {told.host} is told to go, and {', '.join(late)} of an earlier rack is not over"
                )
