"""Assignments, and how many hosts may be out at once. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from noonday_coordinator.core import twin
from noonday_coordinator.core.events import Assigned, Event, HostJudged
from noonday_coordinator.core.plan import drain_limit
from noonday_coordinator.core.state import HostState, Rollout, State
from noonday_coordinator.core.view import View
from noonday_shared.messages import Goal
from noonday_shared.names import ReleaseRef

BUSY = (HostState.WORKING, HostState.GOING_BACK)


def assign(
    state: State,
    rollout: Rollout,
    hosts: Iterable[str],
    goal: Goal,
    release: ReleaseRef,
    *,
    previous: ReleaseRef | None,
    restart_for: str = "",
) -> list[Event]:
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
            observe=True,
            restart_for=restart_for,
        )
        for number, host in enumerate(hosts, 1)
    ]


def move_on(state: State, rollout: Rollout, hosts: list[str], release: ReleaseRef, to: HostState) -> list[Event]:
    """The hosts begin to serve `release`, as `to` says: working on the new one, or going back."""
    other = rollout.previous if release == rollout.release else None
    assigned = assign(state, rollout, hosts, Goal.SERVING, release, previous=other)
    return [*assigned, *(HostJudged(rollout.id, host, to) for host in hosts)]


def restart_twin(state: State, rollout: Rollout, host: str, release: ReleaseRef) -> list[Event]:
    """The host goes through the steps of a release on `release`, which it serves already."""
    return assign(state, rollout, [host], Goal.SERVING, release, previous=None, restart_for=rollout.id)


def may_move(state: State, view: View, rollout: Rollout, waiting: Iterable[str], now: float) -> list[str]:
    """Hosts that may be taken out now, in the given order. One that is out already costs no capacity; one that is
    silent is waited for, since nobody knows when it would begin."""
    limit = drain_limit(rollout.policy, len(rollout.members), allow_outage=True)
    busy = _busy(state, view, rollout, now)
    missing = {host for host in rollout.members if not serves(state, view, rollout, host, now)}
    chosen: list[str] = []
    for host in waiting:
        if busy >= limit:
            break
        if heard(view, rollout, host, now) and (host in missing or len(missing) < limit):
            chosen.append(host)
            missing.add(host)
            busy += 1
    return chosen


def may_go_back(state: State, view: View, rollout: Rollout, touched: Iterable[str], now: float) -> list[str]:
    """As `may_move` for the way back: hosts that are out for reasons of their own don't keep a bad release in service,
    but the last host in service stays there."""
    limit = drain_limit(rollout.policy, len(rollout.members), allow_outage=True)
    busy = _busy(state, view, rollout, now)
    serving = {host for host in rollout.members if serves(state, view, rollout, host, now)}
    chosen: list[str] = []
    for host in touched:
        alone = not serving - {host} and len(rollout.members) > 1
        if busy < limit and (host not in serving or not alone):
            chosen.append(host)
            serving.discard(host)
            busy += 1
    return chosen


def serves(state: State, view: View, rollout: Rollout, host: str, now: float) -> bool:
    """Whether the host is known to be in service and stays there: not on its way out, and heard of lately."""
    enrolled = state.hosts.get(host)
    if enrolled is None or rollout.hosts[host].state in BUSY:
        return False
    on_host = enrolled.app(rollout.app)
    return on_host.in_service and heard(view, rollout, host, now) and not twin.may_leave(view, on_host, rollout, now)


def heard(view: View, rollout: Rollout, host: str, now: float) -> bool:
    """Whether the host said anything lately."""
    return view.silent_for(host, now) <= rollout.policy.unreachable_after


def _busy(state: State, view: View, rollout: Rollout, now: float) -> int:
    return len(rollout.in_state(*BUSY)) + twin.under_way(state, view, rollout, now)
