"""The plan of a rollout: which hosts, in which waves, under which limits; or why there can't be one. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from noonday_coordinator.core import twin
from noonday_coordinator.core.events import Stage
from noonday_coordinator.core.members import Members, members
from noonday_coordinator.core.policy import Policy, share_of
from noonday_coordinator.core.refusal import refused
from noonday_coordinator.core.state import App, Host, Release, State
from noonday_coordinator.core.view import View
from noonday_coordinator.core.waves import in_order, said_groups, serves_badly, waves_of
from noonday_shared.messages import Goal
from noonday_shared.names import ReleaseRef


@dataclass(frozen=True, slots=True)
class Plan:
    """`waves[0]` is the canary. `seconds` is what the policy's waits and the hosts' own steps add up to, at least."""

    app: str
    release: ReleaseRef
    previous: ReleaseRef | None
    waves: tuple[tuple[str, ...], ...]
    limit: int
    nothing_to_do: bool
    checks: tuple[str, ...]
    seconds: float
    skipped: dict[str, str] = field(default_factory=dict)
    """Hosts that are left out, and why."""
    beside: tuple[str, ...] = ()
    """Hosts that are not moved, but count when others are taken out."""
    sick: tuple[str, ...] = ()
    """Hosts that do not serve well now."""

    @property
    def hosts(self) -> tuple[str, ...]:
        return tuple(host for wave in self.waves for host in wave)


STEP_SECONDS = 15.0
"""A guess of one host's drain, restart and return, for the estimate only."""


def plan_deploy(
    state: State,
    view: View,
    policy: Policy,
    version: str,
    *,
    now: float,
    allow_outage: bool = False,
    supersede: bool = False,
) -> Plan:
    """Raises `BadInput` naming the rule when the release can't be rolled out now. `supersede`: in the place of the
    rollout under way."""
    app = state.app(policy.app)
    may_begin(state, policy.app, version, supersede=supersede)
    release = _pushed(app, version)
    found = members(state, view, policy, now=now)
    if all(_runs(host, app.name, release.ref) for host in found.hosts):
        return Plan(app.name, release.ref, app.fallback, (), 0, True, (), 0.0, found.skipped)
    if release.pruned:
        _on_all(found.hosts, app.name, release.ref)
    limit = drain_limit(policy, len(found.hosts), allow_outage=allow_outage, absent=len(found.skipped))
    hosts = in_order(found.hosts, policy)
    waves = waves_of(policy, hosts)
    return Plan(
        app=app.name,
        release=release.ref,
        previous=app.fallback,
        waves=waves,
        limit=limit,
        nothing_to_do=False,
        checks=(
            *_checks(policy, app.fallback, waves),
            *said_groups(policy, hosts),
            *_twin(state, policy, app.fallback, waves),
            *_oddities(state, view, policy, found, supersede=supersede, now=now),
        ),
        seconds=_estimate(policy, waves, limit, first=app.fallback is None),
        skipped=found.skipped,
        sick=tuple(host.name for host in hosts if serves_badly(host, app.name)),
    )


def plan_rollback(state: State, view: View, policy: Policy, *, now: float) -> Plan:
    """Straight to the previous release on all hosts that are there, without canary; `policy` as `of_rollback` makes it.
    Raises `BadInput`. A host on which it is no longer unpacked fetches it again before any is drained."""
    app = state.app(policy.app)
    target = app.previous
    if target is None:
        raise refused(
            "no-previous", f"{app.name} has no previous release to go back to", f"noonday release list {app.name}"
        )
    found = members(state, view, policy, now=now)
    release = app.releases.get(target.version)
    if release is None or release.pruned:
        _on_all(found.hosts, app.name, target)
    _one_serves_on(found, app.name, policy)
    limit = drain_limit(policy, len(found.hosts), allow_outage=True, absent=len(found.skipped), least=1)
    hosts = in_order(found.hosts, policy, newest_first=True)
    waves = waves_of(policy.model_copy(update={"canary": len(hosts)}), hosts)
    checks = ("health check and the agent's own proof on every host", *_fetching(hosts, app.name, target))
    sick = tuple(host.name for host in hosts if serves_badly(host, app.name))
    seconds = len(hosts) / limit * STEP_SECONDS
    return Plan(app.name, target, app.current, waves, limit, False, checks, seconds, found.skipped, (), sick)


