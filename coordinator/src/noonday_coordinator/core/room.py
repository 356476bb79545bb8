"""How many hosts may be out at once, who is out already and why, and so who may be taken out now. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from noonday_coordinator.core import twin
from noonday_coordinator.core.absorb import settled
from noonday_coordinator.core.events import Stage
from noonday_coordinator.core.policy import Policy, share_of
from noonday_coordinator.core.state import AppOnHost, HostState, Rollout, State
from noonday_coordinator.core.view import View
from noonday_shared.messages import Goal, Phase

BUSY = (HostState.WORKING, HostState.GOING_BACK)
_OUT_FOR_A_STEP = frozenset(Phase) - {Phase.PREPARING, Phase.SETTLED, Phase.OUT}


def limit_of(rollout: Rollout) -> int:
    """Hosts that may be out at once; 0 when those that are left out use it up, but 1 at least on the way back."""
    absent, total = len(rollout.skipped), len(rollout.hosts) + len(rollout.beside)
    present, least = total - absent, int(rollout.kind == "rollback" or rollout.stage is Stage.ROLLING_BACK)
    return present if present <= 1 else max(min(rollout.policy.limit(total, absent), present - 1), least)


def may_move(state: State, view: View, rollout: Rollout, waiting: Iterable[str], now: float) -> list[str]:
    """Hosts that may be taken out now, in the given order. One that stays out costs no capacity, and one whose app is
    not well serves nobody; one that is silent is waited for, since nobody knows when it would begin. None before what
    was said while nobody listened is known."""
    if not view.has_caught_up(now):
        return []
    limit, busy = limit_of(rollout), _busy(state, view, rollout, now)
    missing = set(out(state, view, rollout, now))
    well = _serving_well(state, view, rollout, now)
    chosen: list[str] = []
    for host in waiting:
        if busy >= limit:
            break
        others = missing - {host}  # one that is only about to leave serves until then, so it needs room as well
        room = len(others) < limit and group_has_room(state, rollout, host, others)
        free = room and not _is_last(state, view, rollout, host, well, now)
        if heard(view, rollout, host, now) and (free or _loses_nothing(state, rollout, host, chosen, now)):
            chosen.append(host)
            missing.add(host)
            well.discard(host)
            busy += 1
    return chosen


def in_turn(state: State, rollout: Rollout, waiting: list[str]) -> list[str]:
    """Those of the group whose turn it is: the next begins once nobody of the one before is under way or has still to
    go, also where one of an earlier wave goes once more."""
    label = rollout.policy.group_by
    if not label or rollout.kind == "reconcile":
        return waiting
    first = (*rollout.in_state(*BUSY), *waiting)[:1]
    return [host for host in waiting if group_of(state, host, label) == group_of(state, first[0], label)]


def may_go_back(state: State, view: View, rollout: Rollout, touched: Iterable[str], now: float) -> list[str]:
    """As `may_move` for the way back: hosts that are out for reasons of their own don't keep a bad release in service,
    but the last host that serves well stays there, and where none does, the last one in service. For an ill one it is
    enough that another serves as far as its last word goes: that its agent is silent does not mean that it is out."""
    limit = limit_of(rollout)
    turning = turning_back(state, view, rollout, now)
    stranded = _stranded(state, view, rollout, now)
    busy = set(rollout.in_state(*BUSY))
    count = _busy(state, view, rollout, now)
    well = _serving_well(state, view, rollout, now)
    there = {host for host in counted(state, rollout) if _may_serve(state, view, rollout, host, now)}
    chosen: list[str] = []
    for host in touched:
        # One that is silent may serve all the same, and take the word up at any moment.
        gone = host not in state.hosts or stays_out(rollout, state.hosts[host].app(rollout.app), now)
        gone = gone or (heard(view, rollout, host, now) and _loses_nothing(state, rollout, host, chosen, now))
        others = there - {host} or len(counted(state, rollout)) <= 1
        alone = not others or _is_last(state, view, rollout, host, well, now)
        away = busy | (turning - {host})
        others_gone = count + len(turning - {host})
        room = others_gone + len(stranded - {host}) < limit or (others_gone == 0 and bool(stranded))
        if room and (gone or (not alone and group_has_room(state, rollout, host, away))):
            chosen.append(host)
            well.discard(host)
            there.discard(host)
            turning.discard(host)
            busy.add(host)
            count += 1
    return chosen


def may_renew(state: State, view: View, rollout: Rollout, host: str, now: float) -> bool:
    """Whether the twin may be told its restart, also once more after its disk was put back: only beside the canary, and
    with the room that it needs."""
    others = {*out(state, view, rollout, now)} - {host}
    room = len(others) < limit_of(rollout) and group_has_room(state, rollout, host, others)
    return rollout.stage is Stage.ROLLING and room and not is_needed(state, view, rollout, host, now)


def out(state: State, view: View, rollout: Rollout, now: float) -> dict[str, str]:
    """Hosts that can't be counted on to serve, and why."""
    return {
        host: why_out(state, view, rollout, host, now)
        for host in counted(state, rollout)
        if not serves(state, view, rollout, host, now)
    }


