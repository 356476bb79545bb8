"""`submit`: what a person or program asks, to the facts that follow, or to a refusal that changes nothing. Pure."""

from __future__ import annotations

from noonday_coordinator.core import commands as c
from noonday_coordinator.core import events as e
from noonday_coordinator.core.coming_home import plan_reconcile, reconcile
from noonday_coordinator.core.keeping import prunable
from noonday_coordinator.core.plan import Plan, must_fetch, of_rollback, plan_deploy, plan_rollback
from noonday_coordinator.core.policy import Policy
from noonday_coordinator.core.refusal import refused
from noonday_coordinator.core.room import in_flight
from noonday_coordinator.core.state import TOUCHED, Host, HostState, Rollout, State
from noonday_coordinator.core.view import View
from noonday_shared.names import ReleaseRef

SILENT = 30.0
"""Seconds without a word after which a host is not counted as in service."""


def submit(state: State, view: View, command: c.Command, *, now: float, by: str) -> tuple[e.Event, ...]:
    """The events of `command`; none when there is nothing to do. Raises `BadInput` naming the rule."""
    match command:
        case c.Deploy() | c.Rollback() | c.Reconcile():
            return _begin(state, view, command, now, by)
        case c.Promote() | c.Abort() | c.Pause() | c.Resume():
            return _steer(_under_way(state, command.app), command, by)
        case c.DrainHost(host, why):
            return _drain(state, view, host, now, why)
        case c.UndrainHost(host, why):
            if not _host(state, host).drained_by:
                raise refused("not-drained", f"{host} is not drained by an operator", "noonday hosts")
            return (e.HostUndrained(host, why),)
        case c.Enroll(host, labels, public_key, why):
            return (e.HostEnrolled(host, labels, public_key, why),)
        case c.Remove(host, why):
            return _remove(state, host, why)
        case c.Push():
            return _push(state, command)
        case c.Unblock():
            return _unblock(state, command)
        case c.MarkCaveat() | c.ForgetCaveat():
            return (_caveat(state, command),)
        case c.WatchLogs(app, until):
            return (e.LogsWatched(app, until),)


def _begin(
    state: State, view: View, command: c.Deploy | c.Rollback | c.Reconcile, now: float, by: str
) -> tuple[e.Event, ...]:
    match command:
        case c.Deploy():
            return _deploy(state, view, command, now, by)
        case c.Rollback():
            return _rollback(state, view, command, now, by)
        case c.Reconcile():
            return _reconcile(state, view, command, now, by)


def _deploy(state: State, view: View, command: c.Deploy, now: float, by: str) -> tuple[e.Event, ...]:
    plan = plan_deploy(
        state, view, command.policy, command.version,
        now=now, allow_outage=command.allow_outage, supersede=command.supersede,
    )  # fmt: skip
    ended = _taken_over(
        state, plan.app, f"superseded by {command.version}, which {by} asked for{_because(plan, command)}"
    )
    if plan.nothing_to_do:
        return ended
    policy = command.policy.model_copy(update={"allow_outage": command.policy.allow_outage or command.allow_outage})
    started = _started(state, plan, "deploy", policy, command.why)
    deadline = now + policy.prepare_within
    why = "every host fetches, verifies and unpacks"
    return (*ended, started, e.StageEntered(started.rollout, e.Stage.PREPARING, 0, why, deadline))


def _because(plan: Plan, command: c.Deploy) -> str:
    """What is asked for is told with the rollout that begins; where none does, with the one that ends."""
    return f" ({command.why})" if plan.nothing_to_do and command.why else ""


def _rollback(state: State, view: View, command: c.Rollback, now: float, by: str) -> tuple[e.Event, ...]:
    why = f"rolled back by {by}" + (f": {command.why}" if command.why else "")
    rollout = state.active(command.app)
    if rollout is not None and rollout.kind != "reconcile":
        _not_going_back(rollout)
        verdict = e.VerdictReached(rollout.id, "roll back", why, rollout.requests, rollout.findings)
        back = e.StageEntered(rollout.id, e.Stage.ROLLING_BACK, rollout.wave, why)
        return (e.RollbackRequested(rollout.id, command.why), verdict, back)
    policy = of_rollback(command.policy)
    plan = plan_rollback(state, view, policy, now=now)
    ended = _taken_over(state, plan.app, why)
    started = _started(state, plan, "rollback", policy, command.why)
    if must_fetch(state, plan):
        deadline = now + policy.prepare_within
        first = e.StageEntered(started.rollout, e.Stage.PREPARING, 0, f"{why}; some hosts fetch it again", deadline)
    else:
        first = e.StageEntered(started.rollout, e.Stage.ROLLING, 0, why)
    return (*ended, started, first)


