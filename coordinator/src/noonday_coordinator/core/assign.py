"""Assignments: what hosts are told. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from noonday_coordinator.core.events import Assigned, Event, HostJudged
from noonday_coordinator.core.state import HostState, Rollout, State
from noonday_shared.messages import Goal
from noonday_shared.names import ReleaseRef


def assign(
    state: State,
    rollout: Rollout,
    hosts: Iterable[str],
    goal: Goal,
    release: ReleaseRef,
    *,
    previous: ReleaseRef | None,
    restart_for: str = "",
    again: bool = False,
) -> list[Assigned]:
    """One assignment for each of `hosts`, numbered on from the greatest generation."""
    deadline = rollout.policy.prepare_within if goal is Goal.PREPARED else rollout.policy.host_within
    return [
        Assigned(
            host=host,
            app=rollout.app,
            generation=state.generation + number,
            goal=goal,
            release=release,
            previous=previous,
            rollout=rollout.id,
            deadline=max(deadline, 1.0),
            observe=rollout.kind != "reconcile",
            restart_for=restart_for,
            again=again,
        )
        for number, host in enumerate(hosts, 1)
    ]


def move_on(state: State, rollout: Rollout, hosts: list[str], release: ReleaseRef, to: HostState) -> list[Event]:
    """The hosts begin to serve `release`, as `to` says: working on the new one, or going back."""
    assigned = [
        replace(one, previous=_other(state, rollout, one.host, release))
        for one in assign(state, rollout, hosts, Goal.SERVING, release, previous=None)
    ]
    return [*assigned, *(HostJudged(rollout.id, host, to) for host in hosts)]


def _other(state: State, rollout: Rollout, host: str, release: ReleaseRef) -> ReleaseRef | None:
    """What the host goes back to should it forget what it served. In a homecoming each has something else, and so has
    one that serves an older release when the release of record is rolled out anew."""
    if release != rollout.release:
        return None
    report = state.on(host, rollout.app).report
    own = report.proven if report else None
    return next((one for one in (rollout.previous, own) if one not in (None, release)), None)


def restart_twin(state: State, rollout: Rollout, host: str, release: ReleaseRef) -> list[Event]:
    """The host goes through the steps of a release on `release`, which it serves already."""
    return [*assign(state, rollout, [host], Goal.SERVING, release, previous=None, restart_for=rollout.id)]
