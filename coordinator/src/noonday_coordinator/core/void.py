"""What was said to a host and holds no more. Pure."""

from __future__ import annotations

from noonday_coordinator.core.state import AppOnHost, HostState, State
from noonday_shared.messages import Goal


def is_void(state: State, host: str, on_host: AppOnHost) -> bool:
    """Whether it was told to serve a release and is to try again: in its turn and by a new word, or not at all; or that
    was blocked since, and it has another one; or the way back stopped, and it did not leave for it."""
    assigned = on_host.assigned
    rollout = state.rollouts.get(assigned.rollout) if assigned else None
    if assigned is None or rollout is None or assigned.goal is not Goal.SERVING or on_host.taken:
        return False
    if rollout.end is not None and on_host.would_change and state.app(rollout.app).is_blocked(assigned.release):
        return True
    if assigned.stay:
        return False
    member = rollout.hosts[host].state
    if member is HostState.LOST and on_host.in_service and rollout.end is not None:
        return any(one.state is HostState.KEPT for one in rollout.hosts.values())
    return member in (HostState.PREPARED, HostState.KEPT) and assigned.release == rollout.release
