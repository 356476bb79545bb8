"""`decide(state, view, now) -> events`: what follows from what is known. Pure; the empty list means wait.

Each call gives the events of one cause. The engine folds them and asks again until nothing follows.
"""

from __future__ import annotations

from functools import partial

from noonday_coordinator.core import restored, twin
from noonday_coordinator.core.absorb import absorb, settled
from noonday_coordinator.core.assign import move_on, restart_twin
from noonday_coordinator.core.coming_home import come_home
from noonday_coordinator.core.events import (
    Asked,
    Assigned,
    End,
    Event,
    HostJudged,
    RolloutEnded,
    Stage,
    StageEntered,
    VerdictReached,
)
from noonday_coordinator.core.examine import examine, lasting_hold, suffers_everywhere
from noonday_coordinator.core.going_back import go_back
from noonday_coordinator.core.policy import share_of
from noonday_coordinator.core.preparing import prepare
from noonday_coordinator.core.room import held_up, in_flight, in_turn, may_move, never_taken
from noonday_coordinator.core.state import LEFT_OUT, Host, HostState, Rollout, State
from noonday_coordinator.core.undone import bring_again, canary_lost, changed_by_hand, left_undone, undone
from noonday_coordinator.core.untold import tell_again
from noonday_coordinator.core.view import Judgement, View
from noonday_coordinator.core.void import is_void
from noonday_shared.messages import Goal


def decide(state: State, view: View, now: float) -> list[Event]:
    """The events that follow now."""
    for app in state.apps.values():
        rollout = state.rollouts.get(app.active)
        if rollout is not None and not restored.is_awaited(state, view, rollout, now):
            events: list[Event] = [*restored.give_up(state, rollout)] or [*absorb(state, view, rollout, now)]
            events = events or tell_again(state, view, rollout, now) or _stage(state, view, rollout, now)
            if events:
                return events
    return _settle(state, view) or _operators(state, view) or come_home(state, view, now)


def _stage(state: State, view: View, rollout: Rollout, now: float) -> list[Event]:
    match rollout.stage:
        case Stage.PREPARING:
            return prepare(state, view, rollout, now)
        case Stage.ROLLING_BACK:
            return go_back(state, view, rollout, now)
        case Stage.ROLLING | Stage.EXAMINING | Stage.GATE:
            reason = _against(state, rollout, view, now)
            return _regression(rollout, view, reason) if reason else _forward(state, view, rollout, now)
        case Stage.ENDED:
            return []


def _forward(state: State, view: View, rollout: Rollout, now: float) -> list[Event]:
    if rollout.held:
        return []
    again = [] if rollout.paused_by else bring_again(state, view, rollout, now)
    if again:
        return again
    if rollout.stage is Stage.ROLLING:
        return _rolling(state, view, rollout, now)
    if rollout.paused_by:
        return []
    if rollout.stage is Stage.EXAMINING:
        lost = canary_lost(state, view, rollout, now)
        return examine(rollout, view, now, onward=partial(_after_wave, state), lost=lost)
    return _next_wave(state, rollout) if rollout.promoted else []


def _rolling(state: State, view: View, rollout: Rollout, now: float) -> list[Event]:
    wave = [host for each in rollout.waves[: rollout.wave + 1] for host in each]  # one of before may go once more
    states = {host: rollout.hosts[host].state for host in wave}
    arrived = all(one is HostState.SERVING or one in LEFT_OUT for one in states.values())
    if rollout.paused_by:
        return []
    if rollout.wave == 0 and twin.wanted(rollout):
        of_twin = _twin(state, view, rollout, now, arrived=arrived)
        if of_twin is not None:
            return of_twin
    if arrived:
        return _no_canary(rollout) or _wave_done(state, rollout, now)
    if rollout.wave > 1 and now < rollout.stage_since + rollout.policy.wave_pause:
        return []
    waiting = [host for host, one in states.items() if one in (HostState.PREPARED, HostState.WAITING)]
    trouble = suffers_everywhere(rollout, view) if rollout.wave > 0 else ""
    if trouble and waiting:
        return _wait_for_better(rollout, waiting, trouble, now)
    chosen = may_move(state, view, rollout, in_turn(state, rollout, waiting), now)
    if chosen:
        return move_on(state, rollout, chosen, rollout.release, HostState.WORKING)
    return [] if twin.under_way(state, view, rollout, now) else _stuck(state, view, rollout, waiting, now)


