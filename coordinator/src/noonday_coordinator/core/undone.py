"""Hosts that served a rollout's release and have another one again, as when a disk was put back. Pure."""

from __future__ import annotations

from noonday_coordinator.core.assign import move_on
from noonday_coordinator.core.events import Event, Stage, StageEntered
from noonday_coordinator.core.examine import suffers_everywhere
from noonday_coordinator.core.room import heard, held_up, may_move
from noonday_coordinator.core.state import AppOnHost, HostState, Rollout, State
from noonday_coordinator.core.view import View


def undone(state: State, rollout: Rollout) -> dict[str, str]:
    """These hosts, and the version that each has instead; in the order of the waves."""
    serving = (name for name in rollout.in_state(HostState.SERVING) if name in state.hosts)
    found = ((name, _instead(state.hosts[name].app(rollout.app), rollout)) for name in serving)
    return {name: version for name, version in found if version}


def bring_again(state: State, view: View, rollout: Rollout, now: float) -> list[Event]:
    """One of them goes forward once more where any host may be taken out, and nobody else is out, since one that just
    comes up will serve in a moment. Where the examine had begun, it begins anew."""
    gone = undone(state, rollout)
    near = (host for host in gone if heard(view, rollout, host, now))
    free = (host for host in near if not held_up(state, view, rollout, now, but=host))
    chosen = next((host for host in free if may_move(state, view, rollout, [host], now)), "")
    if not chosen or suffers_everywhere(rollout, view):
        return []
    events = move_on(state, rollout, [chosen], rollout.release, HostState.WORKING)
    if rollout.stage is Stage.ROLLING:
        return events
    why = f"{_said(gone, [chosen])}, so it is brought to {rollout.release.version} once more"
    return [StageEntered(rollout.id, Stage.ROLLING, rollout.wave, why), *events]


def canary_lost(state: State, view: View, rollout: Rollout, now: float) -> str:
    """Which hosts of the canary have another release again and can't be brought forward once more now, and why; empty
    where none has. What they do says nothing of the release."""
    gone = undone(state, rollout)
    lost = [host for host in gone if host in rollout.waves[0]]
    if not lost:
        return ""
    why = held_up(state, view, rollout, now, but=lost[0]) or suffers_everywhere(rollout, view)
    why = why or ("there is no room" if heard(view, rollout, lost[0], now) else f"{lost[0]} is not heard")
    return f"{_said(gone, lost)} and can't be brought to {rollout.release.version} once more: {why}"


def changed_by_hand(state: State, rollout: Rollout) -> dict[str, str]:
    """Hosts that took the release and have another one since, and the version of that: nothing moves them unasked."""
    serving = ((name, state.on(name, rollout.app)) for name in rollout.in_state(HostState.SERVING))
    moved = ((name, one.report) for name, one in serving if one.taken and one.report is not None)
    other = ((name, report.live) for name, report in moved if report.live != rollout.release.id)
    return {name: live.rpartition("-")[0] or live or "nothing" for name, live in other}


def left_undone(state: State, rollout: Rollout) -> str:
    """What a rollout that is over says of those of them that stay; empty where none does."""
    gone = undone(state, rollout)
    told = f"told again once there is room: noonday reconcile {rollout.app} --plan"
    return f"{_said(gone, list(gone))} and is {told}" if gone else ""


def _said(gone: dict[str, str], names: list[str]) -> str:
    return ", ".join(f"{name} serves {gone[name]} again" for name in names)


def _instead(on_host: AppOnHost, rollout: Rollout) -> str:
    """Empty for one that has the release, or was changed by hand: that one still knows what it was told."""
    assigned, report = on_host.assigned, on_host.report
    if assigned is None or report is None or assigned.rollout != rollout.id or assigned.release != rollout.release:
        return ""
    forgot = on_host.behind and report.live != rollout.release.id
    return (report.live.rpartition("-")[0] or "nothing") if forgot else ""