def counted(state: State, rollout: Rollout) -> tuple[str, ...]:
    """The hosts whose service counts: those that are moved, and those beside them."""
    moved = (host for host in rollout.members if rollout.hosts[host].state is not HostState.SKIPPED)
    return (*moved, *(host for host in rollout.beside if host in state.hosts))


def serves(state: State, view: View, rollout: Rollout, host: str, now: float) -> bool:
    """Whether the host is known to be in service and stays there: not on its way out, and heard of lately."""
    enrolled = state.hosts.get(host)
    if enrolled is None or _is_busy(rollout, host):
        return False
    on_host = enrolled.app(rollout.app)
    leaves = (in_flight(on_host) or _is_told(on_host)) and not _stays(view, rollout, on_host, now)
    leaves = leaves or twin.may_leave(view, on_host, rollout, now)
    return on_host.in_service and heard(view, rollout, host, now) and not leaves


def _may_serve(state: State, view: View, rollout: Rollout, host: str, now: float) -> bool:
    """Whether it serves; of a silent one, whether it did by its last word and has been told nothing else since."""
    if heard(view, rollout, host, now) or host not in state.hosts:
        return serves(state, view, rollout, host, now)
    on_host = state.hosts[host].app(rollout.app)
    leaves = _is_busy(rollout, host) or in_flight(on_host) or _is_told(on_host)
    return on_host.in_service and not leaves


def in_mid_step(on_host: AppOnHost) -> bool:
    """Whether it may be out because of us, by its last order or by its last word, so that it must not be left out."""
    return _is_out_by_us(on_host) or in_flight(on_host)


def _is_out_by_us(on_host: AppOnHost) -> bool:
    report = on_host.report
    return report is not None and report.in_service is False and report.phase in _OUT_FOR_A_STEP


def turning_back(state: State, view: View, rollout: Rollout, now: float) -> set[str]:
    """Hosts that are out because of what an earlier rollout told them, and on their way in again."""
    renewed = twin.told(state, rollout) if twin.under_way(state, view, rollout, now) else ""  # it counts as busy
    idle = (name for name in counted(state, rollout) if not _is_busy(rollout, name) and name != renewed)
    known = set(state.hosts) - set(rollout.in_state(HostState.LOST))  # those were given up on, and hold up nobody
    on_hosts = {name: state.hosts[name].app(rollout.app) for name in idle if name in known}
    return {name for name, one in on_hosts.items() if heard(view, rollout, name, now) and _is_out_by_us(one)}


