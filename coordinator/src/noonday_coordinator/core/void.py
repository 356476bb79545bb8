"""What was said to a host and holds no more. Pure."""

from __future__ import annotations

from noonday_coordinator.core.state import AppOnHost, HostState, State
from noonday_shared.messages import Goal


def is_void(state: State, host: str, on_host: AppOnHost) -> bool:
    """Whether it was told to serve a release and is to try again: in its turn and by a new word, or not at all."""
    assigned = on_host.assigned
    rollout = state.rollouts.get(assigned.rollout) if assigned else None
    if assigned is None or rollout is None or assigned.goal is not Goal.SERVING or assigned.stay or on_host.taken:
        return False
    return rollout.hosts[host].state is HostState.PREPARED and assigned.release == rollout.release
