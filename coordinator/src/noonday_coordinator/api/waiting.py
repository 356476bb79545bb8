"""What a rollout waits for, as a sentence: so that nobody has to guess why nothing moves."""

from __future__ import annotations

from collections.abc import Iterable

from noonday_coordinator.core.events import Stage
from noonday_coordinator.core.examine import NOTHING, doubted_until, enough, last_instant, suffers_everywhere
from noonday_coordinator.core.going_back import kept_since, still_to_go, what_it_has
from noonday_coordinator.core.room import held_up, soon_out
from noonday_coordinator.core.state import HostState, Rollout, State
from noonday_coordinator.core.undone import canary_lost
from noonday_coordinator.core.view import View


def waiting_for(rollout: Rollout, state: State, view: View, now: float) -> str:
    """Empty when it ended."""
    if rollout.end is not None:
        return ""
    if rollout.asked:
        return f"A person: {rollout.asked}"
    if rollout.paused_by:
        busy = rollout.in_state(HostState.WORKING)
        finish = f" {', '.join(busy)} finishes its step first." if busy else ""
        return f"Paused by {rollout.paused_by}: noonday resume {rollout.app}.{finish}"
    match rollout.stage:
        case Stage.PREPARING:
            waiting = rollout.in_state(HostState.WAITING)
            left = _left(rollout.deadline, now)
            return f"{_hosts(rollout, state, view, waiting, now)} to fetch and unpack {rollout.release}{left}."
        case Stage.EXAMINING:
            lost = canary_lost(state, view, rollout, now)
            return _canary(rollout, lost, now) if lost else _examining(rollout, view, now)
        case Stage.GATE:
            return f"A person's yes: noonday promote {rollout.app}; or no: noonday rollback {rollout.app}."
        case Stage.ROLLING_BACK:
            back = rollout.in_state(HostState.GOING_BACK) or rollout.in_state(HostState.WORKING)
            still = still_to_go(state, view, rollout)
            if not back and still:
                return _kept(rollout, state, view, still, now)
            return f"{_hosts(rollout, state, view, back, now)} to go back to {rollout.previous or 'what it served'}."
        case _:
            return _rolling(rollout, state, view, now)


def _kept(rollout: Rollout, state: State, view: View, hosts: list[str], now: float) -> str:
    left = _left(rollout.last_move + rollout.policy.host_within, now)
    why = kept_since(state, view, rollout, hosts[0], now)
    soon = _soon(rollout, state, view, hosts, now)
    has = what_it_has(state, rollout, hosts[0])
    return f"Room on the way back: {why} keeps {has} (noonday hosts){soon}{left}, then it ends."


def _soon(rollout: Rollout, state: State, view: View, hosts: Iterable[str], now: float) -> str:
    """Who goes without room, and when, as what is added to what is in the way."""
    name, at = soon_out(state, view, rollout, hosts, now)
    return f"; {name} is out and goes once it stays so{_left(at, now)}" if name else ""


def _rolling(rollout: Rollout, state: State, view: View, now: float) -> str:
    working = rollout.in_state(HostState.WORKING)
    if working:
        return f"{_hosts(rollout, state, view, working, now)} to serve {rollout.release}."
    pause = rollout.stage_since + rollout.policy.wave_pause
    if rollout.wave > 1 and now < pause:
        return f"The pause before wave {rollout.wave}{_left(pause, now)}."
    trouble = suffers_everywhere(rollout, view) if rollout.wave > 0 else ""
    if trouble:
        return f"Better times, before another host is drained: {trouble}."
    why = held_up(state, view, rollout, now) or "those that are left out use up the limit"
    last = max(rollout.stage_since, *(member.since for member in rollout.hosts.values()))
    asks = "a person is asked" if rollout.kind == "deploy" else "it ends"
    left = _left(last + rollout.policy.host_within, now)
    soon = _soon(rollout, state, view, rollout.in_state(HostState.PREPARED), now)
    return f"Room to drain the next host: {why} (noonday hosts){soon}{left}, then {asks}."


def _canary(rollout: Rollout, lost: str, now: float) -> str:
    return f"The canary: {lost} (noonday hosts){_left(last_instant(rollout), now)}, then a person is asked."


def _examining(rollout: Rollout, view: View, now: float) -> str:
    judgement = view.judgements.get(rollout.id, NOTHING)
    canary = ", ".join(rollout.waves[0])
    seen = f"{judgement.requests} of {rollout.policy.least_requests} requests seen"
    if now < rollout.deadline:
        hold = f"; {judgement.reason.rstrip('.')}" if judgement.verdict != "promote" else ""
        return f"The examine of {canary}{_left(rollout.deadline, now)}, {seen}{hold}."
    longest = _left(last_instant(rollout), now)
    if judgement.verdict == "promote" and judgement.doubt and enough(rollout, judgement):
        return f"More of a doubt on {canary}{_left(doubted_until(rollout), now)}: {judgement.doubt}."
    if judgement.verdict == "promote":
        return f"More requests on {canary}{longest}: {seen}."
    return f"A clear verdict on {canary}{longest}: {judgement.reason.rstrip('.')}."


def _hosts(rollout: Rollout, state: State, view: View, names: tuple[str, ...], now: float) -> str:
    return ", ".join(_host(rollout, state, view, name, now) for name in names) or "The hosts"


def _host(rollout: Rollout, state: State, view: View, name: str, now: float) -> str:
    found = state.hosts.get(name)
    if found is None:
        return f"{name} (no longer enrolled)"
    silent = view.silent_for(name, now)
    if silent >= rollout.policy.unreachable_after:
        return f"{name} (not heard for {silent:.0f} s)"
    report = found.app(rollout.app).report
    doing = report.step or report.phase.value if report else "no report yet"
    return f"{name} ({doing})"


def _left(until: float, now: float) -> str:
    return f", {max(until - now, 0):.0f} s left" if until else ""
