"""Hosts that were given up on: until when what was said to them holds, when it is said again, and when that is late.
Pure.

Such a host may come back at any moment and do what it was told last, so nothing may be on its way to it by then.
"""

from __future__ import annotations

from noonday_coordinator.core.restored import is_stale
from noonday_coordinator.core.room import (
    BUSY,
    counted,
    group_has_room,
    heard,
    in_mid_step,
    in_the_way,
    limit_of,
    stays_out,
)
from noonday_coordinator.core.state import AppOnHost, HostState, Rollout, State
from noonday_coordinator.core.view import View
from noonday_shared.messages import Goal, Outcome


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
    renews = bool(assigned.restart_for) and not would_change(on_host)  # else its disk was put back, and it would switch
    match member.state:
        case state_ if (state_ in BUSY or renews) and rollout.end is None:
            return max(now, min(now + longest, on_host.assigned_at + assigned.deadline))
        case HostState.LOST | HostState.FAILED if _may_return(state, view, rollout, host, now):
            return now + min(longest, rollout.policy.unreachable_after)
        case HostState.LOST:
            return now
        case _ if is_void(state, host, on_host):
            return now
        case HostState.FAILED if on_host.assigned_at < member.since:
            return now  # what it was told before it was given up on; what it was told since holds
        case _ if would_change(on_host):
            # It served this already and lost it, as when its disk was put back. Others may have, at the same time.
            idle = state.active(app) is None and _may_return(state, view, rollout, host, now)
            loses_nothing = heard(view, rollout, host, now) and stays_out(rollout, on_host, now)
            return now + min(longest, rollout.policy.unreachable_after) if idle or loses_nothing else now
        case _:
            return now + longest


def is_void(state: State, host: str, on_host: AppOnHost) -> bool:
    """Whether it was told to serve a release and is to try again: in its turn and by a new word, or not at all."""
    assigned = on_host.assigned
    rollout = state.rollouts.get(assigned.rollout) if assigned else None
    if assigned is None or rollout is None or assigned.goal is not Goal.SERVING or assigned.stay or on_host.taken:
        return False
    return rollout.hosts[host].state is HostState.PREPARED and assigned.release == rollout.release


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
    if active is None and on_host.in_service and len(_fleet(state, view, rollout, host, now)) == 1:
        return f"{waited}: it is the only one that serves. It stays as it is. Next: noonday deploy, with --allow-outage"
    others = others_out(state, view, rollout, host, now) or _goes_first(state, view, rollout, host, now)
    why = f"{active.id} is under way" if active else others
    again = "It stays as it is, and is told again once another one serves and there is room"
    return f"{waited}: {why}. {again}. Mend those (noonday hosts), or: noonday remove HOST"


def others_out(state: State, view: View, rollout: Rollout, host: str, now: float) -> str:
    """Who else is out or ill, as in 'web-3 is out of service'; empty when nobody is."""
    return ", ".join(f"{name} {why}" for name, why in in_the_way(state, view, rollout, now).items() if name != host)


def _may_return(state: State, view: View, rollout: Rollout, host: str, now: float) -> bool:
    """Once the rollout is over and the host is heard again, within the same limit as ever."""
    if rollout.end is None or not heard(view, rollout, host, now):
        return False
    on_hosts = _fleet(state, view, rollout, host, now)
    serving = {name for name in on_hosts if _stays_in(state, view, rollout, name, now)}
    missing = [name for name in on_hosts if _uses_room(state, view, rollout, name, now)]
    well = {name for name in serving if on_hosts[name].serves_well}
    limit = limit_of(rollout, back=serving)
    if not on_hosts[host].in_service:
        others = bool(well - {host}) or len(on_hosts) == 1
        free = len(missing) <= limit and group_has_room(state, rollout, host, {*missing} - {host})
        return (others and free) or stays_out(rollout, on_hosts[host], now)
    if state.active(rollout.app) is not None:
        return False  # that may be just about to tell another one to leave
    waiting = [name for name in _waiting(state, view, on_hosts) if name in serving]
    # Those whose apps are ill lose nothing. Of the others one stays in service, but for the only host; and of all.
    stay = not (len(on_hosts) == 1 and (rollout.policy.allow_outage or on_hosts[host].ill))
    spare = [name for name in waiting if name in well][: max(len(well) - stay, 0)]
    may_go = [*(name for name in waiting if on_hosts[name].ill), *spare]
    most = min(limit - len(missing), len(serving) - stay)
    return host in _as_far_as_there_is_room(state, rollout, may_go, missing, most)


