"""A rollout as the API shows it, whole and in short."""

from __future__ import annotations

from typing import cast

from noonday_coordinator.api import models as m
from noonday_coordinator.api import show
from noonday_coordinator.api.context import Context
from noonday_coordinator.api.judging import judging, would
from noonday_coordinator.api.waiting import waiting_for
from noonday_coordinator.core.events import Assigned, HostReported, Record, RolloutStarted, Stage, VerdictReached
from noonday_coordinator.core.examine import last_instant
from noonday_coordinator.core.room import group_of
from noonday_coordinator.core.state import AppOnHost, Rollout, State
from noonday_coordinator.core.view import Judgement


def summary(rollout: Rollout) -> m.RolloutSummary:
    return m.RolloutSummary.model_validate(_summary(rollout))


def whole(context: Context, state: State, rollout: Rollout) -> m.RolloutInfo:
    view, now = context.engine.view, context.clock.now()
    judgement = judged(context, rollout)
    return m.RolloutInfo.model_validate(
        {
            **_summary(rollout),
            "now": now,
            "why": _why(context, rollout),
            "wave": rollout.wave,
            "waves": rollout.waves,
            "stage_since": rollout.stage_since,
            "deadline": show.moment(rollout.deadline),
            "hosts": tuple(_hosts(context, state, rollout, now)),
            "findings": tuple(show.finding(found) for found in judgement.findings),
            "verdict_reason": judgement.reason,
            "judgement": _verdict(context, rollout),
            "policy": judging(rollout.policy) if rollout.kind == "deploy" and rollout.previous else (),
            "dry_run": rollout.policy.dry_run,
            "would": would(rollout, judgement),
            "requests": judgement.requests,
            "control_requests": judgement.control_requests,
            "least_requests": rollout.policy.least_requests,
            "examine": _examine(rollout),
            "asked": rollout.asked,
            "paused_by": rollout.paused_by,
            "waiting_for": waiting_for(rollout, state, view, now),
        }
    )


def findings(context: Context, rollout: Rollout) -> m.Findings:
    """While it runs what the evidence says now, afterwards what was recorded."""
    judgement = judged(context, rollout)
    return m.Findings(
        app=rollout.app,
        rollout=rollout.id,
        release=rollout.release,
        live=rollout.end is None,
        verdict=_verdict(context, rollout),
        verdict_reason=judgement.reason,
        requests=judgement.requests,
        control_requests=judgement.control_requests,
        dry_run=rollout.policy.dry_run,
        would=would(rollout, judgement),
        findings=tuple(show.finding(one) for one in judgement.findings),
    )


def judged(context: Context, rollout: Rollout) -> Judgement:
    """What the evidence says now; of a rollout with a verdict that ended it, what it said then."""
    live = context.engine.view.judgements.get(rollout.id)
    if live is not None and rollout.end is None:
        return live
    record = context.log.newest(rollout.id, "verdict-reached")
    told = record.event if record and isinstance(record.event, VerdictReached) else None
    verdict = cast(m.VerdictName, rollout.verdict or "hold")
    if record is None or told is None:
        return Judgement(verdict, "")
    return Judgement(verdict, told.reason, told.requests, told.control_requests, findings=told.findings, at=record.at)


def _why(context: Context, rollout: Rollout) -> str:
    first = next(iter(context.log.of_rollout(rollout.id, limit=1)), None)
    return first.event.why if first and isinstance(first.event, RolloutStarted) else ""


def _verdict(context: Context, rollout: Rollout) -> str:
    live = context.engine.view.judgements.get(rollout.id) if rollout.end is None else None
    return live.verdict if live else rollout.verdict


def _summary(rollout: Rollout) -> dict[str, object]:
    return {
        "id": rollout.id,
        "app": rollout.app,
        "kind": rollout.kind,
        "release": rollout.release,
        "previous": rollout.previous,
        "by": rollout.by,
        "started_at": rollout.started_at,
        "ended_at": show.moment(rollout.ended_at),
        "stage": rollout.stage.value,
        "end": rollout.end.value if rollout.end else None,
        "reason": rollout.reason,
        "verdict": rollout.verdict,
        "left_out": rollout.left_out,
    }


def _hosts(context: Context, state: State, rollout: Rollout, now: float) -> list[m.HostInRollout]:
    shown, view, label = [], context.engine.view, rollout.policy.group_by
    reports = _as_now(context, state, rollout) if rollout.end is None else _as_then(context, rollout)
    aside = tuple(name for name in rollout.hosts if name not in rollout.members)
    for wave, names in (*enumerate(rollout.waves), (-1, aside)):
        for name in names:
            member = rollout.hosts[name]
            shown.append(
                m.HostInRollout(
                    host=name,
                    wave=wave,
                    group=f"{label}={group_of(state, name, label)}" if label else "",
                    state=member.state.value,
                    since=member.since,
                    reason=member.reason,
                    silent=view.silent_for(name, now) if name in state.hosts and rollout.end is None else None,
                    report=reports.get(name),
                )
            )
    return shown


def _as_now(context: Context, state: State, rollout: Rollout) -> dict[str, m.AppOnHost]:
    found: dict[str, m.AppOnHost] = {}
    for name in rollout.hosts:
        if name in state.hosts:
            snapshot = context.engine.snapshots.get(name)
            newest = snapshot.app(rollout.app) if snapshot else None
            found[name] = show.app_on_host(rollout.app, state.hosts[name].app(rollout.app), newest)
    return found


def _as_then(context: Context, rollout: Rollout) -> dict[str, m.AppOnHost]:
    """Hosts as they were when it ended, as far as they were enrolled then; read from the log."""
    numbers = {name: one.at_end for name, one in rollout.hosts.items() if one.at_end is not None}
    records = context.log.numbered({number for both in numbers.values() for number in both if number})
    return {
        name: show.app_on_host(rollout.app, _on_host(records.get(told), records.get(said)), None)
        for name, (told, said) in numbers.items()
    }


def _on_host(told: Record | None, said: Record | None) -> AppOnHost:
    return AppOnHost(
        assigned=told.event if told and isinstance(told.event, Assigned) else None,
        report=said.event.report if said and isinstance(said.event, HostReported) else None,
        reported_at=said.at if said else 0.0,
    )


def _examine(rollout: Rollout) -> m.Examine | None:
    if rollout.stage is not Stage.EXAMINING:
        return None
    return m.Examine(started_at=rollout.stage_since, ends_at=rollout.deadline, latest=last_instant(rollout))
