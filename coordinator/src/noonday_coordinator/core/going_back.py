"""The way back: straight to the previous release, newest host first, within the same limits. Pure."""

from __future__ import annotations

from dataclasses import replace

from noonday_coordinator.core import twin
from noonday_coordinator.core.absorb import settled
from noonday_coordinator.core.assign import assign, move_on
from noonday_coordinator.core.events import End, Event, HostJudged, Report, RolloutEnded
from noonday_coordinator.core.room import heard, may_go_back, never_taken, turning_back
from noonday_coordinator.core.state import TOUCHED, HostState, Rollout, State
from noonday_coordinator.core.view import View
from noonday_shared.messages import Goal, Outcome
from noonday_shared.names import ReleaseRef

_BEFORE_THE_SWITCH = frozenset({"prepare", "drain", "wait-idle", "switch"})
"""Steps of an agent that say nothing of the release that it goes to, where it is in service afterwards."""


def go_back(state: State, view: View, rollout: Rollout, now: float) -> list[Event]:
    """Bring the touched hosts back, or end the rollout when all are."""
    touched = still_to_go(state, view, rollout)
    under_way = rollout.in_state(HostState.GOING_BACK) or twin.under_way(state, view, rollout, now)
    if not touched:
        return [] if under_way else [_ended(rollout)]
    if rollout.previous is None:
        return _no_way_back(state, rollout, touched)
    at_once = [host for host in touched if _loses_nothing(state, rollout, host)]
    failed = could_not(state, rollout)
    if failed and not at_once:
        return [] if under_way else _stops_here(state, rollout, failed, touched)
    # Whoever is silent would hold up the others for its whole time, and one that can't fetch it says nothing of them.
    previous, app = rollout.previous, rollout.app
    in_turn = sorted(
        touched, key=lambda host: (not heard(view, rollout, host, now), not state.on(host, app).holds(previous))
    )
    chosen = at_once or may_go_back(state, view, rollout, in_turn, now)
    if chosen:
        return move_on(state, rollout, chosen, rollout.previous, HostState.GOING_BACK)
    return [] if under_way else _stuck(state, view, rollout, rollout.previous, touched, now)


def could_not(state: State, rollout: Rollout) -> list[str]:
    """Hosts that say that they went back and could not serve the release again. Those that failed before their switch
    and serve on, as they could not fetch it or be drained, say nothing of it, and of silent ones nothing is known."""
    lost = ((host, state.on(host, rollout.app)) for host in rollout.in_state(HostState.LOST))
    return [host for host, one in lost if one.taken and one.report is not None and _tried(one.report)]


def _tried(report: Report) -> bool:
    ended = report.outcome in (Outcome.FAILED, Outcome.REVERTED)
    stayed = report.trouble is not None and report.trouble.step in _BEFORE_THE_SWITCH and report.in_service is not False
    return ended and not stayed


def still_to_go(state: State, view: View, rollout: Rollout) -> list[str]:
    """Hosts that were not told to go back yet, newest first."""
    return [host for host in reversed(rollout.members) if _must_go(state, view, rollout, host)]


def _must_go(state: State, view: View, rollout: Rollout, host: str) -> bool:
    """Whether it was touched, or was told to serve the release and may have taken that up unheard; or a rollout that
    this one took over from had brought it to another release."""
    member = rollout.hosts[host].state
    if member in (HostState.WAITING, HostState.PREPARED):
        return _may_have_it(state, view, rollout, host) or _half_rolled(state, rollout, host)
    return member in TOUCHED


def _may_have_it(state: State, view: View, rollout: Rollout, host: str) -> bool:
    """Whether one that is to try again was told to serve the release, and is not known to have let that pass."""
    on_host = state.on(host, rollout.app)
    told = on_host.assigned
    if told is None or told.rollout != rollout.id or told.goal is not Goal.SERVING or told.release != rollout.release:
        return False
    report = on_host.report
    went_back = on_host.taken and settled(on_host) and not _has_another(state, rollout, host)
    has_previous = report is not None and rollout.previous is not None and report.live == rollout.previous.id
    return not (never_taken(view, on_host) or (went_back and has_previous))


def _loses_nothing(state: State, rollout: Rollout, host: str) -> bool:
    """A host in the middle of its step, or out with a failure, turns back at once; so does one that did it itself, if
    that brought it to the release that all go back to."""
    member = rollout.hosts[host].state
    if member in (HostState.REVERTED, HostState.FAILED):
        return not (_half_rolled(state, rollout, host) or _serves_another(state, rollout, host))
    return member is HostState.WORKING


def _serves_another(state: State, rollout: Rollout, host: str) -> bool:
    """Whether it serves what it had before, which is not what it is to go back to: as after a way back that failed."""
    return _has_another(state, rollout, host) and state.on(host, rollout.app).in_service