def _reconcile(state: State, view: View, command: c.Reconcile, now: float, by: str) -> tuple[e.Event, ...]:
    plan = plan_reconcile(state, view, command.policy, now=now)
    hosts = tuple(one.host for one in plan.hosts)
    if not hosts:
        return ()
    asked = f"{by} asked for it" + (f" ({command.why})" if command.why else "")
    why = f"{asked}: {'; '.join(f'{one.host} {one.why}' for one in plan.hosts)}"
    return tuple(reconcile(state, state.app(command.app), command.policy, hosts, why, now))


def _started(state: State, plan: Plan, kind: e.Kind, policy: Policy, why: str) -> e.RolloutStarted:
    active = state.active(plan.app)
    half = _half_rolled(active) if active else {}
    return e.RolloutStarted(
        rollout=f"r{len(state.rollouts) + 1}",
        app=plan.app,
        kind=kind,
        release=plan.release,
        previous=plan.previous,
        policy=policy,
        waves=plan.waves,
        skipped=plan.skipped,
        sick=plan.sick,
        half_rolled={host: release for host, release in half.items() if host in plan.hosts},
        why=why,
    )


def _half_rolled(active: Rollout) -> dict[str, ReleaseRef]:
    """Hosts that got its release, or were told to, also those that are to try again; one that could only not prepare it
    has nothing of it."""
    moved = (host for host in active.in_state(*TOUCHED, HostState.PREPARED) if active.hosts[host].moved)
    return {**active.half_rolled, **dict.fromkeys(moved, active.release)}


def _taken_over(state: State, app: str, why: str) -> tuple[e.Event, ...]:
    """The end of the rollout under way, if there is one: the plan was made, so it may be taken over from."""
    active = state.active(app)
    return (e.RolloutEnded(active.id, e.End.SUPERSEDED, why),) if active else ()


def _steer(rollout: Rollout, command: c.Promote | c.Abort | c.Pause | c.Resume, by: str) -> tuple[e.Event, ...]:
    match command:
        case c.Promote(_, why):
            if rollout.stage not in (e.Stage.EXAMINING, e.Stage.GATE) and not rollout.asked:
                text = f"{rollout.id} is {rollout.stage}: there is nothing to promote"
                raise refused("nothing-to-promote", text, f"noonday show {rollout.id}")
            return (e.Promoted(rollout.id, why),)
        case c.Abort(_, why):
            _not_going_back(rollout)
            reason = f"aborted by {by}" + (f": {why}" if why else "")
            if rollout.kind == "reconcile":
                stays = f"{reason}. What is under way on a host is finished"
                return (e.AbortRequested(rollout.id, why), e.RolloutEnded(rollout.id, e.End.ABORTED, stays))
            back = e.StageEntered(rollout.id, e.Stage.ROLLING_BACK, rollout.wave, reason)
            return (e.AbortRequested(rollout.id, why), back)
        case c.Pause(_, why):
            if rollout.paused_by:
                raise refused("paused", f"{rollout.id} is paused by {rollout.paused_by} already", "noonday resume APP")
            _not_going_back(rollout)
            return (e.Paused(rollout.id, why),)
        case c.Resume(_, why):
            if not rollout.paused_by:
                raise refused("not-paused", f"{rollout.id} is not paused", f"noonday show {rollout.id}")
            return (e.Resumed(rollout.id, why),)


