"""`evolve(state, record) -> state`: what a fact changes. Pure; raises only for a fact that can't have happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar, assert_never

from noonday_coordinator.core import events as e
from noonday_coordinator.core.caveats import Mark
from noonday_coordinator.core.clock_set import moved
from noonday_coordinator.core.sharing import policy_of, ref_of
from noonday_coordinator.core.state import App, AppOnHost, Host, HostState, InRollout, Release, Rollout, State
from noonday_shared.messages import Phase

V = TypeVar("V")
_PAST = 20
"""Earlier releases of record that a rollback may go back to, one after the other."""


def evolve(state: State, record: e.Record) -> State:
    """The state after `record`."""
    match record.event:
        case (
            e.HostEnrolled() | e.HostRemoved() | e.HostReported() | e.HostDrained() | e.HostUndrained() | e.Assigned()
        ) as event:
            return _host_event(state, record, event)
        case e.CoordinatorStarted(term):
            return replace(state, term=term)
        case e.ClockSet(by):
            return moved(state, by)
        case e.LogRestored() as event:
            return _put_back(state, record, event)
        case e.ReleasePushed() | e.ReleasePruned() | e.ReleaseUnblocked() | e.LogsWatched() as event:
            return _app_event(state, record, event)
        case e.CaveatMarked() | e.CaveatForgotten() as event:
            return _caveat(state, record, event)
        case e.RolloutStarted() as event:
            return _started(state, record, event)
        case e.RolloutEnded() as event:
            return _ended(state, record, event)
        case _ as event:
            return _with_rollout(state, _rollout_event(state.rollouts[event.rollout], record, event))


def _put_back(state: State, record: e.Record, event: e.LogRestored) -> State:
    hosts = {
        name: replace(host, apps={app: replace(one, from_backup=True) for app, one in host.apps.items()})
        for name, host in state.hosts.items()
    }
    return replace(
        state,
        term=max(state.term, event.term),
        generation=max(state.generation, event.generation),
        hosts=hosts,
        rollouts={
            name: replace(one, from_backup=True) if one.end is None else one for name, one in state.rollouts.items()
        },
        restored_at=record.at,
    )


def fold(records: list[e.Record], state: State | None = None) -> State:
    """The state that `records` add up to, from nothing or from `state`."""
    now = state or State()
    for record in records:
        now = evolve(now, record)
    return now


HostEvent = e.HostEnrolled | e.HostRemoved | e.HostReported | e.HostDrained | e.HostUndrained | e.Assigned


def _host_event(state: State, record: e.Record, event: HostEvent) -> State:
    match event:
        case e.HostEnrolled(name, labels, public_key):
            known = state.hosts.get(name)
            fresh = Host(name, labels, public_key, known.apps if known else {}, known.drained_by if known else "")
            return replace(state, hosts=_put(state.hosts, name, fresh))
        case e.HostRemoved(name):
            return replace(state, hosts={key: host for key, host in state.hosts.items() if key != name})
    if event.host not in state.hosts:
        return state  # a fact about a host that was removed meanwhile
    host = state.hosts[event.host]
    match event:
        case e.HostDrained():
            host = replace(host, drained_by=record.by)
        case e.HostUndrained():
            host = replace(host, drained_by="")
        case e.Assigned():
            told = replace(_told(host.app(event.app), record, event), assigned_term=state.term)
            host = replace(host, apps=_put(host.apps, event.app, told))
            state = replace(state, generation=max(state.generation, event.generation))
        case e.HostReported():
            host = replace(host, apps=_put(host.apps, event.app, _reported(host.app(event.app), record, event)))
        case _:
            assert_never(event)
    return replace(state, hosts=_put(state.hosts, host.name, host))


def _told(on_host: AppOnHost, record: e.Record, event: e.Assigned) -> AppOnHost:
    again = on_host.told_again + 1 if event.again else 0
    return replace(
        on_host, assigned=event, assigned_at=record.at, assigned_in=record.seq, told_again=again, from_backup=False
    )


def _reported(on_host: AppOnHost, record: e.Record, event: e.HostReported) -> AppOnHost:
    at = record.at
    sick = event.report.healthy is False
    since = (on_host.unhealthy_since or at) if sick else 0.0
    stood = on_host.stands_since if _stands(on_host.report) == _stands(event.report) else at
    return replace(
        on_host, report=event.report, reported_at=at, reported_in=record.seq, unhealthy_since=since, stands_since=stood
    )


def _stands(report: e.Report | None) -> tuple[bool | None, Phase, int] | None:
    if report is None:
        return None
    phase = Phase.SETTLED if report.phase is Phase.PREPARING else report.phase
    return (report.in_service, phase, report.boot)


def _app_event(
    state: State, record: e.Record, event: e.ReleasePushed | e.ReleasePruned | e.ReleaseUnblocked | e.LogsWatched
) -> State:
    app = state.app(event.app)
    match event:
        case e.ReleasePushed(_, ref, size, manifest, why):
            short = manifest.model_dump_json(exclude_defaults=True)
            known = app.releases.get(ref.version, Release(ref, size, short, record.at, record.by))
            release = replace(known, pushed_at=record.at, pushed_by=record.by, why=why, pruned=False)
            app = replace(app, releases=_put(app.releases, ref.version, release))
        case e.ReleasePruned(_, ref):
            release = replace(app.releases[ref.version], pruned=True)
            app = replace(app, releases=_put(app.releases, ref.version, release))
        case e.ReleaseUnblocked(_, ref):
            release = replace(app.releases[ref.version], blocked="")
            app = replace(app, releases=_put(app.releases, ref.version, release))
        case e.LogsWatched(_, until):
            app = replace(app, watch_until=until)
        case _:
            assert_never(event)
    return replace(state, apps=_put(state.apps, app.name, app))


def _started(state: State, record: e.Record, event: e.RolloutStarted) -> State:
    app = replace(state.app(event.app), active=event.rollout)
    release, previous = ref_of(app, event.release), event.previous and ref_of(app, event.previous)
    policy = policy_of(state.rollouts, event.policy)
    rollout = begun(replace(event, policy=policy, release=release, previous=previous), record.by, record.at)
    return _with_rollout(replace(state, apps=_put(state.apps, app.name, app)), rollout)


def begun(event: e.RolloutStarted, by: str, at: float) -> Rollout:
    """The rollout as it is at its start."""
    return Rollout(
        id=event.rollout,
        app=event.app,
        kind=event.kind,
        release=event.release,
        previous=event.previous,
        policy=event.policy,
        waves=event.waves,
        by=by,
        started_at=at,
        stage_since=at,
        hosts={host: InRollout(since=at) for wave in event.waves for host in wave}
        | {host: InRollout(HostState.SKIPPED, at, why) for host, why in event.skipped.items()},
        beside=event.beside,
        sick=event.sick,
        half_rolled=event.half_rolled,
    )


def _ended(state: State, record: e.Record, event: e.RolloutEnded) -> State:
    """What was found, and what hosts said, stays in the log: a thousand ended rollouts are to be no burden."""
    rollout = state.rollouts[event.rollout]
    rollout = replace(
        rollout,
        stage=e.Stage.ENDED,
        end=event.end,
        reason=event.reason,
        undone=event.undone,
        ended_at=record.at,
        asked="",
        hosts={name: replace(one, at_end=_last(state, name, rollout.app)) for name, one in rollout.hosts.items()},
        findings=(),
        marked={},
    )
    app = replace(state.app(rollout.app), active="")
    if event.end is e.End.DONE:
        app = _recorded(app, rollout)
    elif rollout.kind == "rollback" and any(one.moved for one in rollout.hosts.values()):
        app = _left(app, rollout)
    elif event.end is e.End.ROLLED_BACK or (event.end is not e.End.ABORTED and rollout.verdict == "roll back"):
        app = _blocked(app, rollout, event.reason)
    return _with_rollout(replace(state, apps=_put(state.apps, app.name, app)), rollout)


def _last(state: State, host: str, app: str) -> tuple[int, int] | None:
    if host not in state.hosts:
        return None
    on_host = state.hosts[host].app(app)
    return on_host.assigned_in, on_host.reported_in


def _recorded(app: App, rollout: Rollout) -> App:
    """The app's release of record moves. A rollback blocks what it left, which nothing goes back to any more."""
    if rollout.kind == "reconcile":
        return app
    left = app.current if app.current != rollout.release else None
    past = tuple(one for one in app.past if one not in (rollout.release, left))
    releases = dict(app.releases)
    if rollout.release.version in releases:
        releases[rollout.release.version] = replace(releases[rollout.release.version], good=True)
    if rollout.kind == "deploy" and left is not None:
        # What a rollback was to leave, and stopped on the way, is nothing to go back to.
        past = past if app.is_blocked(left) else (*past, left)[-_PAST:]
    elif left is not None:
        releases = dict(_left(replace(app, releases=releases), rollout).releases)
    previous = past[-1] if past else None
    return replace(app, current=rollout.release, previous=previous, past=past, recorded=rollout.id, releases=releases)


