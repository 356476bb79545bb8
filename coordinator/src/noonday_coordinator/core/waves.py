"""In which order hosts are released: the sick first, group by group, canary and waves. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from noonday_coordinator.core.policy import Policy, share_of
from noonday_coordinator.core.state import Host
from noonday_shared.errors import BadInput

Waves = tuple[tuple[str, ...], ...]


def in_order(hosts: Sequence[Host], policy: Policy, *, newest_first: bool = False) -> tuple[Host, ...]:
    """Hosts that are out of service first, since they lose nothing, then those that are not well, the others by name;
    group by group if the policy names a label, the group with the sickest host first. `newest_first`: names and groups
    the other way round. Raises `BadInput` for a host without that label."""
    label = policy.group_by
    strange = [host.name for host in hosts if label and not host.labels.get(label)]
    if strange:
        text = f"the policy releases by {label}, and {', '.join(strange)} has no label {label}"
        fix = f"noonday enroll {strange[0]} --label {label}=NAME with its other labels, or take group_by off the policy"
        raise BadInput(f"Refused: {text}.", rule="no-group", next_action=fix)
    rank = {host.name: _rank(host, policy.app) for host in hosts}
    group = {host.name: host.labels.get(label, "") for host in hosts}
    first = {one: min(rank[name] for name in rank if group[name] == one) for one in set(group.values())}
    by_name = sorted(hosts, key=lambda host: (group[host.name], host.name), reverse=newest_first)
    turn = {one: number for number, one in enumerate(dict.fromkeys(group[host.name] for host in by_name))}
    key = {host.name: (first[group[host.name]], turn[group[host.name]], rank[host.name]) for host in hosts}
    return tuple(sorted(by_name, key=lambda host: key[host.name]))


def waves_of(policy: Policy, hosts: Sequence[Host]) -> Waves:
    """The canary, then the waves; percentages are of all hosts, and the last wave takes whoever is left. No wave holds
    hosts of two groups."""
    sizes = [share_of(policy.canary, len(hosts)), *(share_of(wave, len(hosts), up=True) for wave in policy.waves)]
    waves: list[tuple[str, ...]] = []
    rest = list(hosts)
    for size in [*sizes, len(hosts)]:
        wave, rest = rest[:size], rest[size:]
        parts = groupby(wave, lambda host: host.labels.get(policy.group_by, "") if policy.group_by else "")
        waves += [tuple(host.name for host in part) for _, part in parts]
    return tuple(waves)


def said_groups(policy: Policy, hosts: Sequence[Host]) -> tuple[str, ...]:
    """Which groups `hosts`, in order, are released by, and how many of one may be out; nothing without groups."""
    label = policy.group_by
    if not label:
        return ()
    groups = [(name, list(part)) for name, part in groupby(hosts, lambda host: host.labels.get(label, ""))]
    turns = ", then ".join(f"{name} ({', '.join(host.name for host in part)})" for name, part in groups)
    limits = {name: share_of(policy.group_limit, len(part)) for name, part in groups}
    most = " and ".join(f"{limit} of {name}" for name, limit in limits.items())
    return (f"{label} by {label}: {turns}; out at once, at most: {most}",)


def serves_badly(host: Host, app: str) -> bool:
    """Whether a release of ours is there and does not serve well."""
    on_host = host.app(app)
    return on_host.report is not None and on_host.report.proven is not None and not on_host.serves_well


def _rank(host: Host, app: str) -> int:
    on_host = host.app(app)
    if on_host.report is None or not on_host.in_service:
        return 0
    return 1 if on_host.report.healthy is False else 2
