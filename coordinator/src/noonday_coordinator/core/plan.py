"""The plan of a rollout: which hosts, in which waves, under which limits; or why there can't be one. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from noonday_coordinator.core import twin
from noonday_coordinator.core.policy import Policy, share_of
from noonday_coordinator.core.state import Host, State
from noonday_coordinator.core.view import View
from noonday_shared.errors import BadInput
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

    @property
    def hosts(self) -> tuple[str, ...]:
        return tuple(host for wave in self.waves for host in wave)


STEP_SECONDS = 15.0
"""A guess of one host's drain, restart and return, for the estimate only."""


def plan_deploy(
    state: State, view: View, policy: Policy, version: str, *, now: float, allow_outage: bool = False
) -> Plan:
    """Raises `BadInput` naming the rule when the release can't be rolled out now."""
    app = state.app(policy.app)
    none_under_way(state, policy.app)
    release = app.releases.get(version)
    if release is None:
        known = ", ".join(sorted(app.releases)) or "none"
        raise _refused(
            "not-pushed", f"{app.name} {version} was not pushed (pushed: {known})", "noonday release push FILE"
        )
    if release.blocked:
        again = f"noonday release unblock {app.name} {version} --why WHY"
        raise _refused("blocked", f"{app.name} {version} was {release.blocked}", again)
    hosts = members(state, view, policy, now=now)
    if all(_runs(host, app.name, release.ref) for host in hosts):
        return Plan(app.name, release.ref, app.current, (), 0, True, (), 0.0)
    if release.pruned:
        _on_all(hosts, app.name, release.ref)
    limit = drain_limit(policy, len(hosts), allow_outage=allow_outage)
    waves = waves_of(policy, [host.name for host in hosts])
    return Plan(
        app=app.name,
        release=release.ref,
        previous=app.current,
        waves=waves,
        limit=limit,
        nothing_to_do=False,
        checks=(*_checks(policy, app.current, waves), *_twin(state, policy, app.current, waves)),
        seconds=_estimate(policy, waves, limit, first=app.current is None),
    )


def plan_rollback(state: State, view: View, policy: Policy, *, now: float) -> Plan:
    """Straight to the previous release on all hosts, without canary or download. Raises `BadInput`."""
    app = state.app(policy.app)
    target = app.previous
    if target is None:
        raise _refused(
            "no-previous", f"{app.name} has no previous release to go back to", f"noonday release list {app.name}"
        )
    hosts = members(state, view, policy, now=now)
    missing = [host.name for host in hosts if not _holds(host, app.name, target)]
    if missing:
        again = f"noonday deploy {app.name} {target.version}"
        raise _refused("previous-pruned", f"{target.version} is no longer on {', '.join(missing)}", again)
    limit = drain_limit(policy, len(hosts), allow_outage=True)
    waves = (tuple(reversed([host.name for host in hosts])),)
    checks = ("health check and the agent's own proof on every host",)
    return Plan(app.name, target, app.current, waves, limit, False, checks, len(hosts) / limit * STEP_SECONDS)


def members(state: State, view: View, policy: Policy, *, now: float) -> tuple[Host, ...]:
    """The app's hosts, all of them there and free. Raises `BadInput` naming those that are not."""
    hosts = state.hosts_with(policy.hosts)
    if not hosts:
        labels = ", ".join(f"{key}={value}" for key, value in policy.hosts.items())
        raise _refused("no-hosts", f"no enrolled host carries {labels}; that never means all", "noonday hosts")
    # A coordinator that has just begun has heard nobody yet: who is away shows while the others prepare.
    silent = [host.name for host in hosts if view.silent_for(host.name, now) > policy.unreachable_after]
    if silent:
        seen = ", ".join(f"{name} (last seen {_ago(view, name, now)})" for name in silent)
        raise _refused("unreachable", f"no report from {seen}", "noonday doctor, then start the agents there")
    strange = [host.name for host in hosts if policy.app not in host.apps]
    if strange:
        fix = f"add [apps.{policy.app}] to agent.toml there, or take the label off"
        raise _refused("unknown-app", f"{', '.join(strange)} has no app {policy.app!r} in agent.toml", fix)
    drained = [f"{host.name} (by {host.drained_by})" for host in hosts if host.drained_by]
    if drained:
        raise _refused("drained", f"drained by an operator: {', '.join(drained)}", "noonday undrain HOST")
    return hosts