def _left(app: App, rollout: Rollout) -> App:
    """The release of record is what a person's rollback leads away from, though it may not have got to its end."""
    known = app.releases.get(app.current.version) if app.current else None
    if known is None or known.ref == rollout.release:
        return app
    why = f"rolled back by {rollout.by} in {rollout.id}"
    return replace(app, releases=_put(app.releases, known.ref.version, replace(known, blocked=why, good=False)))


def _blocked(app: App, rollout: Rollout, reason: str) -> App:
    release = app.releases.get(rollout.release.version)
    if release is None or rollout.kind == "rollback" or rollout.release == rollout.previous:
        return app  # what the others serve, and those that went back too, is not what was left
    blocked = replace(release, blocked=f"rolled back in {rollout.id}: {reason}")
    return replace(app, releases=_put(app.releases, release.ref.version, blocked))


def _caveat(state: State, record: e.Record, event: e.CaveatMarked | e.CaveatForgotten) -> State:
    """It counts at once, also in the rollout under way: the event's place in the log says from when on."""
    mark = _mark(record, event) if isinstance(event, e.CaveatMarked) else None
    app = state.app(event.app)
    others = {key: one for key, one in app.caveats.items() if key != event.key}
    app = replace(app, caveats=_put(others, event.key, mark) if mark else others)
    state = replace(state, apps=_put(state.apps, app.name, app))
    rollout = state.rollouts.get(event.rollout)
    if rollout is None:
        return state
    return _with_rollout(state, replace(rollout, marked=_put(rollout.marked, event.key, mark)))


