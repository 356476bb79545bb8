"""Hosts whose assignment never reached them, because the broker or we were away for its whole time. Pure."""

from __future__ import annotations

from noonday_coordinator.core.assign import assign
from noonday_coordinator.core.events import Assigned, Event, HostJudged
from noonday_coordinator.core.room import BUSY, heard, is_needed
from noonday_coordinator.core.state import AppOnHost, HostState, Rollout, State
from noonday_coordinator.core.view import View

MOST = 3
"""Times in a row that a host is told the same again: a broker that comes and goes keeps no rollout waiting for ever."""


def tell_again(state: State, view: View, rollout: Rollout, now: float) -> list[Event]:
    """The same under a new number and with time anew: that nobody could speak is no fault of a release. One at a time.

    Only for hosts that were heard since, so that what they took up is known, and once for each absence. Whoever still
    did not take it up after `MOST` absences is at fault itself. Nobody sets out while the rollout is held, or while the
    host is the last one that serves well, as it may have become meanwhile: on the way forward it waits for its turn.
    """
    if view.deaf:
        return []
    for host in rollout.in_state(*BUSY):
        told = state.on(host, rollout.app).assigned
        if told is None or told.release is None or told.rollout != rollout.id:
            continue
        on_host = state.hosts[host].app(rollout.app)
        if not (_never_reached(on_host, told, view, now) and heard(view, rollout, host, now)):
            continue
        leaves = on_host.would_change or bool(told.restart_for)
        forward = rollout.hosts[host].state is HostState.WORKING
        if (forward and rollout.held) or (leaves and is_needed(state, view, rollout, host, now)):
            if forward:
                return [HostJudged(rollout.id, host, HostState.PREPARED, "was told in vain, and waits for its turn")]
            continue
        other, renew = told.previous, told.restart_for
        return [*assign(state, rollout, [host], told.goal, told.release, previous=other, restart_for=renew, again=True)]
    return []


def _never_reached(on_host: AppOnHost, told: Assigned, view: View, now: float) -> bool:
    late = on_host.assigned_at < view.listens_since and now >= on_host.assigned_at + told.deadline
    fresh = view.last_seen.get(told.host, 0.0) > view.listens_since
    untaken = on_host.report is None or on_host.behind
    return late and fresh and untaken and on_host.told_again < MOST