def _drain(state: State, view: View, name: str, now: float, why: str) -> tuple[e.Event, ...]:
    host = _host(state, name)
    if host.drained_by:
        raise refused("drained", f"{name} is drained by {host.drained_by} already", f"noonday undrain {name}")
    if not host.apps:
        raise refused("no-apps", f"{name} has not reported any app yet", "noonday doctor")
    for app in host.apps:
        rollout = state.active(app)
        if rollout is not None and name in rollout.members:
            text = f"{name} is part of {rollout.id} ({app} {rollout.release.version}), which is {rollout.stage}"
            raise refused("rollout-under-way", text, f"noonday abort {app}, or wait")
        last = _last(state, view, host, app, now)
        if last:
            raise refused("last-in-service", f"{name} is {last}", "noonday hosts")
        if host.app(app).serves_well and state.returns_to(name, app) is None:
            text = f"{name} serves a {app} that Noonday did not release, so it could not let it back in"
            raise refused("not-released", text, f"drain it at the load balancer, or release {app} first")
    return (e.HostDrained(name, why),)


def _last(state: State, view: View, host: Host, app: str, now: float) -> str:
    """As in 'the last host of web in service'; empty when others serve, or this one does not."""
    others = [
        one.app(app)
        for one in state.hosts.values()
        # Its report lags: one that was just drained, is silent, or was told to change, can't be counted on.
        if one.name != host.name and one.app(app).in_service and not one.drained_by and not in_flight(one.app(app))
        if view.silent_for(one.name, now) <= SILENT
    ]
    if host.app(app).in_service and not others:
        return f"the last host of {app} in service"
    if host.app(app).serves_well and not any(one.serves_well for one in others):
        return f"the last host of {app} in service that is well"
    return ""


def _remove(state: State, name: str, why: str) -> tuple[e.Event, ...]:
    _host(state, name)
    for rollout in state.rollouts.values():
        if rollout.end is None and name in rollout.members:
            raise refused("rollout-under-way", f"{name} is part of {rollout.id}", f"noonday abort {rollout.app}")
    return (e.HostRemoved(name, why),)


def _push(state: State, command: c.Push) -> tuple[e.Event, ...]:
    known = state.app(command.app).releases.get(command.release.version)
    if known is not None and known.ref != command.release:
        text = f"{command.app} {command.release.version} was pushed with other content (sha256 {known.ref.digest[:8]}…)"
        raise refused("same-version-other-content", text, "build it under a new version")
    pushed = e.ReleasePushed(command.app, command.release, command.size, command.manifest, command.why)
    if known is not None and not known.pruned:
        return (pushed,) if command.why not in ("", known.why) else ()
    older = prunable(state, command.app, max(command.keep - 1, 1)) if command.keep else ()
    return (pushed, *(e.ReleasePruned(command.app, one) for one in older))


def _unblock(state: State, command: c.Unblock) -> tuple[e.Event, ...]:
    release = state.app(command.app).releases.get(command.version)
    if release is None:
        text = f"{command.app} {command.version} was not pushed"
        raise refused("not-pushed", text, f"noonday release list {command.app}")
    if not release.blocked:
        raise refused("not-blocked", f"{command.app} {command.version} is not blocked", "noonday deploy")
    return (e.ReleaseUnblocked(command.app, release.ref, command.why),)


def _caveat(state: State, command: c.MarkCaveat | c.ForgetCaveat) -> e.Event:
    app = state.app(command.app)
    if isinstance(command, c.MarkCaveat):
        return e.CaveatMarked(
            command.app, command.key, command.status, command.why, command.rate, command.per, command.cluster,
            command.level, command.text, app.active,
        )  # fmt: skip
    mark = app.caveats.get(command.key)
    if mark is None:
        text = f"{command.key} is no caveat of {command.app}"
        raise refused("no-such-caveat", text, f"noonday caveats list {command.app}")
    return e.CaveatForgotten(command.app, command.key, command.why, mark.level, mark.text, app.active)


def _under_way(state: State, app: str) -> Rollout:
    rollout = state.active(app)
    if rollout is None:
        raise refused("no-rollout", f"no rollout of {app} is under way", f"noonday history {app}")
    return rollout


def _not_going_back(rollout: Rollout) -> None:
    if rollout.stage is e.Stage.ROLLING_BACK or rollout.kind == "rollback":
        raise refused("going-back", f"{rollout.id} is going back already", f"noonday show {rollout.id}")


def _host(state: State, name: str) -> Host:
    host = state.hosts.get(name)
    if host is None:
        raise refused("not-enrolled", f"{name} is not enrolled", f"noonday enroll {name} --label KEY=VALUE")
    return host