def _twin(state: State, view: View, rollout: Rollout, now: float, *, arrived: bool) -> list[Event] | None:
    """It goes first, since what it does puts nobody on the new release. None: the canary goes on meanwhile.

    `arrived`: the canary serves. A twin that could not begin before is done without.
    """
    why = twin.missing(state, view, rollout, now)
    if why:
        answers = f"noonday promote {rollout.app} (goes on without it), or noonday rollback {rollout.app}"
        return [] if rollout.asked else [Asked(rollout.id, f"{why} Answer: {answers}")]
    if twin.under_way(state, view, rollout, now):
        return [] if arrived else None
    host = "" if arrived else twin.candidate(state, view, rollout, now)
    if host and rollout.previous and may_move(state, view, rollout, [host], now):
        return restart_twin(state, rollout, host, rollout.previous)
    return None


def _wait_for_better(rollout: Rollout, waiting: list[str], trouble: str, now: float) -> list[Event]:
    """No server is taken out while all suffer: waited for as long as an examine may take, then a person is asked."""
    since = rollout.last_move
    if rollout.asked or rollout.in_state(HostState.WORKING):
        return []
    if now < since + max(rollout.policy.examine, rollout.policy.examine_most):
        return []
    answers = f"noonday promote {rollout.app}, or noonday rollback {rollout.app}"
    return [Asked(rollout.id, f"Waited {now - since:.0f} s to drain {waiting[0]}: {trouble}. Answer: {answers}")]


def _stuck(state: State, view: View, rollout: Rollout, waiting: list[str], now: float) -> list[Event]:
    """Others are out, so none may be drained: waited for as long as one host may take, then a person is asked."""
    since = rollout.last_move
    if not waiting or rollout.asked or rollout.in_state(HostState.WORKING):
        return []
    if not view.in_vain(since + rollout.policy.host_within, rollout.policy.unreachable_after, now):
        return []
    why = held_up(state, view, rollout, now) or "those that are left out use up the limit"
    waited = f"Waited {now - since:.0f} s to drain {waiting[0]}, in vain: {why}"
    if rollout.kind == "deploy":
        return [Asked(rollout.id, f"{waited}. Mend them (noonday hosts), or: noonday rollback {rollout.app}")]
    again = "roll back again" if rollout.kind == "rollback" else f"noonday reconcile {rollout.app}"
    return [RolloutEnded(rollout.id, End.FAILED, f"{waited}. Mend them (noonday hosts), then {again}.")]


def _no_canary(rollout: Rollout) -> list[Event]:
    """Where the whole canary is left out nothing is known of the release, and nothing is held against it."""
    if rollout.kind != "deploy" or rollout.wave > 0 or rollout.in_state(HostState.SERVING):
        return []
    why = "; ".join(
        f"{host} did not serve well before either, and {_became(rollout, host)}" for host in rollout.waves[0]
    )
    mend = f"Nothing is held against {rollout.release}. Mend or drain the host, then deploy again."
    return [RolloutEnded(rollout.id, End.FAILED, f"There is no canary: {why.rstrip('.')}. {mend}")]


def _wave_done(state: State, rollout: Rollout, now: float) -> list[Event]:
    compare = rollout.kind == "deploy" and rollout.previous is not None and rollout.policy.examine > 0
    if rollout.wave == 0 and compare:
        reason = f"{', '.join(rollout.waves[0])} serves {rollout.release}; compared with the servers on the old release"
        return [StageEntered(rollout.id, Stage.EXAMINING, 0, reason, now + rollout.policy.examine)]
    return _after_wave(state, rollout)