def _one_serves_on(found: Members, app: str, policy: Policy) -> None:
    """Raises `BadInput` where of several hosts one is left, and nobody serves while that goes back. The only host that
    there is goes as asked."""
    if not found.skipped or len(found.hosts) > 1 or policy.allow_outage:
        return
    (host,) = found.hosts
    if host.app(app).serves_well:
        text = f"all hosts of {app} but {host.name} are left out ({', '.join(found.skipped)}), so this means an outage"
        raise refused("only-host", text, "bring one of them back, or set allow_outage = true in the app's policy")


def of_rollback(policy: Policy) -> Policy:
    """Hosts that are away, or that an operator drained, keep no bad release in service on the others."""
    return policy.model_copy(update={"offline": "skip"})


def must_fetch(state: State, plan: Plan) -> bool:
    """Whether a host of the plan does not have its release unpacked."""
    return not all(state.hosts[host].app(plan.app).holds(plan.release) for host in plan.hosts)


def may_begin(state: State, app: str, version: str, *, supersede: bool) -> None:
    """Raises `BadInput` naming what is under way. A rollout that only brings single hosts home stands back for every
    other, and one that was asked to take over ends what goes forward; what goes back is never stopped."""
    rollout = state.active(app)
    if rollout is None:
        none_under_way(state, app)
        return
    if rollout.kind == "reconcile":
        return
    if not supersede:
        none_under_way(state, app)
    if rollout.kind == "rollback" or rollout.stage is Stage.ROLLING_BACK:
        text = f"{rollout.id} is going back, and nothing takes over from a rollback"
        raise refused("going-back", text, f"noonday show {rollout.id} --follow, then deploy again")
    if rollout.release.version == version:
        raise refused("under-way", f"{rollout.id} rolls out {app} {version} already", f"noonday show {rollout.id}")
    current = state.app(app).current
    if current is not None and current.version == version:
        text = f"{version} is the release of record, to which an end of {rollout.id} leads back"
        raise refused("of-record", text, f"noonday abort {app}")


def none_under_way(state: State, app: str) -> None:
    """Raises `BadInput` naming the rollout of this app that is under way, or its host that is still on its way back."""
    rollout = state.active(app)
    if rollout is not None:
        text = f"{rollout.id} ({app} {rollout.release.version}, by {rollout.by}) is under way: {rollout.stage}"
        fix = f"noonday show {rollout.id}, noonday abort {app}, or deploy with --supersede"
        if rollout.kind == "rollback" or rollout.stage is Stage.ROLLING_BACK:
            fix = f"noonday show {rollout.id} --follow, then try again"
        raise refused("rollout-under-way", text, fix)
    out = [name for name, host in state.hosts.items() if app in host.apps and state.goal_of(name, app) is Goal.OUT]
    waiting = [name for name in out if not state.hosts[name].drained_by]
    if waiting:
        raise refused("returning", f"{', '.join(waiting)} is on its way back into service", "try again in a moment")


def drain_limit(policy: Policy, present: int, *, allow_outage: bool, absent: int = 0, least: int = 0) -> int:
    """Hosts that may be out at once, of those present, `least` in any case. Raises `BadInput` with the sum when that is
    none."""
    outage = allow_outage or policy.allow_outage
    if present == 1:
        if not outage:
            fix = "pass --allow-outage, or set allow_outage = true in the app's policy"
            one = f"all hosts of {policy.app} but one are left out" if absent else f"{policy.app} has one host"
            raise refused("only-host", f"{one}, so its release means an outage", fix)
        return 1
    total = present + absent
    limit = max(min(policy.limit(total, absent), present - 1), least)
    if limit < 1:
        kept = share_of(policy.min_healthy, total, up=True)
        text = f"{total} hosts - min_healthy {policy.min_healthy} ({kept} hosts)"
        if absent:
            text += f" - {absent} left out"
        text += f" = {present - kept} that may be drained"
        raise refused("no-room", text, "lower min_healthy in the app's policy, or add hosts")
    return limit


