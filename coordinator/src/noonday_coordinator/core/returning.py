"""Who may leave, once a rollout is over, for what it was told in it: hosts that were given up on and are heard again,
and those that served that and lost it, as when a disk was put back. They take turns, within a rollout's limits. Pure.

What was said to a host may be on its way until it expires, and until then that host counts as one that leaves, whoever
else has his turn meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from noonday_coordinator.core.policy import share_of
from noonday_coordinator.core.restored import is_stale
from noonday_coordinator.core.room import (
    counted,
    group_has_room,
    heard,
    in_mid_step,
    in_the_way,
    stays_out,
    why_out,
)
from noonday_coordinator.core.state import AppOnHost, HostState, Rollout, State
from noonday_coordinator.core.view import View
from noonday_coordinator.core.void import is_void
from noonday_shared.messages import Goal, Outcome


def may_return(state: State, view: View, rollout: Rollout, host: str, now: float) -> bool:
    """Once the rollout is over and the host is heard again, within the same limit as ever."""
    if rollout.end is None or not (heard(view, rollout, host, now) and view.has_caught_up(now)):
        return False
    fleet = _Fleet(state, view, rollout, host, now)
    if not fleet.on_hosts[host].in_service:
        return fleet.may_come_in
    # A rollout under way may be just about to tell another one to leave.
    return state.active(rollout.app) is None and host in fleet.leaving


def is_alone(state: State, view: View, rollout: Rollout, host: str, now: float) -> bool:
    """Whether there is no other host that could serve."""
    return len(_Fleet(state, view, rollout, host, now).on_hosts) == 1


def obstacles(state: State, view: View, rollout: Rollout, host: str, now: float) -> tuple[str, str]:
    """What keeps the host from leaving, as in 'web-3 is out of service', and what to do about it."""
    fleet = _Fleet(state, view, rollout, host, now)
    others = fleet.others_out or fleet.goes_first
    return (others, "Mend those (noonday hosts), or: noonday remove HOST") if others else fleet.short


@dataclass(frozen=True)
class _Fleet:
    """The hosts among which `host` asks whether it may leave: itself, those of the rollout, and others of the app."""

    state: State
    view: View
    rollout: Rollout
    host: str
    now: float

    @cached_property
    def on_hosts(self) -> dict[str, AppOnHost]:
        # One that was left out is counted nowhere, but was told to prepare, and after that to serve what it serves.
        names = dict.fromkeys((self.host, *counted(self.state, self.rollout), *self._others()))
        return {name: self.state.on(name, self.rollout.app) for name in names if name in self.state.hosts}

    @cached_property
    def serving(self) -> list[str]:
        return [name for name in self.on_hosts if self._stays_in(name)]

    @cached_property
    def missing(self) -> list[str]:
        return [name for name in self.on_hosts if self._uses_room(name)]

    @cached_property
    def waiting(self) -> list[str]:
        """Those that wait for room, the first told first: the same order whichever of them is asked about."""
        told = {name: one.assigned.generation for name, one in self.on_hosts.items() if one.assigned}
        return [name for name in sorted(told, key=lambda name: told[name]) if self._awaits_room(name)]

    @property
    def may_come_in(self) -> bool:
        """Whether the host, which is out, may be told: nobody else is out, or it stays so anyway."""
        away = {*self.missing} - {self.host}
        others = any(self.on_hosts[name].serves_well for name in self.serving) or len(self.on_hosts) == 1
        free = len(away) < self._limit and group_has_room(self.state, self.rollout, self.host, away)
        return (others and free) or stays_out(self.rollout, self.on_hosts[self.host], self.now)

    @property
    def leaving(self) -> list[str]:
        """Those that leave together: of those that wait the ill ones first, since nobody misses them; and of those that
        are well all but one, unless it is the only host."""
        there = [name for name in self.waiting if name in self.serving]
        well = [name for name in self.serving if self.on_hosts[name].serves_well]
        spare = [name for name in there if name in well][: max(len(well) - self._kept, 0)]
        chosen: list[str] = []
        for name in (*(name for name in there if self.on_hosts[name].ill), *spare):
            away = [*self.missing, *chosen]
            most = min(self._limit - len(self.missing), len(self.serving) - max(self._kept, self._healthy(name)))
            if len(chosen) < most and group_has_room(self.state, self.rollout, name, away):
                chosen.append(name)
        return chosen

    @property
    def goes_first(self) -> str:
        """Whose turn is before the host's, as in 'web-1 goes first, and did not ...'; empty when nobody's."""
        before = self.waiting[: self.waiting.index(self.host)] if self.host in self.waiting else []
        if not before:
            return ""
        verb, they = ("goes", "it was") if len(before) == 1 else ("go", "they were")
        return f"{', '.join(before)} {verb} first, and did not yet take up what {they} told"

    @property
    def others_out(self) -> str:
        found = in_the_way(self.state, self.view, self.rollout, self.now)
        found |= {name: self._why_out(name) for name in self.missing if name not in found}
        if sum(self.on_hosts[name].serves_well for name in self.serving) <= 1:
            ill = (name for name in self.serving if self.on_hosts[name].ill and name not in found)
            found |= dict.fromkeys(ill, "is in service, but its app is not well")
        there = {name: why for name, why in found.items() if name != self.host and name in self.state.hosts}
        return ", ".join(f"{name} {why}" for name, why in there.items())

    @property
    def short(self) -> tuple[str, str]:
        """What the policy says of a fleet in which nobody else is out, and what to do about it."""
        least = self.rollout.policy.min_healthy
        why = f"min_healthy = {least} of {len(self._all)} hosts keeps each of the {len(self.serving)} in service"
        return why, "Enroll another host, or lower min_healthy in the app's policy and deploy again"

    def _why_out(self, host: str) -> str:
        return why_out(self.state, self.view, self.rollout, host, self.now)

    @cached_property
    def _limit(self) -> int:
        """Hosts that may be out at once, of those that were not left out, or are back; of several never all."""
        known = set(counted(self.state, self.rollout))
        present = sum(name in known or self._is_back(name) for name in self._all)
        return present if present <= 1 else min(self.rollout.policy.most_out(present), present - 1)

    def _is_back(self, host: str) -> bool:
        return host in self.on_hosts and self._is_heard(host) and not self.state.hosts[host].drained_by

    @cached_property
    def _all(self) -> set[str]:
        """Who was removed since is none of them."""
        return {*self.rollout.hosts, *self.rollout.beside, *self.on_hosts}.intersection(self.state.hosts)

    @property
    def _kept(self) -> int:
        """How many have to stay in service at least: one, but for the only host, which may go where that is allowed, or
        ill."""
        alone = len(self.on_hosts) == 1
        return 0 if alone and (self.rollout.policy.allow_outage or self.on_hosts[self.host].ill) else 1

    def _healthy(self, host: str) -> int:
        """How many the policy wants in service; as in a rollout, that keeps no host on what it is to go back from."""
        if self._goes_back(host) or len(self.on_hosts) == 1:
            return 0
        return share_of(self.rollout.policy.min_healthy, len(self._all), up=True)

    def _told_in(self, host: str) -> Rollout | None:
        assigned = self.on_hosts[host].assigned
        return self.state.rollouts.get(assigned.rollout) if assigned else None

    def _goes_back(self, host: str) -> bool:
        told_in = self._told_in(host)
        return told_in is not None and told_in.hosts[host].state is HostState.LOST

    def _awaits_room(self, host: str) -> bool:
        """Whether it may leave for what it was told last, in whichever rollout that was, once it is told again."""
        on_host, rollout = self.on_hosts[host], self._told_in(host)
        assigned = on_host.assigned
        if assigned is None or rollout is None or rollout.end is None or on_host.taken:
            return False
        if is_void(self.state, host, on_host) or is_stale(self.state, self.view, host, on_host):
            return False
        given_up = rollout.hosts[host].state in (HostState.LOST, HostState.FAILED)
        return assigned.goal is Goal.SERVING and (given_up or on_host.would_change)

    def _others(self) -> list[str]:
        """Hosts of the same fleet that are not counted in the rollout, as they came since or were left out, unless they
        are dead, or never served and are on no way to."""
        app, known = self.rollout.app, set(counted(self.state, self.rollout))
        active = self.state.active(app)
        moved = set(active.hosts) if active else set()
        found = (host for host in self.state.hosts_with(self.rollout.policy.hosts) if host.name not in known)
        return [host.name for host in found if host.name in moved or self._is_there(host.name, host.app(app))]

    def _is_there(self, host: str, on_host: AppOnHost) -> bool:
        served = on_host.report is not None and on_host.report.proven is not None
        return on_host.in_service or (self._is_heard(host) and (served or in_mid_step(on_host)))

    def _uses_room(self, host: str) -> bool:
        """Whether it is out, or on its way, so that nobody else may go. One that is dead, or that an operator drained,
        keeps nobody waiting, unless it may be out because of us."""
        on_host = self.on_hosts[host]
        if not self._is_heard(host):
            return in_mid_step(on_host) or self._may_be_leaving(host)
        if self.state.hosts[host].drained_by:
            return on_host.in_service or in_mid_step(on_host)
        return not self._stays_in(host)

    def _stays_in(self, host: str) -> bool:
        """Whether the host serves, nobody wants it out, and nothing that takes it out is on its way to it."""
        on_host, enrolled = self.on_hosts[host], self.state.hosts[host]
        wanted = not enrolled.drained_by and self.state.goal_of(host, self.rollout.app) is not Goal.OUT
        stays = wanted and not _is_working(on_host) and not self._may_be_leaving(host)
        return on_host.in_service and stays and self._is_heard(host)

    def _may_be_leaving(self, host: str) -> bool:
        on_host, told_in = self.on_hosts[host], self._told_in(host)
        if host == self.host or on_host.taken:
            return False
        longest = told_in.policy.unreachable_after if told_in and self._awaits_room(host) else 0.0
        return self.view.may_take_up(host, self.rollout.app, on_host.assigned_at, longest, self.now)

    def _is_heard(self, host: str) -> bool:
        return heard(self.view, self.rollout, host, self.now)


def _is_working(on_host: AppOnHost) -> bool:
    return on_host.taken and on_host.report is not None and on_host.report.outcome is Outcome.WORKING
