"""Hard limits of new-release hosts: health and restarts. What old hosts suffer too is shared trouble. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from noonday_coordinator.core.events import Finding
from noonday_coordinator.core.state import AppOnHost, HostState, Rollout
from noonday_shared.names import ReleaseRef


@dataclass(frozen=True, slots=True)
class Case:
    """What the hosts report at one instant."""

    rollout: Rollout
    hosts: Mapping[str, AppOnHost]
    now: float


def broken_limits(case: Case) -> tuple[Finding, ...]:
    """One finding for each limit that hosts on the new release break."""
    serving = case.rollout.in_state(HostState.SERVING)
    # One whose disk was put back serves something else, and just came up with it.
    ours = tuple(host for host in serving if _has(case.hosts.get(host), case.rollout.release))
    # A host in the middle of its own step is not well for a while, which says nothing of the old release.
    moving = case.rollout.in_state(HostState.WORKING, HostState.GOING_BACK)
    others = [host for host in case.hosts if host not in (*serving, *moving)]
    return (*_unhealthy(case, ours, others), *_restarting(case, ours, others))


def _unhealthy(case: Case, ours: tuple[str, ...], others: list[str]) -> list[Finding]:
    patience = case.rollout.policy.unhealthy_for
    sick = [host for host in ours if _sick_for(case.hosts.get(host), case.now) >= patience]
    sick_others = [host for host in others if _sick_for(case.hosts.get(host), case.now) > 0]
    if not sick:
        return []
    since = min(case.hosts[host].unhealthy_since for host in sick)
    if 2 * len(sick_others) >= len(others) > 0:
        words = (
            f"health check failing on {_list(sick)}, and on {_list(sick_others)} with the old release: not this release"
        )
        return [Finding("health", "shared-trouble", False, words, first_seen=since)]
    words = f"health check failing for {case.now - since:.0f} s on {_list(sick)} since it serves {case.rollout.release}"
    return [Finding("health", "hard-limit", True, words, first_seen=since)]


def _restarting(case: Case, ours: tuple[str, ...], others: list[str]) -> list[Finding]:
    most = case.rollout.policy.max_restarts
    loops = {host: _restarts(case.hosts.get(host)) for host in ours}
    loops = {host: count for host, count in loops.items() if count >= most}
    if not loops:
        return []
    shared = [host for host in others if _restarts(case.hosts.get(host)) >= most]
    if 2 * len(shared) >= len(others) > 0:
        words = f"restarts on {_list(list(loops))}, and on {_list(shared)} with the old release: not this release"
        return [Finding("restarts", "shared-trouble", False, words, counts=loops)]
    words = f"the app restarted by itself {_counts(loops)} since it serves {case.rollout.release}"
    return [Finding("restarts", "hard-limit", True, words, counts=loops)]


def _has(on_host: AppOnHost | None, release: ReleaseRef) -> bool:
    return on_host is not None and on_host.report is not None and on_host.report.live == release.id


def _sick_for(on_host: AppOnHost | None, now: float) -> float:
    return now - on_host.unhealthy_since if on_host and on_host.unhealthy_since else 0.0


def _restarts(on_host: AppOnHost | None) -> int:
    return on_host.report.restarts if on_host and on_host.report else 0


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} times on {host}" for host, count in counts.items())


def _list(hosts: list[str]) -> str:
    return ", ".join(hosts)