def _stranded(state: State, view: View, rollout: Rollout, now: float) -> set[str]:
    """Hosts that are out because of us and say that they stay so, as their apps are not well: as a twin that did not
    come back. They leave the others less room, but never none, since they may never return."""
    idle = (name for name in counted(state, rollout) if name in state.hosts and not _is_busy(rollout, name))
    there = (name for name in idle if heard(view, rollout, name, now) and not state.hosts[name].drained_by)
    reports = {name: state.on(name, rollout.app).report for name in there}
    return {name for name, one in reports.items() if one and one.phase is Phase.OUT and one.in_service is False}


def in_flight(on_host: AppOnHost) -> bool:
    """Whether it was told to serve something else than it serves, and has not said how that ended."""
    assigned, report = on_host.assigned, on_host.report
    if assigned is None or assigned.goal is not Goal.SERVING or assigned.release is None or settled(on_host):
        return False
    return report is None or report.live != assigned.release.id or report.in_service is False


def _is_told(on_host: AppOnHost) -> bool:
    """Whether it has not said how its last order ended. Also one that serves the release may leave for that, when it
    can't prove it."""
    assigned, report = on_host.assigned, on_host.report
    if assigned is None or assigned.goal is not Goal.SERVING or settled(on_host):
        return False
    return report is None or report.generation <= assigned.generation


def never_taken(view: View, on_host: AppOnHost) -> bool:
    """Whether the host was heard after the time of its last order was over, and had not taken it up by then."""
    assigned = on_host.assigned
    if assigned is None or assigned.goal is not Goal.SERVING:
        return False
    over = on_host.assigned_at + assigned.deadline
    return on_host.behind and view.last_seen.get(assigned.host, 0.0) > over


def _stays(view: View, rollout: Rollout, on_host: AppOnHost, now: float) -> bool:
    """Whether nothing that was said to the host is still on its way: it may have been told again before this rollout
    began, and while it was out of service."""
    return never_taken(view, on_host) and (
        now >= max(rollout.started_at, on_host.stands_since) + rollout.policy.unreachable_after
    )


def heard(view: View, rollout: Rollout, host: str, now: float) -> bool:
    """Whether the host said anything lately."""
    return view.silent_for(host, now) <= rollout.policy.unreachable_after


def in_the_way(state: State, view: View, rollout: Rollout, now: float) -> dict[str, str]:
    """Hosts for which nobody else may be taken out, and why: those that are out, and the ill ones where at most one
    serves well."""
    missing = out(state, view, rollout, now)
    if len(_serving_well(state, view, rollout, now)) > 1:
        return missing
    there = (host for host in counted(state, rollout) if host not in missing)
    ill = (host for host in there if state.hosts[host].app(rollout.app).ill)
    return missing | dict.fromkeys(ill, "is in service, but its app is not well")


def held_up(state: State, view: View, rollout: Rollout, now: float, *, but: str = "") -> str:
    """Who is in the way of the next drain, as in 'web-3 is out of service'; empty when nobody but `but` is."""
    return ", ".join(f"{host} {why}" for host, why in in_the_way(state, view, rollout, now).items() if host != but)


def why_out(state: State, view: View, rollout: Rollout, host: str, now: float) -> str:
    """Why the host, which does not serve, does not: what follows its name in a sentence."""
    enrolled = state.hosts.get(host)
    if enrolled is None:
        return "is no longer enrolled"
    if not heard(view, rollout, host, now):
        return f"was not heard for {view.silent_for(host, now):.0f} s"
    if enrolled.drained_by:
        return f"is drained by {enrolled.drained_by}"
    if enrolled.app(rollout.app).in_service:
        return "is about to leave"
    return "is out of service"


def _serving_well(state: State, view: View, rollout: Rollout, now: float) -> set[str]:
    """Hosts that serve, with an app that passes its own health check. A balancer without one lets requests in to others
    too."""
    found = (host for host in counted(state, rollout) if serves(state, view, rollout, host, now))
    return {host for host in found if state.hosts[host].app(rollout.app).serves_well}