def _mark(record: e.Record, event: e.CaveatMarked) -> Mark:
    return Mark(
        event.status, event.rate, record.by, event.why, record.at, event.per, event.cluster, event.level, event.text
    )


RolloutEvent = (
    e.StageEntered
    | e.HostJudged
    | e.VerdictReached
    | e.Asked
    | e.Promoted
    | e.RollbackRequested
    | e.AbortRequested
    | e.Paused
    | e.Resumed
)


def _rollout_event(rollout: Rollout, record: e.Record, event: RolloutEvent) -> Rollout:
    match event:
        case e.StageEntered(_, stage, wave, reason, deadline):
            back = stage is e.Stage.ROLLING_BACK  # which can't be paused, and ends a pause
            return replace(
                rollout, stage=stage, wave=wave, reason=reason, deadline=deadline, stage_since=record.at,
                asked="", held=False, promoted=False, paused_by="" if back else rollout.paused_by,
            )  # fmt: skip
        case e.HostJudged(_, host, state, reason):
            on_its_way = HostState(state) in (HostState.GOING_BACK, HostState.BACK)
            why = reason or (rollout.hosts[host].reason if on_its_way else "")
            begins = HostState(state) is HostState.WORKING
            moves = begins or HostState(state) is HostState.GOING_BACK
            member = InRollout(HostState(state), record.at, why, moves or rollout.hosts[host].moved)
            asked = "" if begins else rollout.asked  # what was waited for has come
            failures = rollout.failures + _counts(rollout, host, member.state)
            return replace(rollout, hosts=_put(rollout.hosts, host, member), asked=asked, failures=failures)
        case e.VerdictReached(_, verdict, _, requests, findings):
            return replace(rollout, verdict=verdict, requests=requests, findings=findings)
        case e.Asked(_, question, holds):
            return replace(rollout, asked=question, held=holds)
        case e.Promoted():
            overruled = rollout.overruled or rollout.held
            return replace(rollout, promoted=True, asked="", held=False, overruled=overruled)
        case e.RollbackRequested():
            return replace(rollout, asked="", held=False)
        case e.AbortRequested():
            return replace(rollout, aborting=True, asked="", held=False)
        case e.Paused():
            return replace(rollout, paused_by=record.by, paused_at=record.at)
        case e.Resumed():
            return _resumed(rollout, record.at)
        case _:
            assert_never(event)


def _counts(rollout: Rollout, host: str, state: HostState) -> bool:
    """Whether this is a failure to take the release."""
    worked = rollout.hosts[host].state is HostState.WORKING
    return worked and state in (HostState.REVERTED, HostState.FAILED) and host not in rollout.sick


def _resumed(rollout: Rollout, at: float) -> Rollout:
    """A pause re-arms deadlines: the time it took is added to them."""
    pause = at - rollout.paused_at
    deadline = rollout.deadline + pause if rollout.deadline else 0.0
    return replace(rollout, paused_by="", resumed_at=at, deadline=deadline, stage_since=rollout.stage_since + pause)


def _with_rollout(state: State, rollout: Rollout) -> State:
    return replace(state, rollouts=_put(state.rollouts, rollout.id, rollout))


def _put(mapping: Mapping[str, V], key: str, value: V) -> dict[str, V]:
    return {**mapping, key: value}
