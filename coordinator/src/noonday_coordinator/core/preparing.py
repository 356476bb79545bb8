"""The stage in which every host fetches, verifies and unpacks the release, before the first one is drained. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from noonday_coordinator.core.assign import assign
from noonday_coordinator.core.events import End, Event, HostJudged, RolloutEnded, Stage, StageEntered
from noonday_coordinator.core.room import counted, heard, in_mid_step
from noonday_coordinator.core.state import HostState, Rollout, State
from noonday_coordinator.core.view import View
from noonday_shared.messages import Goal


def prepare(state: State, view: View, rollout: Rollout, now: float) -> list[Event]:
    """Tell the hosts, leave out or give up those that are away, and go on once all others are prepared. Those that come
    home don't wait for one another: who can't prepare is left out."""
    failed = rollout.in_state(HostState.FAILED)
    if failed and not _each_for_itself(rollout):
        why = "; ".join(f"{host}: {rollout.hosts[host].reason}" for host in failed)
        return [RolloutEnded(rollout.id, End.FAILED, f"Not every host could prepare, so none was drained. {why}")]
    waiting = rollout.in_state(HostState.WAITING)
    if not waiting:
        return _all_prepared(state, rollout)
    new = [host for host in waiting if not _assigned(state, rollout, host)]
    if new:
        return [*assign(state, rollout, new, Goal.PREPARED, rollout.release, previous=rollout.previous)]
    return _away(state, view, rollout, waiting, now) or _late(state, view, rollout, waiting, now)


def _each_for_itself(rollout: Rollout) -> bool:
    return rollout.kind == "reconcile"


def _all_prepared(state: State, rollout: Rollout) -> list[Event]:
    if rollout.paused_by:
        return []
    gone = "; ".join(f"{host}: {why.rstrip('.')}" for host, why in rollout.left_out.items())
    prepared = rollout.in_state(HostState.PREPARED)
    if not prepared and _each_for_itself(rollout):
        why = f"No host could prepare, so none was drained. {gone}. Mend them, then: noonday reconcile {rollout.app}."
        return [RolloutEnded(rollout.id, End.FAILED, why)]
    if not prepared or not set(rollout.waves[0]) - set(rollout.skipped):
        why = f"No host is left for the first wave, so none was drained. {gone}. Deploy again, with other hosts first."
        return [RolloutEnded(rollout.id, End.FAILED, why)]
    if _means_outage(state, rollout) and not rollout.policy.allow_outage:
        again = "deploy again; or pass --allow-outage"
        if _each_for_itself(rollout):
            again = f"noonday reconcile {rollout.app}; or set allow_outage = true in the app's policy"
        why = f"All hosts but {prepared[0]} are left out, so its release means an outage, and it was not drained."
        return [RolloutEnded(rollout.id, End.FAILED, f"{why} Start the agents there, then {again}.")]
    return [StageEntered(rollout.id, Stage.ROLLING, 0, _who(rollout))]


def _who(rollout: Rollout) -> str:
    left = ", ".join(rollout.in_state(HostState.FAILED))
    return f"all hosts but {left} are prepared" if left else "all hosts are prepared"


def _means_outage(state: State, rollout: Rollout) -> bool:
    """Whether only one host is left, of several. A rollback goes all the same; and who is out already comes home."""
    left = counted(state, rollout)
    if len(left) != 1 or not rollout.skipped:
        return False
    serves = state.on(left[0], rollout.app).in_service
    return rollout.kind == "deploy" or (rollout.kind == "reconcile" and serves)


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
    if _each_for_itself(rollout):
        return _give_up(view, rollout, away, "no report since it began", now)
    why = f"No report from {_seen(view, away, now)}. None was drained. Start the agents there, then deploy again."
    return [RolloutEnded(rollout.id, End.FAILED, why)]


def _late(state: State, view: View, rollout: Rollout, waiting: tuple[str, ...], now: float) -> list[Event]:
    if rollout.paused_by or not view.in_vain(rollout.deadline, rollout.policy.unreachable_after, now):
        return []
    away = [host for host in waiting if not heard(view, rollout, host, now)]
    skipped = _skip(state, view, rollout, away, now) if rollout.policy.offline == "skip" else []
    if skipped:
        return skipped
    if _each_for_itself(rollout):
        return _give_up(view, rollout, waiting, f"not prepared within {rollout.policy.prepare_within:g} s", now)
    why = f"Not prepared within {rollout.policy.prepare_within:g} s: {_seen(view, waiting, now)}. None was drained."
    return [RolloutEnded(rollout.id, End.FAILED, why)]


def _give_up(view: View, rollout: Rollout, hosts: Iterable[str], why: str, now: float) -> list[Event]:
    """They still count as hosts of the app: others are drained only where that leaves enough."""
    return [
        HostJudged(rollout.id, host, HostState.FAILED, f"{why}, last seen {view.silent_for(host, now):.0f} s ago")
        for host in hosts
    ]


def _skip(state: State, view: View, rollout: Rollout, away: list[str], now: float) -> list[Event]:
    """One in the middle of a step is never left out: it may be out of service because of us."""
    why = {host: f"offline, not heard for {view.silent_for(host, now):.0f} s" for host in away}
    return [
        HostJudged(rollout.id, host, HostState.SKIPPED, why[host])
        for host in away
        if not in_mid_step(state.on(host, rollout.app)) and host not in rollout.half_rolled
    ]


def _heard_once(state: State, view: View, rollout: Rollout, host: str) -> bool:
    kept = state.on(host, rollout.app).reported_at
    return max(view.last_seen.get(host, 0.0), kept) >= rollout.started_at


def _seen(view: View, hosts: list[str] | tuple[str, ...], now: float) -> str:
    return ", ".join(f"{host} (last seen {view.silent_for(host, now):.0f} s ago)" for host in hosts)


def _assigned(state: State, rollout: Rollout, host: str) -> bool:
    assigned = state.on(host, rollout.app).assigned
    return assigned is not None and assigned.rollout == rollout.id