def _is_last(state: State, view: View, rollout: Rollout, host: str, well: set[str], now: float) -> bool:
    """Whether nobody would serve well without this one; nobody does with one that is ill, as far as is known."""
    if well - {host} or len(counted(state, rollout)) <= 1:
        return False
    return not (heard(view, rollout, host, now) and state.on(host, rollout.app).ill)


def is_needed(state: State, view: View, rollout: Rollout, host: str, now: float) -> bool:
    """Whether the host is in service and nobody else serves well: it does not leave."""
    there = state.on(host, rollout.app).in_service
    return there and _is_last(state, view, rollout, host, _serving_well(state, view, rollout, now), now)


def stays_out(rollout: Rollout, on_host: AppOnHost, now: float) -> bool:
    """Whether a host is out, and no further, for so long that it won't be back by itself while it prepares. What else
    it reports does not count: an app that keeps crashing reports that for ever. One whose balancer can't be asked may
    serve."""
    known = on_host.report is None or on_host.report.in_service is False
    return known and now >= on_host.stands_since + must_stay_out(rollout.policy)


def must_stay_out(policy: Policy) -> float:
    """Seconds after which one that is out counts as one that stays so; never as long as a host may take."""
    return min(policy.unreachable_after, policy.host_within / 2)


def soon_out(state: State, view: View, rollout: Rollout, hosts: Iterable[str], now: float) -> tuple[str, float]:
    """Of hosts that are heard, out, and do not count as staying so yet, the first that will, and when; else no name."""
    known = (host for host in hosts if host in state.hosts and heard(view, rollout, host, now))
    on_hosts = {host: state.hosts[host].app(rollout.app) for host in known}
    since = {name: one.stands_since for name, one in on_hosts.items() if one.report and one.report.in_service is False}
    if not since:
        return "", now
    first = min(since, key=lambda name: since[name])
    until = since[first] + must_stay_out(rollout.policy)
    return (first, until) if now < until else ("", now)


def _loses_nothing(state: State, rollout: Rollout, host: str, chosen: list[str], now: float) -> bool:
    """Whether nobody misses the host while it is moved: it never served, or it is out and stays so, which one that is
    out for a second does not; or nobody serves, and nobody else is out because of us, on the way back or where it was
    sick from the beginning."""
    enrolled = state.hosts.get(host)
    if enrolled is None:
        return True
    on_host = enrolled.app(rollout.app)
    if on_host.in_service:
        return False
    report = on_host.report
    if stays_out(rollout, on_host, now) or (report is not None and not report.live and report.healthy is not True):
        return True
    was_well = report is not None and report.proven is not None and host not in rollout.sick
    if was_well and rollout.stage is not Stage.ROLLING_BACK:
        return False  # its machine, or its app, may be coming up again
    on_hosts = {name: state.hosts[name].app(rollout.app) for name in counted(state, rollout) if name in state.hosts}
    nobody = all(one.report is not None and one.report.in_service is False for one in on_hosts.values())
    return nobody and not any(name in chosen or in_mid_step(one) for name, one in on_hosts.items() if name != host)


def group_has_room(state: State, rollout: Rollout, host: str, missing: Iterable[str]) -> bool:
    """Whether the host's group may lose one more."""
    label = rollout.policy.group_by
    if not label:
        return True
    group = group_of(state, host, label)
    size = sum(group_of(state, one, label) == group for one in {*counted(state, rollout), host})
    return sum(group_of(state, one, label) == group for one in missing) < share_of(rollout.policy.group_limit, size)


def group_of(state: State, host: str, label: str) -> str:
    enrolled = state.hosts.get(host)
    return enrolled.labels.get(label, "") if enrolled else ""


def _is_busy(rollout: Rollout, host: str) -> bool:
    member = rollout.hosts.get(host)
    return member is not None and member.state in BUSY


def _busy(state: State, view: View, rollout: Rollout, now: float) -> int:
    return len(rollout.in_state(*BUSY)) + twin.under_way(state, view, rollout, now)
