"""The twin: a host of a later wave that is restarted on the old release beside the canary, so that their starts can be
compared at equal age. Pure.

What it does follows from what it was assigned, and from what it reported since: nothing else is kept of it.
"""

from __future__ import annotations

from noonday_coordinator.core.absorb import overdue, settled
from noonday_coordinator.core.state import AppOnHost, HostState, Rollout, State
from noonday_coordinator.core.view import View
from noonday_shared.messages import Outcome
from noonday_shared.names import ReleaseRef


def wanted(rollout: Rollout) -> bool:
    """Whether the rollout compares starts with a twin's."""
    policy = rollout.policy
    compares = rollout.kind == "deploy" and rollout.previous is not None and policy.examine > 0
    return policy.twin_control and compares and not rollout.promoted


def candidate(state: State, view: View, rollout: Rollout, now: float) -> str:
    """The first host of the following waves that serves the old release well; empty when there is none, or when one was
    told already."""
    if rollout.previous is None or told(state, rollout):
        return ""
    for wave in rollout.waves[1:]:
        for name in wave:
            prepared = rollout.hosts[name].state is HostState.PREPARED
            near = view.silent_for(name, now) <= rollout.policy.unreachable_after
            if prepared and near and serves(state.on(name, rollout.app), rollout.previous):
                return name
    return ""


def serves(on_host: AppOnHost, release: ReleaseRef) -> bool:
    """Whether the host serves this release well, and nothing is under way on it."""
    report = on_host.report
    return report is not None and on_host.serves_well and (report.proven, report.live) == (release, release.id)


def told(state: State, rollout: Rollout) -> str:
    """The host that was told to restart for this rollout; empty before, and once it was told something else."""
    return next((name for name in rollout.members if _is_told(state.on(name, rollout.app), rollout)), "")


def under_way(state: State, view: View, rollout: Rollout, now: float) -> bool:
    """Whether the twin may be out because of us."""
    name = told(state, rollout)
    return bool(name) and may_leave(view, state.on(name, rollout.app), rollout, now)


def may_leave(view: View, on_host: AppOnHost, rollout: Rollout, now: float) -> bool:
    """Whether this host is the twin, and in the middle of its restart or about to begin it."""
    return _is_told(on_host, rollout) and not settled(on_host) and not overdue(view, rollout, on_host, now)


def missing(state: State, view: View, rollout: Rollout, now: float) -> str:
    """Why the twin did not come back, as a sentence; empty when it did, or still may. It may do so later."""
    name = told(state, rollout)
    if not name:
        return ""
    on_host = state.on(name, rollout.app)
    report = on_host.report
    if settled(on_host) and report is not None:
        why = str(report.trouble) if report.trouble else "it gave no reason"
        failed = report.outcome is not Outcome.DONE
    else:
        why = f"no end of its restart was reported in {now - on_host.assigned_at:.0f} s."
        failed = overdue(view, rollout, on_host, now)
    if not failed:
        return ""
    what = "was not restarted" if on_host.in_service else "did not come back"
    return f"The twin {name} {what} on {rollout.previous}, which is not the new release's fault. {why}"


def _is_told(on_host: AppOnHost, rollout: Rollout) -> bool:
    return on_host.assigned is not None and on_host.assigned.restart_for == rollout.id