def _after_wave(state: State, rollout: Rollout) -> list[Event]:
    gate = "canary" if rollout.wave == 0 else rollout.wave
    last = rollout.wave + 1 >= len(rollout.waves)
    if gate in rollout.policy.gates and rollout.kind == "deploy" and not last:
        reason = f"a person says yes: noonday promote {rollout.app}"
        return [StageEntered(rollout.id, Stage.GATE, rollout.wave, reason)]
    return _next_wave(state, rollout)


def _next_wave(state: State, rollout: Rollout) -> list[Event]:
    if rollout.wave + 1 < len(rollout.waves):
        hosts = ", ".join(rollout.waves[rollout.wave + 1])
        return [StageEntered(rollout.id, Stage.ROLLING, rollout.wave + 1, f"wave {rollout.wave + 1}: {hosts}")]
    return [_done(state, rollout)]


def _done(state: State, rollout: Rollout) -> RolloutEnded:
    gone, moved = undone(state, rollout), changed_by_hand(state, rollout)
    serving = len(rollout.in_state(HostState.SERVING)) - len(gone) - len(moved)
    if not rollout.left_out and not gone and not moved:
        return RolloutEnded(rollout.id, End.DONE, f"All {serving} hosts serve {rollout.release}.")
    left = "; ".join(f"{host} ({why.rstrip('.')})" for host, why in rollout.left_out.items())
    other = {host: f"was changed by hand and has {version}" for host, version in moved.items()}
    by_hand = ", ".join(f"{host} {why}" for host, why in other.items())
    told = [f"Left out: {left}"] * bool(left) + [left_undone(state, rollout)] * bool(gone)
    told += [f"{by_hand}: noonday reconcile {rollout.app} --plan"] * bool(moved)
    done = f"{serving} of {len(rollout.hosts)} hosts serve {rollout.release}. {'. '.join(told)}."
    complete = serving > 0 and rollout.kind != "reconcile"
    again = {host: f"serves {version} again" for host, version in gone.items()}
    return RolloutEnded(rollout.id, End.DONE if complete else End.FAILED, done, again | other)


def _against(state: State, rollout: Rollout, view: View, now: float) -> str:
    """What is held against the new release: hosts that could not take it, or the evidence. Empty: nothing."""
    broken = rollout.in_state(HostState.REVERTED, HostState.FAILED)
    if broken and _too_many(rollout, broken):
        return "; ".join(f"{host} {_became(rollout, host)}" for host in broken)
    judgement = view.judgements.get(rollout.id)
    if judgement and judgement.verdict == "roll back" and not rollout.overruled and not rollout.policy.dry_run:
        return judgement.reason if rollout.previous else _limits_broken(judgement)
    if rollout.stage is not Stage.EXAMINING or canary_lost(state, view, rollout, now):
        return ""  # what a canary does that has another release again says nothing of this one
    return lasting_hold(rollout, view, now)


def _too_many(rollout: Rollout, broken: tuple[str, ...]) -> bool:
    """Of a canary one is too many; a host that was sick before says nothing; what goes back stops at the first."""
    if rollout.kind != "deploy":
        return rollout.kind == "rollback"
    blaming = [host for host in broken if host not in rollout.sick]
    first = any(host in rollout.waves[0] for host in blaming)
    return bool(blaming) and (first or rollout.failures > share_of(rollout.policy.max_failures, len(rollout.hosts)))


def _limits_broken(judgement: Judgement) -> str:
    """What counts against a first release too; everything else is a comparison, and it has nothing to compare with."""
    return "; ".join(found.words for found in judgement.findings if found.blames and found.kind == "hard-limit")


