"""The stage in which every host fetches, verifies and unpacks the release, before the first one is drained. Pure."""

from __future__ import annotations

from noonday_coordinator.core.assign import assign
from noonday_coordinator.core.events import End, Event, HostJudged, RolloutEnded, Stage, StageEntered
from noonday_coordinator.core.room import heard, in_mid_step
from noonday_coordinator.core.state import AppOnHost, HostState, Rollout, State
from noonday_coordinator.core.view import View
from noonday_shared.messages import Goal


def prepare(state: State, view: View, rollout: Rollout, now: float) -> list[Event]:
    """Tell the hosts, leave out or give up those that are away, and go on once all others are prepared."""
    failed = rollout.in_state(HostState.FAILED)
    if failed:
        why = "; ".join(f"{host}: {rollout.hosts[host].reason}" for host in failed)
        return [RolloutEnded(rollout.id, End.FAILED, f"Not every host could prepare, so none was drained. {why}")]
    waiting = rollout.in_state(HostState.WAITING)
    if not waiting:
        return _all_prepared(rollout)
    new = [host for host in waiting if not _assigned(state, rollout, host)]
    if new:
        return assign(state, rollout, new, Goal.PREPARED, rollout.release, previous=rollout.previous)
    return _away(state, view, rollout, waiting, now) or _late(state, view, rollout, waiting, now)


def _all_prepared(rollout: Rollout) -> list[Event]:
    if rollout.paused_by:
        return []
    if not rollout.in_state(HostState.PREPARED) or not set(rollout.waves[0]) - set(rollout.skipped):
        gone = "; ".join(f"{host}: {rollout.hosts[host].reason}" for host in rollout.skipped)
        why = f"No host is left for the first wave, so none was drained. {gone}. Deploy again, with other hosts first."
        return [RolloutEnded(rollout.id, End.FAILED, why)]
    left = rollout.in_state(HostState.PREPARED)
    if len(left) == 1 and rollout.skipped and rollout.kind == "deploy" and not rollout.policy.allow_outage:
        why = f"All hosts but {left[0]} are left out, so its release means an outage, and it was not drained."
        mend = "Start the agents there, then deploy again; or pass --allow-outage."
        return [RolloutEnded(rollout.id, End.FAILED, f"{why} {mend}")]
    return [StageEntered(rollout.id, Stage.ROLLING, 0, "all hosts are prepared")]


def _away(state: State, view: View, rollout: Rollout, waiting: tuple[str, ...], now: float) -> list[Event]:
    """Hosts that were never heard since the rollout began, as after a restart of the coordinator."""
    away = [
        host for host in waiting if not heard(view, rollout, host, now) and not _heard_once(state, view, rollout, host)
    ]
    patient = not view.in_vain(rollout.started_at, rollout.policy.unreachable_after, now)
    if not away or patient or rollout.policy.offline == "wait":
        return []
    if rollout.policy.offline == "skip":
        return _skip(state, view, rollout, away, now)
    why = f"No report from {_seen(view, away, now)}. None was drained. Start the agents there, then deploy again."
    return [RolloutEnded(rollout.id, End.FAILED, why)]


def _late(state: State, view: View, rollout: Rollout, waiting: tuple[str, ...], now: float) -> list[Event]:
    if rollout.paused_by or not view.in_vain(rollout.deadline, rollout.policy.unreachable_after, now):
        return []
    away = [host for host in waiting if not heard(view, rollout, host, now)]
    skipped = _skip(state, view, rollout, away, now) if rollout.policy.offline == "skip" else []
    if skipped:
        return skipped
    why = f"Not prepared within {rollout.policy.prepare_within:g} s: {_seen(view, waiting, now)}. None was drained."
    return [RolloutEnded(rollout.id, End.FAILED, why)]


def _skip(state: State, view: View, rollout: Rollout, away: list[str], now: float) -> list[Event]:
    """One in the middle of a step is never left out: it may be out of service because of us."""
    why = {host: f"offline, not heard for {view.silent_for(host, now):.0f} s" for host in away}
    return [
        HostJudged(rollout.id, host, HostState.SKIPPED, why[host])
        for host in away
        if not in_mid_step(_on_host(state, rollout, host)) and host not in rollout.half_rolled
    ]


def _heard_once(state: State, view: View, rollout: Rollout, host: str) -> bool:
    kept = _on_host(state, rollout, host).reported_at
    return max(view.last_seen.get(host, 0.0), kept) >= rollout.started_at


def _seen(view: View, hosts: list[str] | tuple[str, ...], now: float) -> str:
    return ", ".join(f"{host} (last seen {view.silent_for(host, now):.0f} s ago)" for host in hosts)


def _assigned(state: State, rollout: Rollout, host: str) -> bool:
    assigned = _on_host(state, rollout, host).assigned
    return assigned is not None and assigned.rollout == rollout.id


def _on_host(state: State, rollout: Rollout, host: str) -> AppOnHost:
    enrolled = state.hosts.get(host)
    return enrolled.app(rollout.app) if enrolled else AppOnHost()
