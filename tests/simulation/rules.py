"""What must always hold, checked after every event of the simulation.

Rules 1 to 8 are those of the design; 9 to 15 are what users would call wedged or lost.

1. At most `max_unavailable` hosts are out because of us, and the last one in service that is well is never drained.
2. A host gets requests only with a release that passed its health check after its last start by us.
3. A release that was rolled back is not rolled out again until a person says so.
4. No rollout waits for ever: it ends, or asks a person, within its deadlines, and each end and question has a reason.
5. All of this holds whatever breaks: that is what the mishaps are for.
6. What is forged, expired, another host's or older than what was taken has no effect.
7. A host filter that matches nothing is refused.
8. No restart and no hook happens twice for one assignment.
9. No request is cut: an app is restarted when nothing is under way any more, or `idle_within` is over.
10. Whoever is out is out for a reason that the coordinator can tell.
11. A host that an operator drained is not let in before he says so.
12. A rollout that says done has put its release on hosts that can serve it; one that went back had a cause.
13. Nothing that was kept is lost: the log adds up to what the coordinator believes.
14. Racks are released one after the other, and of each no more are out because of us than its limit says.
15. No further host is told to go once more have failed in the whole rollout than the policy lets pass.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from simulation.blocked import Blocked
from simulation.excuses import Excuses
from simulation.host import Effect, SimulatedHost
from simulation.in_turn import OVER, InTurn
from simulation.script import Script
from simulation.trail import Broken

from noonday_agent.core.journal import Way
from noonday_coordinator.core import events as e
from noonday_coordinator.core.evolve import fold
from noonday_coordinator.core.state import HostState, State
from noonday_shared.clock import Clock
from noonday_shared.messages import Assignment, Goal

STALE = 90.0
"""Seconds after which the coordinator must have noticed that a host is out of service."""
HOPELESS = ("sick", "liar", "unpreparable", "failing-hook", "ill-somewhere")
"""Kinds of release that at least one host can never serve."""
EVIL = "6.6.6"
"""The version that only forged messages name."""


class Rules(Excuses):
    def __init__(self, hosts: Mapping[str, SimulatedHost], script: Script, clock: Clock) -> None:
        super().__init__(clock)
        self._hosts = hosts
        self._forgot_at = -1.0
        self._all = tuple(hosts.values())
        self._script = script
        self._kinds = {one.ref.version: one.kind for one in script.candidates}
        self._in_turn = InTurn(script)
        self._out_before: frozenset[str] = frozenset()
        self._limit = self._limit_of(len(hosts))
        self._members: tuple[str, ...] = tuple(hosts)
        self._beside: tuple[str, ...] = ()
        self._done: Counter[tuple[str, str, str, int]] = Counter()
        self._down_since: dict[str, float] = {}
        self._up_since: dict[str, float] = {}
        self._assigned_at: dict[tuple[str, int], float] = {}
        self._forward: set[tuple[str, int]] = set()
        self._given_up: set[str] = set()
        self._costs_nothing: set[str] = set()
        """Hosts that were not well when they were taken out: nobody was served there."""
        self._told_to_go: set[str] = set()
        """Hosts that were taken out, and not let in by us since."""
        self._orders: dict[str, tuple[int, int]] = {}
        self._taken: dict[str, tuple[int, int, float]] = {}
        self._seen: dict[str, tuple[e.Report | None, Assignment | None]] = {}
        """What was looked at last; most events change neither."""
        self._blocked = Blocked()
        self._decided_by_people: set[str] = set()
        self._rollouts: dict[str, e.RolloutStarted] = {}
        self._began = 0.0
        """When the last rollout began."""
        self._next = 0.0
        self.checks = 0

    def noticed(self, host: SimulatedHost, effect: Effect) -> None:
        """An agent changed its host."""
        if effect.kind in ("out", "in"):
            self.told(host)
        if self.led_astray(host):
            self._undone(host)  # whoever is the coordinator may ask for the same again
            return
        self._weigh(host, effect)
        match effect.kind:
            case "out" if effect.way in (Way.FORWARD, Way.RENEW, Way.LEAVE):
                self._never_the_last(host, effect)
                if (host.name, effect.generation) in self._forward:
                    self._within_limit(self._out())
                    self._in_turn.within_groups(self._out())
            case "in":
                self._given_up.discard(host.name)
                self._not_drained(host)
            case "restart":
                way = "back" if effect.way in (Way.BACK, Way.STRANDED) else "forward"
                if not host.process.up:  # whoever died between stop and start has to start it
                    self._done.pop((host.name, "restart", way, effect.generation), None)
                if not host.process.keeps_old:  # else it only says that it restarted anything
                    self._once(host, "restart", way, effect.generation)
                self._nothing_cut(host)
            case "hook":
                self._once(host, "hook", effect.what, effect.generation)

    def took(self, host: SimulatedHost) -> None:
        """It took an assignment up. After a replaced coordinator's its successor's last word is new to it once more."""
        self.may_repeat(host)
        if self.led_astray(host):
            self._undone(host)

    def recorded(self, state: State, record: e.Record) -> None:
        """The coordinator kept a fact."""
        self._in_turn.recorded(state, record.event)
        self._blocked.recorded(state, record.event)
        match record.event:
            case e.RolloutStarted() as started:
                self._begun(started)
            case e.RolloutEnded(rollout, e.End.DONE):
                over = state.rollouts[rollout].in_state(*OVER) == state.rollouts[rollout].members
                if not over:
                    raise Broken(
                        f"rule 12: {rollout} says that it is done, and it is not: {state.rollouts[rollout].hosts}"
                    )
                self._rightly_done(rollout, all_hosts=not state.rollouts[rollout].left_out)
            case e.RolloutEnded(rollout, e.End.ROLLED_BACK):
                self._rightly_back(rollout)
            case e.Promoted(rollout) | e.RollbackRequested(rollout):
                self._decided_by_people.add(rollout)
            case e.Assigned(host, _, generation, _, release, rollout=rollout):
                self._assigned_at[host, generation] = self._clock.now()
                if rollout and (record.event.restart_for or self._rollouts[rollout].release == release):
                    self._forward.add((host, generation))
            case e.HostJudged(_, host, HostState.SKIPPED):
                self._members = tuple(one for one in self._members if one != host)
            case e.HostJudged(_, host, HostState.LOST | HostState.FAILED, why) if self._hosts[host].out_cause == "us":
                if not state.on(host, "web").taken or why.startswith("no end of its step"):
                    self._given_up.add(host)
        match record.event:
            case e.RolloutEnded(reason=text) | e.Asked(question=text) | e.StageEntered(reason=text) if not text.strip():
                raise Broken(f"rule 4: no reason is given: {record.event}")

    def check(self, state: State, only: SimulatedHost | None = None) -> None:
        """After every event; `only`: the host that it was about."""
        self.checks += 1
        out = self._out()
        if out:
            moving = [name for name in out if name not in self._given_up]
            self._within_limit(moving)
            self._in_turn.within_groups(moving)
        for host in (only,) if only else self._all:
            self._proven(host)
            self._ordered(host, state)

    def passed(self) -> None:
        """Time went by: who is down, and since when, to a second."""
        now = self._clock.now()
        if now < self._next:
            return
        self._next = now + 1.0
        for host in self._all:
            self.look_on(host)
            if host.serves_well:
                if self._down_since.pop(host.name, None) is not None:
                    self._up_since[host.name] = now
            elif host.out_cause in ("us", "operator"):
                self._down_since[host.name] = now
            else:
                self._down_since.setdefault(host.name, now)

    def whole(self, state: State, records: list[e.Record]) -> None:
        """The log, read anew."""
        if fold(records) != state:
            raise Broken("rule 13: the log adds up to something else than the coordinator believes")

    def put_back(self) -> None:
        """The log is one from a backup: what hosts reported since is not in it."""
        self._seen.clear()
        self._orders.clear()

    def forgotten(self, host: SimulatedHost) -> None:
        """The host's disk lost what it had kept: it can't know any more what it did and was told."""
        if host.name in self._taken:
            self.forgot_order(host, self._taken.pop(host.name))
        self._seen.pop(host.name, None)
        self._orders.pop(host.name, None)
        self._forgot_at = self._clock.now()
        self._undone(host)

    def _weigh(self, host: SimulatedHost, effect: Effect) -> None:
        """Whether anybody is served less with it out. Who is told to go once more was out already."""
        if effect.kind == "in":
            self._costs_nothing.discard(host.name)
            self._told_to_go.discard(host.name)
        elif effect.kind == "out" and host.name not in self._told_to_go:
            self._told_to_go.add(host.name)
            if not host.well:
                self._costs_nothing.add(host.name)

    def _undone(self, host: SimulatedHost) -> None:
        for key in [key for key in self._done if key[0] == host.name]:
            del self._done[key]

    def booted(self, host: SimulatedHost) -> None:
        """Its machine started the app, which nobody could prevent."""
        host.passed.add(host.running)

    def _limit_of(self, total: int) -> int:
        return 1 if total <= 1 else max(min(self._script.policy.limit(total), total - 1), 1)

    def _begun(self, started: e.RolloutStarted) -> None:
        self._rollouts[started.rollout] = started
        self._members = tuple(host for wave in started.waves for host in wave)
        self._beside = started.beside
        self._limit = self._limit_of(len(self._members))
        self._began = self._clock.now()
        self._out_before = frozenset(self._out())

    def _out(self) -> list[str]:
        """Hosts that are out because of us, but for those that served nobody or whose balancer says: in."""
        out = [one for one in self._all if one.out_cause == "us" and one.place.told_out]
        return [one.name for one in out if one.name not in self._costs_nothing and not self.led_astray(one)]

    def _within_limit(self, out: Iterable[str]) -> None:
        names = list(out)
        self._out_before &= frozenset(names)
        # Whom an earlier rollout took out under its own limit, this one only waits for.
        if len(names) > self._limit and frozenset(names) != self._out_before:
            raise Broken(f"rule 1: {', '.join(names)} are out because of us, and at most {self._limit} may be")

    def _never_the_last(self, host: SimulatedHost, effect: Effect) -> None:
        """Others that went down by themselves count once the coordinator must have known before it decided."""
        # For an operator's drain all of the fleet counts, also those that the last rollout left out.
        counted = tuple(self._hosts) if effect.way is Way.LEAVE else (*self._members, *self._beside)
        others = [self._hosts[name] for name in counted if name != host.name]
        if not others or not host.well or any(one.place.lags for one in others):
            return
        decided = self._assigned_at.get((host.name, effect.generation), 0.0)
        if decided < self._up_since.get(host.name, 0.0) and self._clock.now() < self._up_since[host.name] + STALE:
            return  # it was down when it was told, and came up just as it took that up
        if any(one.serves_well for one in others) or self._both_wished(host, decided):
            return
        alone = [one for one in others if one.out_cause not in ("us", "operator")]
        lately = [one for one in alone if self._down_since.get(one.name, self._clock.now()) > decided - STALE]
        if not lately:
            raise Broken(f"rule 1: {host.name} was the last host in service and was drained")

    def _both_wished(self, host: SimulatedHost, decided: float) -> bool:
        """Whether an operator drained it while it was silent, and rolled the only other one back after that: a rollback
        may take the only host out, and whoever is to be drained does not count as one that serves."""
        assignment = host.runner.journal.assignment
        drained = assignment is not None and assignment.goal is Goal.OUT
        alone = len(self._members) == self._limit and self._members != (host.name,)
        return drained and alone and decided < self._began

    def _once(self, host: SimulatedHost, kind: str, what: str, generation: int) -> None:
        self._done[host.name, kind, what, generation] += 1
        if self._done[host.name, kind, what, generation] > 1:
            raise Broken(f"rule 8: {kind} ({what}) of generation {generation} happened twice on {host.name}")

    def _nothing_cut(self, host: SimulatedHost) -> None:
        place, waited = host.place, self._clock.now() - host.out_at
        if not host.process.up or not place.under_way or self.excused(host) or not host.out_cause:
            return
        if waited < self._script.limits.idle_within:
            raise Broken(f"rule 9: {host.name} was restarted {waited:.1f} s after its drain, with requests under way")

    def _not_drained(self, host: SimulatedHost) -> None:
        assignment = host.runner.journal.assignment
        if assignment is not None and assignment.goal is Goal.OUT and not self.excused(host):
            raise Broken(f"rule 11: {host.name} was let in while an operator wants it out")

    def _rightly_done(self, rollout: str, *, all_hosts: bool) -> None:
        started, policy = self._rollouts[rollout], self._script.policy
        kind = self._kinds.get(started.release.version, "good")
        everywhere = all_hosts and len(self._members) == len(self._hosts)
        # An agent that lost its memory finds the release live and well, and can't know that a hook was still to come.
        unknown = kind == "failing-hook" and self._forgot_at >= self._began
        if started.kind == "deploy" and everywhere and kind in HOPELESS and not unknown:
            raise Broken(f"rule 12: {rollout} says that all hosts serve a release that is {kind}")
        noticed = self._script.peaceful and policy.examine >= 10 and self._script.rate >= 10
        if kind == "noisy" and noticed and rollout not in self._decided_by_people:
            raise Broken(f"rule 12: {rollout} rolled a release out that is {kind}, unnoticed")

    def _rightly_back(self, rollout: str) -> None:
        kind = self._kinds.get(self._rollouts[rollout].release.version, "good")
        limits = self._script.limits
        gives_up = limits.on_busy == "give-up" and self._script.longest_request >= limits.idle_within
        if kind == "good" and self._script.peaceful and rollout not in self._decided_by_people and not gives_up:
            raise Broken(f"rule 12: {rollout} rolled a good release back, and nothing was wrong")

    def _proven(self, host: SimulatedHost) -> None:
        if host.running in host.passed or not host.place.gets_requests or not host.process.up:
            return
        if not self.excused(host) and not self.beyond_telling(host):
            raise Broken(f"rule 2: {host.name} gets requests with {host.running}, which passed no health check")

    def _ordered(self, host: SimulatedHost, state: State) -> None:
        enrolled = state.hosts.get(host.name)
        report = enrolled.app("web").report if enrolled else None
        assignment = host.file.kept.assignment if host.powered else None
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