def _half_rolled(state: State, rollout: Rollout, host: str) -> bool:
    """Whether it serves, as far as is known, what a superseded rollout brought it."""
    return host in rollout.half_rolled and _has_another(state, rollout, host)


def _has_another(state: State, rollout: Rollout, host: str) -> bool:
    """Whether what was proven there last is not what it is to go back to."""
    report = state.on(host, rollout.app).report
    return report is not None and report.proven != rollout.previous


def _no_way_back(state: State, rollout: Rollout, touched: list[str]) -> list[Event]:
    """There is no previous release. Who is at work is told to be prepared, which ends that; who serves stays."""
    working = [host for host in touched if rollout.hosts[host].state is HostState.WORKING]
    if working:
        told = assign(state, rollout, working, Goal.PREPARED, rollout.release, previous=None)
        within = max(rollout.policy.host_within, 1.0)
        judged = (HostJudged(rollout.id, host, HostState.GOING_BACK) for host in working)
        return [*(replace(one, deadline=within) for one in told), *judged]
    if rollout.in_state(HostState.GOING_BACK):
        return []
    stay = f"{rollout.reason} There is no previous release, so {', '.join(touched)} can't go back."
    return [RolloutEnded(rollout.id, End.FAILED, stay)]


def _stops_here(state: State, rollout: Rollout, failed: list[str], touched: list[str]) -> list[Event]:
    """What could not be served again on one host is not tried on all the others."""
    could = f"{', '.join(failed)} could not serve {rollout.previous} again"
    why = "; ".join(f"{host}: {rollout.hosts[host].reason.rstrip('.')}" for host in failed)
    kept: dict[ReleaseRef, list[str]] = {}
    for host in touched:
        kept.setdefault(what_it_has(state, rollout, host), []).append(host)
    keeps = " and ".join(f"{', '.join(of)} {'keeps' if len(of) == 1 else 'keep'} {one}" for one, of in kept.items())
    mend = f"Mend {', '.join(failed)} (noonday hosts), then: noonday reconcile {rollout.app}"
    stops = f"{rollout.reason} The way back stops here, nothing goes forth and back"
    judged = (HostJudged(rollout.id, host, HostState.KEPT, f"the way back stopped, since {could}") for host in touched)
    return [*judged, RolloutEnded(rollout.id, End.FAILED, f"{stops}: {could} ({why}), so {keeps}. {mend}.")]


def _stuck(
    state: State, view: View, rollout: Rollout, previous: ReleaseRef, touched: list[str], now: float
) -> list[Event]:
    """The only host that serves well has the release that should go: after a host's whole time a person has to look.
    Where nobody is heard, they are told to go back once they are, one after the other."""
    since = rollout.last_move
    if not view.in_vain(since + rollout.policy.host_within, rollout.policy.unreachable_after, now):
        return []
    silent = [host for host in touched if not heard(view, rollout, host, now)]
    if silent:
        told = assign(state, rollout, silent, Goal.SERVING, previous, previous=None)
        judged = (
            HostJudged(rollout.id, host, HostState.LOST, f"was not heard for {view.silent_for(host, now):.0f} s")
            for host in silent
        )
        return [*told, *judged]
    why = kept_since(state, view, rollout, touched[0], now)
    keeps = f"{why} keeps {what_it_has(state, rollout, touched[0])}"
    return [RolloutEnded(rollout.id, End.FAILED, f"{rollout.reason} {keeps}: mend the others")]


def what_it_has(state: State, rollout: Rollout, host: str) -> ReleaseRef:
    """The release that was proven there last, else that of the rollout."""
    report = state.on(host, rollout.app).report
    return (report and report.proven) or rollout.release


def kept_since(state: State, view: View, rollout: Rollout, host: str, now: float) -> str:
    """Why a host can't go back, as the beginning of a sentence: it keeps what it has."""
    turning = turning_back(state, view, rollout, now) - {host}
    if turning:
        return f"{', '.join(sorted(turning))} did not come back from what an earlier rollout began, so {host}"
    ill = state.on(host, rollout.app).ill
    return f"{host} is the last host {'in service' if ill else 'that serves well'}, so it"


def _ended(rollout: Rollout) -> RolloutEnded:
    lost = rollout.in_state(HostState.LOST)
    if lost:
        which = "; ".join(f"{host}: {rollout.hosts[host].reason}" for host in lost)
        return RolloutEnded(rollout.id, End.FAILED, f"{rollout.reason} Could not be brought back: {which}")
    end = End.ABORTED if rollout.aborting else End.ROLLED_BACK
    return RolloutEnded(rollout.id, end, rollout.reason)
