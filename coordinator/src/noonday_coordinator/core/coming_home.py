"""Hosts come to the release of record: those that were away and new ones by themselves, others when a person asks.

One at a time, by the steps of a rollout, within the app's limits, and never while another rollout is under way. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from noonday_coordinator.core.astray import Astray, astray, tries
from noonday_coordinator.core.events import Assigned, Event, RolloutStarted, Stage, StageEntered
from noonday_coordinator.core.evolve import begun
from noonday_coordinator.core.lost import valid_until
from noonday_coordinator.core.members import ago
from noonday_coordinator.core.plan import none_under_way
from noonday_coordinator.core.policy import Policy
from noonday_coordinator.core.refusal import refused
from noonday_coordinator.core.returning import obstacles
from noonday_coordinator.core.room import counted, in_flight, may_move
from noonday_coordinator.core.state import App, Host, Rollout, State
from noonday_coordinator.core.view import View
from noonday_coordinator.core.waves import serves_badly
from noonday_shared.messages import Goal
from noonday_shared.names import ReleaseRef

AGAIN_AFTER = 300.0
"""Seconds after an attempt that did not get as far as the host."""


@dataclass(frozen=True, slots=True)
class Homecoming:
    """What `noonday reconcile` would do. `not_now`: hosts that are astray too, and what hinders."""

    app: str
    release: ReleaseRef
    hosts: tuple[Astray, ...]
    not_now: dict[str, str] = field(default_factory=dict)


def plan_reconcile(state: State, view: View, policy: Policy, *, now: float) -> Homecoming:
    """All hosts that serve something else than the release of record, whoever left them so. Raises `BadInput`."""
    app = state.app(policy.app)
    if app.current is None:
        text = f"no rollout of {app.name} was ever completed, so it has no release of record"
        raise refused("no-record", text, f"noonday deploy {app.name} VERSION")
    none_under_way(state, app.name)
    found = astray(state, app, policy)
    not_now = {one.host: why for one in found if (why := _hindrance(state, view, app, policy, one, now))}
    hosts = tuple(one for one in found if one.host not in not_now)
    present = [host for host in state.hosts_with(policy.hosts) if app.name in host.apps]
    outage = len(present) == 1 and hosts and present[0].app(app.name).in_service
    if outage and not policy.allow_outage:
        text = f"{app.name} has one host, so to mend it means an outage"
        raise refused("only-host", text, "set allow_outage = true in the app's policy")
    return Homecoming(app.name, app.current, hosts, not_now)


def reconcile(state: State, app: App, policy: Policy, hosts: tuple[str, ...], why: str, now: float) -> list[Event]:
    """The start of a rollout that brings `hosts` to the release of record."""
    if app.current is None:
        return []
    changes = {"max_unavailable": 1, "twin_control": False}
    present = {host.name: host for host in state.hosts_with(policy.hosts) if app.name in host.apps}
    started = RolloutStarted(
        rollout=f"r{len(state.rollouts) + 1}",
        app=app.name,
        kind="reconcile",
        release=app.current,
        previous=None,
        policy=policy.model_copy(update=changes),
        waves=(hosts,),
        beside=tuple(name for name, host in present.items() if name not in hosts and not host.drained_by),
        sick=tuple(name for name in hosts if serves_badly(present[name], app.name)),
    )
    return [started, StageEntered(started.rollout, Stage.PREPARING, 0, why, now + policy.prepare_within)]


def come_home(state: State, view: View, now: float) -> list[Event]:
    """What brings the next host home by itself; nothing while that would cost more than the policy allows."""
    if view.deaf:
        return []
    for app in state.apps.values():
        rollout = state.active(app.name)
        events = _join(state, view, app, rollout, now) if rollout else _next_home(state, view, app, now)
        if events:
            return events
    return []


def _next_home(state: State, view: View, app: App, now: float) -> list[Event]:
    made = state.rollouts.get(app.recorded)
    if made is None:
        return []
    for one in astray(state, app, made.policy):
        if not one.by_itself or _hindrance(state, view, app, made.policy, one, now) or _waits(state, app, one, now):
            continue
        events = reconcile(state, app, made.policy, (one.host,), f"{one.host} {one.why}", now)
        if _has_room(state, view, events, now):
            return events
    return []


def _waits(state: State, app: App, one: Astray, now: float) -> bool:
    """Whether it is too early for another attempt."""
    before = tries(state, app, one.host)
    return bool(before) and now < before[0].ended_at + AGAIN_AFTER


def _hindrance(state: State, view: View, app: App, policy: Policy, one: Astray, now: float) -> str:
    """Why the host can't be brought home now; empty when it can."""
    if one.drained_by:
        return f"drained by {one.drained_by}: noonday undrain {one.host}"
    if one.host not in view.last_seen or view.silent_for(one.host, now) > policy.unreachable_after:
        return f"not heard, last seen {ago(view, one.host, now)}: noonday doctor"
    if one.told:
        return _held_up(state, view, app, one, now)
    release = app.releases.get(app.current.version) if app.current else None
    if release is None or release.blocked:
        return f"{app.current} is blocked: {release.blocked if release else 'it was never pushed'}"
    if release.pruned and not state.hosts[one.host].app(app.name).holds(release.ref):
        return f"the archive of {release.ref.version} is no longer kept: noonday release push FILE"
    return ""


def _held_up(state: State, view: View, app: App, one: Astray, now: float) -> str:
    """What a host that was given up on waits for, which is told again by itself."""
    on_host = state.on(one.host, app.name)
    rollout = state.rollouts.get(on_host.assigned.rollout) if on_host.assigned else None
    waits = f"it is told to serve {one.told} as soon as another one serves and there is room"
    if rollout is None or valid_until(state, view, one.host, app.name, now, 1.0) > now:
        return f"{waits}, and did not take it up yet"
    why, mend = obstacles(state, view, rollout, one.host, now)
    return f"{waits}; {why}. {mend}"


def _has_room(state: State, view: View, events: list[Event], now: float) -> bool:
    """Whether the host could be taken out at once, as things are now."""
    for started in events:
        if isinstance(started, RolloutStarted):
            # Whoever never took up its last order stays for now; the rollout itself waits until nothing is on its way.
            rollout = replace(begun(started, "coordinator", now), started_at=0.0)
            alone = len(counted(state, rollout)) == 1 and not started.policy.allow_outage
            serving = any(state.hosts[host].app(started.app).in_service for host in rollout.members)
            return not (alone and serving) and bool(may_move(state, view, rollout, rollout.members, now))
    return False


def _join(state: State, view: View, app: App, rollout: Rollout, now: float) -> list[Event]:
    """A new host in mid-rollout serves the release of record until the verdict. It is out of service, so that this
    costs nobody anything, and it is not compared; one at a time."""
    if rollout.kind != "deploy" or app.current is None or app.is_blocked(app.current) or not rollout.policy.catch_up:
        return []
    others = [host for host in state.hosts_with(rollout.policy.hosts) if host.name not in rollout.hosts]
    if any(in_flight(host.app(app.name)) for host in others):
        return []
    for host in others:
        if _is_new(host, app.name) and not host.drained_by and host.name in view.last_seen:
            within = rollout.policy.host_within
            number = state.generation + 1
            return [Assigned(host.name, app.name, number, Goal.SERVING, app.current, deadline=max(within, 1.0))]
    return []


def _is_new(host: Host, app: str) -> bool:
    """Whether it reports the app, was never told anything, and gets no requests."""
    on_host = host.app(app)
    return on_host.assigned is None and on_host.report is not None and on_host.report.in_service is False
