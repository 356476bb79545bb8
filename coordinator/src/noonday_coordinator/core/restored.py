"""What a log that was put back from a backup can't know: which hosts were told more since. Pure.

What it says a host was told last may be long over. Said again to a whole fleet it would take all of it out at once.
"""

from __future__ import annotations

from noonday_coordinator.core.events import End, RolloutEnded
from noonday_coordinator.core.state import AppOnHost, Rollout, State
from noonday_coordinator.core.view import View


def is_stale(state: State, view: View, host: str, on_host: AppOnHost) -> bool:
    """Whether the host may follow an assignment of which the log knows nothing, or is known to: then what the log says
    is not said again."""
    return on_host.from_backup and (host not in view.last_seen or knows_more(state, on_host))


def knows_more(state: State, on_host: AppOnHost) -> bool:
    """Whether the host follows an assignment of which the log knows nothing."""
    assigned, report = on_host.assigned, on_host.report
    if report is None or not (on_host.from_backup or (assigned is None and state.restored_at)):
        return False
    return report.generation > (assigned.generation if assigned else 0)


def is_awaited(state: State, view: View, rollout: Rollout, now: float) -> bool:
    """Whether a host of the rollout was not heard yet: nothing is decided before, while hosts may be silent."""
    unheard = any(name not in view.last_seen and one.from_backup for name, one in _members(state, rollout))
    return rollout.from_backup and unheard and now < view.listens_since + rollout.policy.unreachable_after


def give_up(state: State, rollout: Rollout) -> list[RolloutEnded]:
    """The end of a rollout of the backup's time whose hosts were told more than the log knows."""
    gone = [name for name, one in _members(state, rollout) if knows_more(state, one)] if rollout.from_backup else []
    if not gone:
        return []
    why = (
        f"The event log was put back from a backup, and {', '.join(gone)} was told more since. Hosts stay as they are. "
        f"Look at them (noonday hosts), then deploy again"
    )
    return [RolloutEnded(rollout.id, End.FAILED, why)]


def _members(state: State, rollout: Rollout) -> list[tuple[str, AppOnHost]]:
    return [(name, state.hosts[name].app(rollout.app)) for name in rollout.members if name in state.hosts]
