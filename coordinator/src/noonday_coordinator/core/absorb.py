"""What the hosts' reports mean for a rollout: each host's state in it, with its reason. Pure."""

from __future__ import annotations

from noonday_coordinator.core.events import HostJudged
from noonday_coordinator.core.state import AppOnHost, HostState, InRollout, Rollout, State
from noonday_coordinator.core.view import View
from noonday_shared.messages import Goal, Outcome

GRACE = 60.0
"""Seconds beyond a host's own deadline, in which its word may still arrive."""


def absorb(state: State, view: View, rollout: Rollout, now: float) -> list[HostJudged]:
    """The hosts whose state in the rollout has changed, by what they reported or by their silence."""
    found = []
    for name, member in rollout.hosts.items():
        on_host = state.on(name, rollout.app)
        judged = _judge(view, rollout, name, member, on_host, now)
        if judged is not None:
            found.append(judged)
    return found


def settled(on_host: AppOnHost) -> bool:
    """Whether the host is not in the middle of a step: it only had to prepare, or reported the end of what it did."""
    assigned, report = on_host.assigned, on_host.report
    if assigned is None or assigned.goal is Goal.PREPARED:
        return True
    return report is not None and on_host.taken and report.outcome in _ENDS


def overdue(view: View, rollout: Rollout, on_host: AppOnHost, now: float) -> bool:
    """Whether the end of what the host was told should have been heard by now; a pause begins that wait anew."""
    assigned = on_host.assigned
    if assigned is None or rollout.paused_by:
        return False
    return view.in_vain(max(on_host.assigned_at, rollout.resumed_at) + assigned.deadline + GRACE, GRACE, now)


def _judge(
    view: View, rollout: Rollout, name: str, member: InRollout, on_host: AppOnHost, now: float
) -> HostJudged | None:
    assigned, report = on_host.assigned, on_host.report
    if member.state not in _OUTCOMES or assigned is None or assigned.rollout != rollout.id:
        return None
    # Where there is no previous release, who was at work is told to be prepared again.
    stops = member.state is HostState.GOING_BACK and rollout.previous is None
    if (member.state is HostState.WAITING or stops) != (assigned.goal is Goal.PREPARED):
        return None
    if report is not None and on_host.taken and report.outcome in _ENDS:
        state = _OUTCOMES[member.state][report.outcome]
        if stops and report.in_service is not False and report.live == rollout.release.id:
            state = HostState.SERVING  # it had arrived before it heard that it was to stop
        return HostJudged(rollout.id, name, state, str(report.trouble) if report.trouble else "")
    if member.state is not HostState.WAITING and overdue(view, rollout, on_host, now):
        waited = f"no end of its step was reported in {now - on_host.assigned_at:.0f} s"
        return HostJudged(rollout.id, name, _OUTCOMES[member.state][Outcome.FAILED], waited)
    return None


_ENDS = frozenset({Outcome.DONE, Outcome.REVERTED, Outcome.FAILED})

_OUTCOMES = {
    HostState.WAITING: {
        Outcome.DONE: HostState.PREPARED,
        Outcome.REVERTED: HostState.FAILED,
        Outcome.FAILED: HostState.FAILED,
    },
    HostState.WORKING: {
        Outcome.DONE: HostState.SERVING,
        Outcome.REVERTED: HostState.REVERTED,
        Outcome.FAILED: HostState.FAILED,
    },
    HostState.GOING_BACK: {
        Outcome.DONE: HostState.BACK,
        Outcome.REVERTED: HostState.LOST,
        Outcome.FAILED: HostState.LOST,
    },
}