def none_under_way(state: State, app: str) -> None:
    """Raises `BadInput` naming the rollout of this app that is under way, or its host that is still on its way back."""
    rollout = state.active(app)
    if rollout is not None:
        text = f"{rollout.id} ({app} {rollout.release.version}, by {rollout.by}) is under way: {rollout.stage}"
        raise _refused("rollout-under-way", text, f"noonday show {rollout.id}, noonday abort {app}")
    out = [name for name, host in state.hosts.items() if app in host.apps and state.goal_of(name, app) is Goal.OUT]
    waiting = [name for name in out if not state.hosts[name].drained_by]
    if waiting:
        raise _refused("returning", f"{', '.join(waiting)} is on its way back into service", "try again in a moment")


def drain_limit(policy: Policy, total: int, *, allow_outage: bool) -> int:
    """Hosts that may be out at once. Raises `BadInput` with the sum when that is none."""
    outage = allow_outage or policy.allow_outage
    if total == 1:
        if not outage:
            fix = "pass --allow-outage, or set allow_outage = true in the app's policy"
            raise _refused("only-host", f"{policy.app} has one host, so its release means an outage", fix)
        return 1
    limit = min(policy.limit(total), total - 1)
    if limit < 1:
        kept = share_of(policy.min_healthy, total, up=True)
        text = f"{total} hosts - min_healthy {policy.min_healthy} ({kept} hosts) = {total - kept} that may be drained"
        raise _refused("no-room", text, "lower min_healthy in the app's policy, or add hosts")
    return limit


def waves_of(policy: Policy, hosts: list[str]) -> tuple[tuple[str, ...], ...]:
    """The canary, then the waves; percentages are of all hosts, and the last wave takes whoever is left."""
    total = len(hosts)
    sizes = [share_of(policy.canary, total), *(share_of(wave, total, up=True) for wave in policy.waves)]
    waves: list[tuple[str, ...]] = []
    rest = list(hosts)
    for size in sizes:
        waves.append(tuple(rest[:size]))
        rest = rest[size:]
    if rest:
        waves.append(tuple(rest))
    return tuple(wave for wave in waves if wave)


def _on_all(hosts: tuple[Host, ...], app: str, release: ReleaseRef) -> None:
    """Raises `BadInput` naming the hosts that could get a release nowhere: its archive is no longer kept."""
    missing = [host.name for host in hosts if not _holds(host, app, release)]
    if missing:
        text = f"the archive of {app} {release.version} is no longer kept, and it is not on {', '.join(missing)}"
        raise _refused("archive-pruned", text, "build it again from the same source, then noonday release push FILE")


def _runs(host: Host, app: str, release: ReleaseRef) -> bool:
    report = host.app(app).report
    return report is not None and report.proven == release and report.live == release.id and report.in_service is True


def _holds(host: Host, app: str, release: ReleaseRef) -> bool:
    report = host.app(app).report
    return report is not None and release.id in report.prepared


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


def _estimate(policy: Policy, waves: tuple[tuple[str, ...], ...], limit: int, *, first: bool) -> float:
    turns = sum(-(-len(wave) // limit) for wave in waves)
    pauses = max(len(waves) - 2, 0) * policy.wave_pause
    return turns * STEP_SECONDS + pauses + (0.0 if first else policy.examine)


def _ago(view: View, host: str, now: float) -> str:
    seen = view.last_seen.get(host)
    return f"{now - seen:.0f} s ago" if seen else "never"


def _refused(rule: str, text: str, next_action: str) -> BadInput:
    return BadInput(f"Refused: {text}.", rule=rule, next_action=next_action)
