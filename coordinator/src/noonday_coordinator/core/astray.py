"""Hosts that serve something else than the release of record: which, why, and what would be done about it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from noonday_coordinator.core.absorb import settled
from noonday_coordinator.core.events import End, Report
from noonday_coordinator.core.policy import Policy
from noonday_coordinator.core.restored import knows_more
from noonday_coordinator.core.state import App, AppOnHost, Host, HostState, Rollout, State
from noonday_coordinator.core.void import is_void
from noonday_shared.messages import Goal, Outcome
from noonday_shared.names import ReleaseRef

MOST_TRIES = 5
"""Times that a host is brought home by itself in vain; after that a person has to ask for it."""


@dataclass(frozen=True, slots=True)
class Astray:
    """`why` goes on from the host's name. `by_itself`: nobody has to ask for it to be brought home."""

    host: str
    live: str
    why: str
    by_itself: bool
    drained_by: str = ""
    told: str = ""
    """The version that it is told to serve once there is room, since it could not be brought back; else empty."""


def astray(state: State, app: App, policy: Policy) -> tuple[Astray, ...]:
    """By name; none before the first completed rollout. Whatever is under way is not looked at."""
    record = app.current
    if record is None:
        return ()
    active = state.active(app.name)
    busy = set(active.hosts) if active else set()
    found = (
        _look(state, app, host, record)
        for host in state.hosts_with(policy.hosts)
        if app.name in host.apps and host.name not in busy
    )
    return tuple(one for one in found if one is not None)


def _look(state: State, app: App, host: Host, record: ReleaseRef) -> Astray | None:
    on_host, told = host.app(app.name), ""
    report = on_host.report
    if (
        report is None
        or knows_more(state, on_host)
        or not (_at_rest(state, host.name, on_host) or (told := _waits_for(state, host.name, on_host)))
        or (report.live == record.id and report.proven == record)
    ):
        return None
    why, by_itself = _why(state, app, host, on_host)
    serves = _serves(app, report.live, record)
    by_itself = by_itself and not (host.drained_by or told) and _is_brought_home(state, app, host.name)
    return Astray(host.name, report.live, f"{serves}: {why}", by_itself, host.drained_by, told)


def _is_brought_home(state: State, app: App, host: str) -> bool:
    """Whether hosts come home by themselves here, and this one was not tried too often, nor stopped by a person."""
    made, before = state.rollouts.get(app.recorded), tries(state, app, host)
    stopped = bool(before) and (before[0].end is End.ABORTED or len(before) >= MOST_TRIES)
    return made is not None and made.policy.catch_up and not stopped


def _serves(app: App, live: str, record: ReleaseRef) -> str:
    if live == record.id:
        return f"has {record.version}, which was not proven to run there"
    return f"serves {_version(live)} instead of {record.version}" if live else f"has no {app.name} yet"


def _why(state: State, app: App, host: Host, on_host: AppOnHost) -> tuple[str, bool]:
    """In words, and whether it goes home by itself: not where a person, or a failure, left it as it is."""
    report, last = on_host.report, _last_move(state, app, host.name)
    member = last.hosts[host.name] if last else None
    if last and member and member.state in (HostState.FAILED, HostState.REVERTED, HostState.LOST):
        return f"{last.id} failed there: {member.reason.rstrip('.')}", False
    if report is not None and _put_back(on_host, report):
        return "its disk was put back to an older state", True
    told = on_host.assigned is not None and on_host.assigned.goal is Goal.SERVING
    if report is not None and told and report.outcome in (Outcome.FAILED, Outcome.REVERTED):
        return str(report.trouble or "its last step failed").rstrip("."), False
    if report is not None and report.proven is not None and report.live != report.proven.id:
        return f"changed by hand, since {report.proven.version} was last proven there", False
    if last is None:
        new = on_host.assigned is None and (report is None or report.proven is None)
        return "it is new" if new else "it missed a rollout", True
    if last.end is End.SUPERSEDED:
        return f"{last.id} was superseded", True
    if member is not None and member.state is HostState.KEPT:
        return f"{last.id} left it there: {member.reason}", False
    if last.kind == "deploy" and app.is_blocked(last.release) and last.id != app.recorded:
        return f"{last.id} went back without it", True
    if last.id == app.recorded or last.kind == "reconcile":
        return "its agent forgot that, as when its disk was put back", True
    return f"{last.id}, a {last.kind} that ended as {last.end}, left it there", False


def _put_back(on_host: AppOnHost, report: Report) -> bool:
    """Whether it was to stay as it is, and says that it has, and knows of, nothing but another release."""
    stayed = on_host.taken and report.trouble is not None and report.trouble.rule == "put-back"
    return stayed and report.live == (report.proven.id if report.proven else "")


def _last_move(state: State, app: App, host: str) -> Rollout | None:
    """The newest rollout that moved it, back to the one that made the release of record."""
    for rollout in _since_the_record(state, app):
        member = rollout.hosts.get(host)
        if member is None or member.state is HostState.BACK:
            continue
        if member.moved or member.state is HostState.KEPT:
            return rollout
    return None


def _since_the_record(state: State, app: App) -> Iterator[Rollout]:
    """Ended rollouts of the app, newest first, the one that made the release of record last."""
    for rollout in reversed(tuple(state.rollouts.values())):
        if rollout.app == app.name and rollout.end is not None:
            yield rollout
            if rollout.id == app.recorded:
                return


def tries(state: State, app: App, host: str) -> list[Rollout]:
    """Attempts to bring the host to the release of record, newest first, but for those that made way for others."""
    made = (one for one in _since_the_record(state, app) if one.kind == "reconcile" and host in one.hosts)
    return [one for one in made if one.end is not End.SUPERSEDED]


def _at_rest(state: State, host: str, on_host: AppOnHost) -> bool:
    """Whether it took up and ended what it was told last, or that is void, and that is known."""
    assigned, report = on_host.assigned, on_host.report
    if is_void(state, host, on_host):
        return True
    if assigned is None:
        return not state.restored_at or report is None or report.generation == 0
    told_out = assigned.goal is Goal.OUT
    return on_host.taken and (told_out or settled(on_host))


def _waits_for(state: State, host: str, on_host: AppOnHost) -> str:
    """The version that a host which was given up on, or lost it, is told to serve and did not take up yet; else
    empty."""
    assigned, report = on_host.assigned, on_host.report
    rollout = state.rollouts.get(assigned.rollout) if assigned else None
    if assigned is None or assigned.release is None or assigned.goal is not Goal.SERVING or rollout is None:
        return ""
    given_up = rollout.hosts[host].state in (HostState.LOST, HostState.FAILED)
    lost_it = report is not None and report.live != assigned.release.id
    waits = rollout.end is not None and (given_up or lost_it) and not on_host.taken
    return assigned.release.version if waits else ""


def _version(release: str) -> str:
    return release.rpartition("-")[0] or release
