"""A fact as a sentence: what history, the live view and a command's answer say."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import assert_never

from noonday_coordinator.core import events as e
from noonday_coordinator.core.caveats import Per
from noonday_coordinator.core.events import Event, Record
from noonday_shared.messages import Outcome
from noonday_shared.names import ReleaseRef


def say(event: Event) -> str:
    """What happened, without when and by whom."""
    match event:
        case e.HostReported(host, app, report):
            return f"{host} {app}: {_report(report)}."
        case e.Assigned():
            return _assigned(event)
        case e.ClockSet(by):
            how = f"back by {-by:.0f} s" if by < 0 else f"forward by {by:.0f} s"
            return f"The coordinator's clock was set {how}; what is waited for goes on as if it had not been."
        case e.LogRestored(backup_at):
            made = datetime.fromtimestamp(backup_at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
            return f"The event log was put back from a backup of {made}; what happened after that is not in it."
        case (
            e.CoordinatorStarted()
            | e.HostEnrolled()
            | e.HostRemoved()
            | e.HostDrained()
            | e.HostUndrained()
            | e.ReleasePushed()
            | e.ReleasePruned()
            | e.ReleaseUnblocked()
            | e.CaveatMarked()
            | e.CaveatForgotten()
            | e.LogsWatched()
        ):
            return _outside(event)
        case _:
            return _inside(event)


def say_all(records: tuple[Record, ...]) -> str:
    """What a command did, for the person who gave it; the orders to single hosts are left out."""
    told = [say(record.event) for record in records if not isinstance(record.event, e.Assigned)]
    return " ".join(told) or "Nothing to do."


Outside = (
    e.CoordinatorStarted
    | e.HostEnrolled
    | e.HostRemoved
    | e.HostDrained
    | e.HostUndrained
    | e.ReleasePushed
    | e.ReleasePruned
    | e.ReleaseUnblocked
    | e.CaveatMarked
    | e.CaveatForgotten
    | e.LogsWatched
)


def _outside(event: Outside) -> str:
    match event:
        case e.CoordinatorStarted(term):
            return f"A coordinator took over, term {term}."
        case e.HostEnrolled(host, labels, _, why):
            carries = ", ".join(f"{key}={value}" for key, value in sorted(labels.items()))
            return f"{host} was enrolled{f' with {carries}' if carries else ''}{_because(why)}."
        case e.HostRemoved(host, why):
            return f"{host} was removed{_because(why)}."
        case e.HostDrained(host, why):
            return f"{host} is to stay out of its load balancers{_because(why)}."
        case e.HostUndrained(host, why):
            return f"{host} may serve again{_because(why)}."
        case e.ReleasePushed(app, release, size, _, why):
            return f"{app} {release.version} ({release.digest[:8]}, {size} bytes) was pushed{_because(why)}."
        case e.ReleasePruned(app, release):
            return f"The archive of {app} {release.version} ({release.digest[:8]}) is no longer kept."
        case e.ReleaseUnblocked(app, release, why):
            return f"{app} {release.version} may be rolled out again{_because(why)}."
        case e.CaveatMarked():
            return _marked(event)
        case e.CaveatForgotten(app, key, why, level, text):
            return f"No caveat of {app} any more: {_caveat(key, level, text)}{_because(why)}."
        case e.LogsWatched(app):
            return f"Somebody follows the logs of {app}."
        case _:
            assert_never(event)


def _marked(event: e.CaveatMarked) -> str:
    how = "muted" if event.status == "muted" else f"accepted at {rate(event.rate, event.per)}"
    kinds = ", with every kind of record like it" if event.cluster else ""
    return f"Caveat of {event.app}: {_caveat(event.key, event.level, event.text)}{kinds}, {how}{_because(event.why)}."


def rate(value: float, per: Per) -> str:
    """As people say it: '5.2 % of requests', '3.1 a minute'."""
    match per:
        case "request":
            return f"{figure(100 * value)} % of requests"
        case "second":
            return f"{figure(60 * value)} a minute"
        case _:
            return figure(value)


def figure(value: float) -> str:
    """Two digits that count, or all before the point."""
    return f"{value:,.0f}" if value >= 99.5 else f"{value:.2g}"


def _caveat(key: str, level: str, text: str) -> str:
    first = text.partition("\n")[0].strip()
    shown = first if len(first) <= 90 else f"{first[:89]}…"
    return f"{level or 'record'} '{shown}' ({key})" if shown else key


Inside = (
    e.RolloutStarted
    | e.StageEntered
    | e.HostJudged
    | e.VerdictReached
    | e.Asked
    | e.Promoted
    | e.RollbackRequested
    | e.AbortRequested
    | e.Paused
    | e.Resumed
    | e.RolloutEnded
)


def _inside(event: Inside) -> str:
    match event:
        case e.RolloutStarted():
            return _started(event)
        case e.StageEntered(_, stage, wave, reason):
            where = f", {_wave(wave)}" if stage in (e.Stage.ROLLING, e.Stage.GATE) else ""
            return f"Stage {stage.value}{where}{_colon(reason)}."
        case e.HostJudged(_, host, state, reason):
            return f"{host} is {state}{_colon(reason)}."
        case e.VerdictReached(_, verdict, reason, requests):
            return f"Verdict after {requests} requests: {verdict}{_colon(reason)}."
        case e.Asked(_, question):
            return f"Waits for a person: {question}"
        case e.Promoted(_, why):
            return f"A person promoted it{_because(why)}."
        case e.RollbackRequested(_, why):
            return f"A person asked for the rollback{_because(why)}."
        case e.AbortRequested(_, why):
            return f"A person aborted it{_because(why)}."
        case e.Paused(_, why):
            return f"It was paused{_because(why)}."
        case e.Resumed(_, why):
            return f"It goes on{_because(why)}."
        case e.RolloutEnded(_, end, reason):
            return f"{_ENDS[end]}{_colon(reason)}."
        case _:
            assert_never(event)


_ENDS = {
    e.End.DONE: "Done",
    e.End.ROLLED_BACK: "Rolled back",
    e.End.ABORTED: "Aborted",
    e.End.FAILED: "Failed",
    e.End.SUPERSEDED: "Superseded",
}


def _started(event: e.RolloutStarted) -> str:
    what = {"deploy": "Rollout", "rollback": "Rollback", "reconcile": "Homecoming"}[event.kind]
    hosts = ", ".join(host for wave in event.waves for host in wave)
    left = "; ".join(f"{host} is left out: {why}" for host, why in event.skipped.items())
    change = _change(event.previous, event.release)
    where = f"{hosts}{f'; {left}' if left else ''}"
    return f"{what} {event.rollout} of {event.app} {change} began on {where}{_because(event.why)}."


def _assigned(event: e.Assigned) -> str:
    release = event.release.version if event.release else "what is live"
    match event.goal.value:
        case "prepared":
            wish = f"prepare {release}"
        case "serving" if event.restart_for:
            wish = f"restart on {release}, as the canary's twin,"
        case "serving":
            wish = f"serve {release}"
        case _:
            wish = "be out of its load balancers"
    again = ", once more since that never reached it" if event.again else ""
    return f"{event.host} is to {wish} for {event.app} (generation {event.generation}){again}."


def _report(report: e.Report) -> str:
    """What a person wants to follow: the step, what is live, the place in the load balancer, and what went wrong."""
    parts = [f"going back, {report.phase}" if report.going_back else report.phase.value]
    parts.append(f"on {report.live.rpartition('-')[0] or report.live or 'nothing'}")
    parts.append({True: "in service", False: "out of service", None: "place in service unknown"}[report.in_service])
    if report.healthy is False:
        parts.append("not healthy")
    ended_badly = report.outcome in (Outcome.REVERTED, Outcome.FAILED)
    trouble = f"; {str(report.trouble).rstrip('.')}" if report.trouble and (ended_badly or report.going_back) else ""
    return ", ".join(parts) + trouble


def _change(previous: ReleaseRef | None, release: ReleaseRef) -> str:
    return f"{previous.version} to {release.version}" if previous else release.version


def _wave(wave: int) -> str:
    return "canary" if wave == 0 else f"wave {wave}"


def _colon(reason: str) -> str:
    return f": {reason.rstrip('.')}" if reason.rstrip(".") else ""


def _because(why: str) -> str:
    return f": {why.rstrip('.')}" if why else ""
