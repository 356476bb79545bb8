"""Which archives the coordinator need not keep any longer. Pure."""

from __future__ import annotations

from noonday_coordinator.core.state import State
from noonday_shared.names import ReleaseRef


def prunable(state: State, app: str, keep: int) -> tuple[ReleaseRef, ...]:
    """Kept archives of `app` beyond the newest `keep`, oldest first; never one that a host may still have to fetch.

    `keep` 0 keeps every one.
    """
    kept = [release for release in state.app(app).releases.values() if not release.pruned]
    kept.sort(key=lambda release: release.pushed_at)
    needed = _needed(state, app)
    return tuple(one.ref for one in kept[:-keep] if one.ref not in needed) if keep else ()


def _needed(state: State, app: str) -> set[ReleaseRef | None]:
    """Of record, to go back to, on the way, assigned, or served somewhere."""
    known = state.app(app)
    needed: set[ReleaseRef | None] = {known.current, known.previous}
    for rollout in state.rollouts.values():
        if rollout.app == app and rollout.end is None:
            needed |= {rollout.release, rollout.previous}
    for host in state.hosts.values():
        on_host = host.app(app)
        if on_host.assigned is not None:
            needed |= {on_host.assigned.release, on_host.assigned.previous}
        if on_host.report is not None:
            needed.add(on_host.report.proven)
    return needed
