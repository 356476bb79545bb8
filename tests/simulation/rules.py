"""What must always hold (design.md, 8), checked after every event of the simulation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from simulation.host import Effect, SimulatedHost
from simulation.script import Script
from simulation.trail import Broken

from noonday_agent.core.journal import Way
from noonday_coordinator.core import events as e
from noonday_coordinator.core.state import HostState, State
from noonday_shared.clock import Clock
from noonday_shared.messages import Assignment

STALE = 90.0
"""Seconds after which the coordinator must have noticed that a host is out of service."""
HOPELESS = ("sick", "liar", "unpreparable", "failing-hook", "ill-somewhere")
"""Kinds of release that at least one host can never serve."""
EVIL = "6.6.6"
"""The version that only forged messages name."""


class Rules:
    def __init__(self, hosts: Mapping[str, SimulatedHost], script: Script, clock: Clock) -> None:
        self._hosts = hosts
        self._clock = clock
        self._script = script
        self._kinds = {one.ref.version: one.kind for one in script.candidates}
        total = len(hosts)
        self._limit = 1 if total == 1 else max(min(script.policy.limit(total), total - 1), 1)
        self._done: Counter[tuple[str, str, str, int]] = Counter()
        self._down_since: dict[str, float] = {}
        self._assigned_at: dict[tuple[str, int], float] = {}
        self._forward: set[tuple[str, int]] = set()
        self._excused: set[str] = set()
        self._orders: dict[str, tuple[int, int]] = {}
        self._taken: dict[str, tuple[int, int, float]] = {}
        self._seen: dict[str, tuple[e.Report | None, Assignment | None]] = {}
        """What was looked at last; most events change neither."""
        self._back: dict[str, float] = {}
        self._decided_by_people: set[str] = set()
        self._rollouts: dict[str, e.RolloutStarted] = {}

    def noticed(self, host: SimulatedHost, effect: Effect) -> None:
        """An agent changed its host."""
        match effect.kind:
            case "out" if effect.way in (Way.FORWARD, Way.RENEW, Way.LEAVE):
                self._never_the_last(host, effect)
                if (host.name, effect.generation) in self._forward:
                    self._within_limit(out=[one.name for one in self._hosts.values() if one.out_cause == "us"])
            case "in":
                self._excused.discard(host.name)
            case "restart":
                way = "back" if effect.way in (Way.BACK, Way.STRANDED) else "forward"
                self._once(host, "restart", way, effect.generation)
            case "hook":
                self._once(host, "hook", effect.what, effect.generation)

    def recorded(self, state: State, record: e.Record) -> None:
        """The coordinator kept a fact."""
        match record.event:
            case e.RolloutStarted() as started:
                self._rollouts[started.rollout] = started
                if started.kind == "deploy" and started.release.version in self._back:
                    raise Broken(f"{started.release} was rolled back and is rolled out again in {started.rollout}")
            case e.RolloutEnded(rollout, e.End.DONE):
                self._rightly_done(rollout, all_hosts=not state.rollouts[rollout].left_out)
            case e.RolloutEnded(rollout, e.End.ROLLED_BACK):
                self._rightly_back(rollout)
                self._back[self._rollouts[rollout].release.version] = record.at
            case e.Promoted(rollout) | e.RollbackRequested(rollout):
                self._decided_by_people.add(rollout)
            case e.ReleaseUnblocked(_, release):
                self._back.pop(release.version, None)
            case e.Assigned(host, _, generation, _, release, rollout=rollout):
                self._assigned_at[host, generation] = record.at
                if rollout and (record.event.restart_for or self._rollouts[rollout].release == release):
                    self._forward.add((host, generation))
            case e.HostJudged(_, host, HostState.LOST | HostState.FAILED) if self._hosts[host].out_cause == "us":
                self._excused.add(host)
        match record.event:
            case e.RolloutEnded(reason=text) | e.Asked(question=text) | e.StageEntered(reason=text) if not text.strip():
                raise Broken(f"no reason is given: {record.event}")

    def check(self, state: State) -> None:
        """After every event."""
        out = [name for name, host in self._hosts.items() if host.out_cause == "us" and name not in self._excused]
        self._within_limit(out=out)
        for name, host in self._hosts.items():
            self._proven(host)
            self._ordered(host, state)
            if host.place.gets_requests and host.well:
                self._down_since.pop(name, None)
            elif host.out_cause in ("us", "operator"):
                self._down_since[name] = self._clock.now()
            else:
                self._down_since.setdefault(name, self._clock.now())

    def _within_limit(self, *, out: Iterable[str]) -> None:
        names = list(out)
        if len(names) > self._limit:
            raise Broken(f"rule 1: {', '.join(names)} are out because of us, and at most {self._limit} may be")

    def _never_the_last(self, host: SimulatedHost, effect: Effect) -> None:
        """Others that went down by themselves count once the coordinator must have known before it decided."""
        if len(self._hosts) == 1 or not host.well:
            return
        others = [one for one in self._hosts.values() if one is not host]
        if any(one.place.gets_requests and one.well for one in others):
            return
        decided = self._assigned_at.get((host.name, effect.generation), 0.0)
        lately = [one for one in others if self._down_since.get(one.name, 0.0) > decided - STALE]
        by_us = [one for one in others if one.out_cause in ("us", "operator")]
        if not lately or len(by_us) == len(others):
            raise Broken(f"rule 1: {host.name} was the last host in service and was drained")

    def _once(self, host: SimulatedHost, kind: str, what: str, generation: int) -> None:
        self._done[host.name, kind, what, generation] += 1
        if self._done[host.name, kind, what, generation] > 1:
            raise Broken(f"rule 8: {kind} ({what}) of generation {generation} happened twice on {host.name}")

    def _rightly_done(self, rollout: str, *, all_hosts: bool) -> None:
        started, policy = self._rollouts[rollout], self._script.policy
        kind = self._kinds.get(started.release.version, "good")
        if started.kind == "deploy" and all_hosts and kind in HOPELESS:
            raise Broken(f"{rollout} says that all hosts serve a release that is {kind}")
        noticed = self._script.peaceful and policy.examine >= 10 and self._script.rate >= 10
        if kind == "noisy" and noticed and rollout not in self._decided_by_people:
            raise Broken(f"{rollout} rolled a release out that is {kind}, unnoticed")

    def _rightly_back(self, rollout: str) -> None:
        kind = self._kinds.get(self._rollouts[rollout].release.version, "good")
        if kind == "good" and self._script.peaceful and rollout not in self._decided_by_people:
            raise Broken(f"{rollout} rolled a good release back, and nothing was wrong")

    def _proven(self, host: SimulatedHost) -> None:
        if host.place.gets_requests and host.alive and host.running not in host.passed:
            raise Broken(f"rule 2: {host.name} gets requests with {host.running}, which passed no health check")

    def _ordered(self, host: SimulatedHost, state: State) -> None:
        enrolled = state.hosts.get(host.name)
        report = enrolled.app("web").report if enrolled else None
        assignment = host.runner.journal.assignment
        seen = self._seen.get(host.name)
        if seen is not None and seen[0] is report and seen[1] is assignment:
            return
        self._seen[host.name] = (report, assignment)
        if report is not None:
            if (report.boot, report.seq) < self._orders.get(host.name, (0, 0)):
                raise Broken(f"rule 6: an older report of {host.name} replaced a newer one")
            self._orders[host.name] = (report.boot, report.seq)
            if EVIL in report.live:
                raise Broken(f"rule 6: a forged report of {host.name} was believed")
        if assignment is not None:
            if assignment.order < self._taken.get(host.name, (0, 0, 0.0)):
                raise Broken(f"rule 6: {host.name} took an older assignment")
            self._taken[host.name] = assignment.order
            if assignment.release is not None and assignment.release.version == EVIL:
                raise Broken(f"rule 6: {host.name} took a forged assignment")
