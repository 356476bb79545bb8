"""A coordinator's clock that was set: every instant that something waits from or for moves with it. Pure.

Without this a clock that is put back by two hours would keep a rollout waiting for two hours.
"""

from __future__ import annotations

from dataclasses import replace

from noonday_coordinator.core.state import AppOnHost, Host, InRollout, Rollout, State
from noonday_coordinator.core.view import View

NOTICED = 5.0
"""Seconds; less is what a clock does that is kept right all the time."""


def moved(state: State, by: float) -> State:
    """What ended stays as it was told; `by`: seconds, negative when the clock was put back."""
    return replace(
        state,
        hosts={name: _host(host, by) for name, host in state.hosts.items()},
        apps={name: replace(app, watch_until=_later(app.watch_until, by)) for name, app in state.apps.items()},
        rollouts={name: _rollout(one, by) if one.end is None else one for name, one in state.rollouts.items()},
        restored_at=_later(state.restored_at, by),
    )


def view_moved(view: View, by: float) -> View:
    return replace(
        view,
        since=_later(view.since, by),
        hears_since=_later(view.hears_since, by),
        came_back=tuple(at + by for at in view.came_back),
        last_seen={host: at + by for host, at in view.last_seen.items()},
        on_its_way={one: until + by for one, until in view.on_its_way.items()},
    )


def latest(state: State) -> float:
    """The newest instant that is known of what goes on; a clock that shows an earlier one was put back. 0: none."""
    told = [max(one.assigned_at, one.reported_at) for host in state.hosts.values() for one in host.apps.values()]
    stages = [one.stage_since for one in state.rollouts.values() if one.end is None]
    return max([*told, *stages], default=0.0)


def _later(at: float, by: float) -> float:
    return at + by if at else 0.0


def _host(host: Host, by: float) -> Host:
    return replace(host, apps={name: _on_host(one, by) for name, one in host.apps.items()})


def _on_host(one: AppOnHost, by: float) -> AppOnHost:
    return replace(
        one,
        assigned_at=_later(one.assigned_at, by),
        reported_at=_later(one.reported_at, by),
        unhealthy_since=_later(one.unhealthy_since, by),
        stands_since=_later(one.stands_since, by),
    )


def _rollout(rollout: Rollout, by: float) -> Rollout:
    return replace(
        rollout,
        started_at=_later(rollout.started_at, by),
        stage_since=_later(rollout.stage_since, by),
        deadline=_later(rollout.deadline, by),
        paused_at=_later(rollout.paused_at, by),
        resumed_at=_later(rollout.resumed_at, by),
        hosts={name: _member(member, by) for name, member in rollout.hosts.items()},
    )


def _member(member: InRollout, by: float) -> InRollout:
    return replace(member, since=_later(member.since, by))