def _regression(rollout: Rollout, view: View, reason: str) -> list[Event]:
    if rollout.kind == "rollback":
        return [RolloutEnded(rollout.id, End.FAILED, f"The rollback stops here, nothing goes forth and back. {reason}")]
    if rollout.policy.on_regression == "ask":
        broken = rollout.in_state(HostState.REVERTED, HostState.FAILED)
        if rollout.promoted and broken:
            return _try_again(rollout, broken)
        question = f"{reason} Answer: noonday rollback {rollout.app}, or noonday promote {rollout.app}"
        return [] if rollout.held else [Asked(rollout.id, question, holds=True)]
    judgement = view.judgements.get(rollout.id)
    said = judgement or Judgement("roll back", reason)
    seen = (said.requests, said.findings, said.at, said.control_requests)
    verdict = VerdictReached(rollout.id, "roll back", reason, *seen)
    return [verdict, StageEntered(rollout.id, Stage.ROLLING_BACK, rollout.wave, reason)]


def _try_again(rollout: Rollout, broken: tuple[str, ...]) -> list[Event]:
    """A person said yes in spite of hosts that could not take the release: they get it once more."""
    again = f"a person said yes, so {', '.join(broken)} may try again"
    first = next(number for number, wave in enumerate(rollout.waves) if set(wave) & set(broken))
    return [
        StageEntered(rollout.id, rollout.stage, first, again, rollout.deadline),
        *(HostJudged(rollout.id, host, HostState.PREPARED, "tries again") for host in broken),
    ]


def _became(rollout: Rollout, host: str) -> str:
    member = rollout.hosts[host]
    how = "put its previous release back" if member.state is HostState.REVERTED else "failed"
    return f"{how}: {member.reason}"


def _settle(state: State, view: View) -> list[Event]:
    """After a rollout, its hosts stop sending evidence; what they serve stays, whatever that is."""
    events: list[Event] = []
    for host in state.hosts.values():
        for app, on_host in host.apps.items():
            assigned, report = on_host.assigned, on_host.report
            rollout = state.rollouts.get(assigned.rollout) if assigned else None
            if assigned is None or rollout is None or rollout.end is None:
                continue
            member = rollout.hosts[host.name].state
            gave_up = (member is HostState.FAILED and not assigned.stay) or is_void(state, host.name, on_host)
            never = gave_up and in_flight(on_host) and never_taken(view, on_host)
            open_ = assigned.observe or assigned.goal is Goal.PREPARED or never
            if restored.is_stale(state, view, host.name, on_host) or not open_:
                continue
            done = settled(on_host) or assigned.restart_for or rollout.end is End.SUPERSEDED or never
            if member is HostState.LOST or not done:
                continue  # another assignment would make it try again, forth and back
            if report is not None and report.proven is not None:
                number = state.generation + len(events) + 1
                told = Assigned(host.name, app, number, Goal.SERVING, report.proven, rollout=rollout.id, stay=True)
                events.append(told)
    return events


def _operators(state: State, view: View) -> list[Event]:
    """Hosts that an operator drained are out; those that he let back in serve what they served."""
    events: list[Event] = []
    for host in state.hosts.values():
        for app, on_host in host.apps.items():
            if restored.is_stale(state, view, host.name, on_host):
                continue
            wanted = _operators_wish(state, host, app, state.generation + len(events) + 1)
            if wanted is not None:
                events.append(wanted)
    return events


def _operators_wish(state: State, host: Host, app: str, generation: int) -> Assigned | None:
    goal, release = state.goal_of(host.name, app), state.returns_to(host.name, app)
    if release is None:
        return None  # nothing of ours is there to take out, and it could not be let back in
    if host.drained_by and goal is not Goal.OUT:
        return Assigned(host.name, app, generation, Goal.OUT, release)
    if not host.drained_by and goal is Goal.OUT:
        return Assigned(host.name, app, generation, Goal.SERVING, release)
    return None