def _pushed(app: App, version: str) -> Release:
    """Raises `BadInput` when it may not be rolled out."""
    release = app.releases.get(version)
    if release is None:
        known = ", ".join(sorted(app.releases)) or "none"
        raise refused(
            "not-pushed", f"{app.name} {version} was not pushed (pushed: {known})", "noonday release push FILE"
        )
    if release.blocked:
        again = f"noonday release unblock {app.name} {version} --why WHY"
        raise refused("blocked", f"{app.name} {version} was {release.blocked}", again)
    return release


def _on_all(hosts: tuple[Host, ...], app: str, release: ReleaseRef) -> None:
    """Raises `BadInput` naming the hosts that could get a release nowhere: its archive is no longer kept."""
    missing = [host.name for host in hosts if not host.app(app).holds(release)]
    if missing:
        text = f"the archive of {app} {release.version} is no longer kept, and it is not on {', '.join(missing)}"
        raise refused("archive-pruned", text, "build it again from the same source, then noonday release push FILE")


def _runs(host: Host, app: str, release: ReleaseRef) -> bool:
    report = host.app(app).report
    return report is not None and report.proven == release and report.live == release.id and report.in_service is True


def _checks(policy: Policy, previous: ReleaseRef | None, waves: tuple[tuple[str, ...], ...]) -> tuple[str, ...]:
    if previous is None:
        return ("health check and the agent's own proof on every host", "first release: nothing to compare it with")
    checks = [
        "health check and the agent's own proof on every host",
        f"{waves[0][0] if len(waves[0]) == 1 else f'{len(waves[0])} hosts'} examined for {policy.examine:g} s and "
        f"{policy.least_requests} requests, against the servers on {previous.version}",
    ]
    checks += [f"a person says yes after {gate if gate == 'canary' else f'wave {gate}'}" for gate in policy.gates]
    return tuple(checks)


def _twin(
    state: State, policy: Policy, previous: ReleaseRef | None, waves: tuple[tuple[str, ...], ...]
) -> tuple[str, ...]:
    if not policy.twin_control or previous is None:
        return ()
    if policy.examine <= 0:
        return ("no twin control, since nothing is examined",)
    for name in (host for wave in waves[1:] for host in wave):
        if twin.serves(state.hosts[name].app(policy.app), previous):
            return (f"{name} is restarted on {previous.version} beside the canary, to compare starts at equal age",)
    return (f"no twin control, since no host of a later wave serves {previous.version} well",)


def _fetching(hosts: tuple[Host, ...], app: str, release: ReleaseRef) -> tuple[str, ...]:
    missing = [host.name for host in hosts if not host.app(app).holds(release)]
    again = f"{', '.join(missing)} fetches {release.version} again, before any host is drained"
    return (again,) if missing else ()


def _oddities(
    state: State, view: View, policy: Policy, found: Members, *, supersede: bool, now: float
) -> tuple[str, ...]:
    """What is not as usual with the hosts, or with what is under way."""
    told = [f"{name} is left out: {why}" for name, why in found.skipped.items()]
    sick = [host.name for host in found.hosts if serves_badly(host, policy.app)]
    if sick:
        told.append(f"{', '.join(sick)} goes first in its wave or group: it does not serve well now")
    away = [one.name for one in found.hosts if view.silent_for(one.name, now) > policy.unreachable_after]
    if away:
        told.append(f"{', '.join(away)} is not heard, and awaited for {policy.prepare_within:g} s")
    active = state.active(policy.app)
    if active is not None and (supersede or active.kind == "reconcile"):
        told.append(f"it takes over from {active.id} ({active.release.version}, {active.stage})")
    return tuple(told)


def _estimate(policy: Policy, waves: tuple[tuple[str, ...], ...], limit: int, *, first: bool) -> float:
    turns = sum(-(-len(wave) // limit) for wave in waves)
    pauses = max(len(waves) - 2, 0) * policy.wave_pause
    return turns * STEP_SECONDS + pauses + (0.0 if first else policy.examine)
