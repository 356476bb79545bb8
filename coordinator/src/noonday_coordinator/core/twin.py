"""The twin: a host of a later wave that is restarted on the old release beside the canary, so that their starts can be
compared at equal age. Pure.

What it does follows from what it was assigned, and from what it reported since: nothing else is kept of it.
"""

from __future__ import annotations

from noonday_coordinator.core.absorb import GRACE, settled
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
            if prepared and near and serves(_on_host(state, rollout, name), rollout.previous):
                return name
    return ""


def serves(on_host: AppOnHost, release: ReleaseRef) -> bool:
    """Whether the host serves this release well, and nothing is under way on it."""
    report = on_host.report
    return report is not None and on_host.serves_well and (report.proven, report.live) == (release, release.id)


def told(state: State, rollout: Rollout) -> str:
    """The host that was told to restart for this rollout; empty before, and once it was told something else."""
    for name in rollout.members:
        assigned = _on_host(state, rollout, name).assigned
        if assigned is not None and assigned.restart_for == rollout.id:
            return name
    return ""


def under_way(state: State, view: View, rollout: Rollout, now: float) -> str:
    """The twin while it may be out because of us; empty when there is none."""
    name = told(state, rollout)
    return name if name and not settled(_on_host(state, rollout, name)) and not _late(state, view, rollout, now) else ""


def missing(state: State, view: View, rollout: Rollout, now: float) -> str:
    """Why the twin did not come back, as a sentence; empty when it did, or still may. It may do so later."""
    name = told(state, rollout)
    if not name:
        return ""
    on_host = _on_host(state, rollout, name)
    report = on_host.report
    if settled(on_host) and report is not None:
        why = str(report.trouble) if report.trouble else "it gave no reason"
        failed = report.outcome is not Outcome.DONE
    else:
        why = f"no end of its restart was reported in {now - on_host.assigned_at:.0f} s."
        failed = _late(state, view, rollout, now)
    if not failed:
        return ""
    return f"The twin {name} did not come back on {rollout.previous}, which is not the new release's fault. {why}"


def _late(state: State, view: View, rollout: Rollout, now: float) -> bool:
    on_host = _on_host(state, rollout, told(state, rollout))
    assigned = on_host.assigned
    return assigned is not None and view.in_vain(on_host.assigned_at + assigned.deadline + GRACE, GRACE, now)


def _on_host(state: State, rollout: Rollout, name: str) -> AppOnHost:
    host = state.hosts.get(name)
    return host.app(rollout.app) if host else AppOnHost()
