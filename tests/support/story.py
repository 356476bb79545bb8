"""The coordinator's pure core, told as a story: facts are kept, decisions are drawn, time passes. No engine, no log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, TypeVar

from noonday_coordinator.core import commands as c
from noonday_coordinator.core import events as e
from noonday_coordinator.core.decide import decide
from noonday_coordinator.core.evolve import evolve
from noonday_coordinator.core.policy import Policy
from noonday_coordinator.core.state import AppOnHost, HostState, Rollout, State
from noonday_coordinator.core.submit import submit
from noonday_coordinator.core.view import CATCH_UP, Judgement, View
from noonday_shared.messages import Goal, Outcome, Phase, TroubleReport
from noonday_shared.names import ReleaseRef
from noonday_shared.release.manifest import ReleaseManifest

E = TypeVar("E")
OLDER, OLD, NEW, OTHER = (
    ReleaseRef(version=version, digest=digit * 64)
    for version, digit in (("0.9.0", "9"), ("1.0.0", "a"), ("1.1.0", "b"), ("1.2.0", "c"))
)


def policy(**changes: Any) -> Policy:
    """Short waits, one host at a time."""
    values = {"app": "web", "hosts": {"role": "web"}, "examine": 60, "examine_most": 120, "least_requests": 10}
    return Policy.model_validate({**values, **changes})


class Story:
    """A fleet that serves 1.0.0, after a first rollout r1, with 1.1.0 pushed. Nothing follows until `settle`."""

    def __init__(self, hosts: int = 3, *, first: ReleaseRef | None = OLD, **changes: Any) -> None:
        self.policy = policy(**changes)
        self.now = 1000.0
        self.state = State()
        self.view = View(since=self.now - CATCH_UP)
        self.names = tuple(f"web-{n}" for n in range(1, hosts + 1))
        self.keep(e.CoordinatorStarted(1))
        for name in self.names:
            self.enroll(name)
            self.report(name, live=first.id if first else "", proven=first, in_service=first is not None)
        for release in (OLD, NEW, OTHER):
            self.keep(e.ReleasePushed("web", release, 1, ReleaseManifest(app="web", version=release.version)))
        if first is not None:
            self.keep(e.RolloutStarted("r1", "web", "deploy", first, None, self.policy, (self.names,)))
            self.keep(e.RolloutEnded("r1", e.End.DONE, "All hosts serve it."))

    def keep(self, *events: e.Event, by: str = "coordinator") -> None:
        for event in events:
            self.state = evolve(self.state, e.Record(0, self.now, by, event))

    def ask(self, command: c.Command, by: str = "alice") -> tuple[e.Event, ...]:
        """Raises `BadInput` for a refusal."""
        events = submit(self.state, self.view, command, now=self.now, by=by)
        self.keep(*events, by=by)
        return events

    def deploy(self, version: str = NEW.version, **changes: Any) -> list[e.Event]:
        self.ask(c.Deploy("web", version, self.policy, **changes))
        return self.settle()

    def rollback(self, why: str = "") -> list[e.Event]:
        self.ask(c.Rollback("web", self.policy, why))
        return self.settle()

    def settle(self) -> list[e.Event]:
        """Everything that follows now."""
        found: list[e.Event] = []
        for _ in range(200):
            events = decide(self.state, self.view, self.now)
            if not events:
                return found
            self.keep(*events)
            found += events
        raise AssertionError(f"it never comes to rest: {found[-3:]}")

    def passing(self, seconds: float, *, silent: Sequence[str] = ()) -> list[e.Event]:
        """Time passes; all hosts but the silent ones are heard; what follows."""
        self.now += seconds
        for name in self.names:
            if name not in silent:
                self.hear(name)
        return self.settle()

    def hear(self, name: str) -> None:
        self.view = replace(self.view, last_seen={**self.view.last_seen, name: self.now})

    def enroll(self, name: str, role: str = "web", **labels: str) -> None:
        self.keep(e.HostEnrolled(name, {"role": role, **labels}, "key"))
        self.hear(name)

    def report(self, name: str, app: str = "web", **changes: Any) -> None:
        """The host says what it said before, but for `changes`."""
        blank = e.Report(1, 0, 1, 0, Outcome.NONE, Phase.SETTLED, in_service=True, healthy=True)
        before = self.state.hosts[name].app(app).report or blank
        self.keep(e.HostReported(name, app, replace(before, seq=before.seq + 1, **changes)), by=name)
        self.hear(name)

    def takes(self, name: str, outcome: Outcome = Outcome.DONE, **changes: Any) -> list[e.Event]:
        """The host reports the end of what it was assigned, and what follows."""
        assigned = self.assigned(name)
        report = self.on(name).report
        assert report is not None
        done = outcome is Outcome.DONE
        serves = done and assigned.goal is Goal.SERVING and assigned.release is not None
        moved = {"live": assigned.release.id, "proven": assigned.release} if serves and assigned.release else {}
        held = {*report.prepared, assigned.release.id} if done and assigned.release else set(report.prepared)
        trouble = None if done else TroubleReport(rule="unhealthy", step="warm-up", text="GET /: 503.")
        self.report(
            name,
            **{
                "term": self.state.term, "generation": assigned.generation, "outcome": outcome, "trouble": trouble,
                "prepared": tuple(sorted(held)), "in_service": assigned.goal is not Goal.OUT, **moved, **changes,
            },
        )  # fmt: skip
        return self.settle()

    def all_take(self) -> None:
        """Every host reports success of what it was assigned, in their order."""
        for name in self.names:
            self.takes(name)

    def judge(
        self,
        verdict: Literal["promote", "roll back", "hold"],
        reason: str = "",
        requests: int = 100,
        doubt: str = "",
    ) -> None:
        reason = reason or f"it says {verdict}"
        judgement = Judgement(verdict, reason, requests, 3 * requests, at=self.now, doubt=doubt)
        self.view = replace(self.view, judgements={**self.view.judgements, self.rollout.id: judgement})

    def on(self, name: str) -> AppOnHost:
        return self.state.hosts[name].app("web")

    def assigned(self, name: str) -> e.Assigned:
        assigned = self.on(name).assigned
        assert assigned is not None, f"{name} was assigned nothing"
        return assigned

    @property
    def rollout(self) -> Rollout:
        """The newest."""
        return list(self.state.rollouts.values())[-1]

    def where(self, name: str) -> HostState:
        return self.rollout.hosts[name].state

    def moving(self) -> list[str]:
        """Hosts that are told to change what they serve, and have not said how that ended."""
        return list(self.rollout.in_state(HostState.WORKING, HostState.GOING_BACK))


def only(events: Sequence[e.Event], kind: type[E]) -> list[E]:
    """Those of one kind."""
    return [event for event in events if isinstance(event, kind)]
