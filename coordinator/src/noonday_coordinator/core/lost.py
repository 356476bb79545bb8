"""Hosts that were given up on: until when what was said to them holds, when it is said again, and when that is late.
Pure.

Such a host may come back at any moment and do what it was told last, so nothing may be on its way to it by then.
"""

from __future__ import annotations

from noonday_coordinator.core.restored import is_stale
from noonday_coordinator.core.returning import is_alone, may_return, obstacles
from noonday_coordinator.core.room import BUSY, heard, may_renew, stays_out
from noonday_coordinator.core.state import HostState, State
from noonday_coordinator.core.view import View
from noonday_coordinator.core.void import is_void
from noonday_shared.messages import Goal


def valid_until(state: State, view: View, host: str, app: str, now: float, longest: float) -> float:
    """The instant until which an assignment sent `now` may be taken up: `now` when it must not be sent at all."""
    on_host = state.hosts[host].app(app)
    if is_stale(state, view, host, on_host):
        return now
    assigned = on_host.assigned
    rollout = state.rollouts.get(assigned.rollout) if assigned else None
    if assigned is None or rollout is None or assigned.goal is not Goal.SERVING or on_host.taken:
        return now + longest
    member = rollout.hosts[host]
    renews = bool(assigned.restart_for) and not on_host.would_change  # else its disk was put back, and it would switch
    match member.state:
        case state_ if (state_ in BUSY or renews) and rollout.end is None:
            if state_ not in BUSY and not may_renew(state, view, rollout, host, now):
                return now
            return max(now, min(now + longest, on_host.assigned_at + assigned.deadline))
        case _ if is_void(state, host, on_host):
            return now
        case HostState.LOST | HostState.FAILED if may_return(state, view, rollout, host, now):
            return now + min(longest, rollout.policy.unreachable_after)
        case HostState.LOST:
            return now
        case HostState.FAILED if on_host.assigned_at < member.since:
            return now  # what it was told before it was given up on; what it was told since holds
        case _ if on_host.would_change:
            # It served this already and lost it, as when its disk was put back. Others may have, at the same time.
            idle = state.active(app) is None and may_return(state, view, rollout, host, now)
            loses_nothing = heard(view, rollout, host, now) and stays_out(rollout, on_host, now)
            return now + min(longest, rollout.policy.unreachable_after) if idle or loses_nothing else now
        case _:
            return now + longest


def held_back(state: State, view: View, host: str, app: str, now: float) -> str:
    """What keeps a host that is heard from what it was told last in a rollout that is over, as sentences: once that
    took as long again as one host may take. Empty before, and where nothing is awaited."""
    on_host, active = state.on(host, app), state.active(app)
    assigned = on_host.assigned
    rollout = state.rollouts.get(assigned.rollout) if assigned else None
    if assigned is None or assigned.release is None or rollout is None or rollout.end is None or on_host.taken:
        return ""
    said_no_more = is_stale(state, view, host, on_host) or is_void(state, host, on_host)
    if said_no_more or not heard(view, rollout, host, now) or (active and host in active.hosts):
        return ""
    over = on_host.assigned_at + assigned.deadline  # its own time; an instant that moves with a clock that is set
    if not view.in_vain(over + rollout.policy.host_within, rollout.policy.unreachable_after, now):
        return ""
    ago = f"{now - on_host.assigned_at:.0f} s ago"
    waited = f"{host} was to serve {app} {assigned.release.version} {ago}, and did not take it up"
    if valid_until(state, view, host, app, now, 1.0) > now:
        return f"{waited}, though it is told again and again. On {host}: noonday-agent status"
    if active is None and on_host.in_service and is_alone(state, view, rollout, host, now):
        return f"{waited}: it is the only one that serves. It stays as it is. Next: noonday deploy, with --allow-outage"
    under_way = (f"{active.id} is under way", f"noonday show {active.id}") if active else None
    why, mend = under_way or obstacles(state, view, rollout, host, now)
    return f"{waited}: {why}. It stays as it is, and is told again once another one serves and there is room. {mend}"
