"""Which hosts take part in a rollout, and which are left out; or why there can't be one. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from noonday_coordinator.core.policy import Policy
from noonday_coordinator.core.refusal import refused
from noonday_coordinator.core.room import in_mid_step
from noonday_coordinator.core.state import Host, State
from noonday_coordinator.core.view import View
from noonday_shared.errors import BadInput


@dataclass(frozen=True, slots=True)
class Members:
    """By name. `skipped`: hosts that are left out, and why."""

    hosts: tuple[Host, ...]
    skipped: dict[str, str] = field(default_factory=dict)


def members(state: State, view: View, policy: Policy, *, now: float) -> Members:
    """The app's hosts. Raises `BadInput` naming those that are away or not free, as far as the policy wants them."""
    found = state.hosts_with(policy.hosts)
    if not found:
        labels = ", ".join(f"{key}={value}" for key, value in policy.hosts.items())
        raise refused("no-hosts", f"no enrolled host carries {labels}; that never means all", "noonday hosts")
    away = {host.name: host for host in found if _away(view, policy, host.name, now)}
    _all_have_app([host for host in found if host.name not in away], policy)
    skipped: dict[str, str] = {}
    if policy.offline == "skip":
        skipped = {host.name: f"drained by {host.drained_by}" for host in found if host.drained_by}
        skipped |= {
            name: f"offline, last seen {ago(view, name, now)}"
            for name, host in away.items()
            if not in_mid_step(host.app(policy.app))
        }
    hosts = tuple(host for host in found if host.name not in skipped)
    needed = [name for name in away if name not in skipped]
    if not hosts and all(host.drained_by for host in found):
        raise _drained(found)
    if not hosts or (needed and policy.offline != "wait"):
        raise _unreachable(view, policy, needed or [name for name in skipped if name in away], now)
    drained = tuple(host for host in hosts if host.drained_by)
    if drained:
        raise _drained(drained)
    return Members(hosts, skipped)


def _unreachable(view: View, policy: Policy, silent: list[str], now: float) -> BadInput:
    text = f"no report from {', '.join(f'{name} (last seen {ago(view, name, now)})' for name in silent)}"
    if policy.offline != "skip":
        fix = "noonday doctor, then start the agents there; or set offline in the app's policy"
        return refused("unreachable", text, fix)
    # What offline says leaves them out, but for those that fell silent in mid-step; or nobody else is there.
    text = f"{text}: in the middle of a step, so perhaps out because of us, or no host is left"
    return refused("unreachable", text, f"noonday doctor, then start the agents there; or noonday remove {silent[0]}")


def _drained(hosts: tuple[Host, ...]) -> BadInput:
    who = ", ".join(f"{host.name} (by {host.drained_by})" for host in hosts)
    return refused("drained", f"drained by an operator: {who}", "noonday undrain HOST")


def _away(view: View, policy: Policy, host: str, now: float) -> bool:
    """Silent for too long; or never heard by a coordinator that can hear nobody."""
    unheard = view.deaf and host not in view.last_seen
    return unheard or view.silent_for(host, now) > policy.unreachable_after


def ago(view: View, host: str, now: float) -> str:
    seen = view.last_seen.get(host)
    return f"{now - seen:.0f} s ago" if seen else "never"


def _all_have_app(hosts: list[Host], policy: Policy) -> None:
    # A coordinator that has just begun may not have heard of it yet, but the log remembers what was reported.
    strange = [host.name for host in hosts if policy.app not in host.apps]
    if strange:
        fix = f"add [apps.{policy.app}] to agent.toml there, or take the label off"
        raise refused("unknown-app", f"{', '.join(strange)} has no app {policy.app!r} in agent.toml", fix)