def _as_far_as_there_is_room(
    state: State, rollout: Rollout, may_go: list[str], missing: list[str], most: int
) -> list[str]:
    """Those of them that leave together, in the given order; `most` at once."""
    chosen: list[str] = []
    for host in may_go:
        away = [*missing, *chosen]
        if len(chosen) < most and group_has_room(state, rollout, host, away):
            chosen.append(host)
    return chosen


def _goes_first(state: State, view: View, rollout: Rollout, host: str, now: float) -> str:
    """Whose turn is before this one's, as in 'web-1 goes first, and did not yet take up ...'."""
    waiting = _waiting(state, view, _fleet(state, view, rollout, host, now))
    before = waiting[: waiting.index(host)] if host in waiting else []
    if not before:
        return "others go first"
    verb, they = ("goes", "it was") if len(before) == 1 else ("go", "they were")
    return f"{', '.join(before)} {verb} first, and did not yet take up what {they} told"


def _fleet(state: State, view: View, rollout: Rollout, host: str, now: float) -> dict[str, AppOnHost]:
    """The host and all that are looked at beside it."""
    # One that was left out is counted nowhere, but was told to prepare, and after that to serve what it serves.
    names = dict.fromkeys((host, *counted(state, rollout), *_others(state, view, rollout, now)))
    return {name: state.hosts[name].app(rollout.app) for name in names if name in state.hosts}


def _waiting(state: State, view: View, on_hosts: dict[str, AppOnHost]) -> list[str]:
    """Those that wait for room, the first told first: the same order whichever of them is asked about."""
    told = {name: one.assigned.generation for name, one in on_hosts.items() if one.assigned}
    return [
        name for name in sorted(told, key=lambda name: told[name]) if _awaits_room(state, view, name, on_hosts[name])
    ]


def _awaits_room(state: State, view: View, host: str, on_host: AppOnHost) -> bool:
    """Whether it may leave for what it was told last, in whichever rollout that was, once it is told again."""
    assigned = on_host.assigned
    rollout = state.rollouts.get(assigned.rollout) if assigned else None
    if assigned is None or rollout is None or rollout.end is None or on_host.taken:
        return False
    if is_void(state, host, on_host) or is_stale(state, view, host, on_host):
        return False
    given_up = rollout.hosts[host].state in (HostState.LOST, HostState.FAILED)
    return assigned.goal is Goal.SERVING and (given_up or would_change(on_host))


def _others(state: State, view: View, rollout: Rollout, now: float) -> list[str]:
    """Hosts of the same fleet that are not counted in the rollout, as they came since or were left out, and serve or
    are on their way to, unless they are dead."""
    active = state.active(rollout.app)
    moved = set(active.hosts) if active else set()
    fleet, known = state.hosts_with(rollout.policy.hosts), set(counted(state, rollout))
    on_hosts = {host.name: host.app(rollout.app) for host in fleet if host.name not in known}
    coming = (name for name, one in on_hosts.items() if in_mid_step(one) and heard(view, rollout, name, now))
    there = {*moved, *coming, *(name for name, one in on_hosts.items() if one.in_service)}
    return [name for name in on_hosts if name in there]


def _uses_room(state: State, view: View, rollout: Rollout, host: str, now: float) -> bool:
    """Whether it is out, or on its way, so that nobody else may go. One that is dead, or that an operator drained,
    keeps nobody waiting, unless it may be out because of us."""
    on_host = state.hosts[host].app(rollout.app)
    if not heard(view, rollout, host, now):
        return in_mid_step(on_host)
    if state.hosts[host].drained_by:
        return on_host.in_service or in_mid_step(on_host)
    return not _stays_in(state, view, rollout, host, now)


def _stays_in(state: State, view: View, rollout: Rollout, host: str, now: float) -> bool:
    """Whether the host serves, and nobody wants it out."""
    enrolled = state.hosts[host]
    on_host = enrolled.app(rollout.app)
    wanted = not enrolled.drained_by and state.goal_of(host, rollout.app) is not Goal.OUT
    return on_host.in_service and not _working(on_host) and wanted and heard(view, rollout, host, now)


def would_change(on_host: AppOnHost) -> bool:
    """Whether what it was told last would take it out of service, since it has something else."""
    assigned, report = on_host.assigned, on_host.report
    if assigned is None or assigned.release is None or report is None:
        return False
    return report.live != assigned.release.id


def _working(on_host: AppOnHost) -> bool:
    return on_host.taken and on_host.report is not None and on_host.report.outcome is Outcome.WORKING
