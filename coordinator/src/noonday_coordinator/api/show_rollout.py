"""A rollout as the API shows it, whole and in short."""

from __future__ import annotations

from typing import cast

from noonday_coordinator.api import models as m
from noonday_coordinator.api import show
from noonday_coordinator.api.context import Context
from noonday_coordinator.api.judging import judging, would
from noonday_coordinator.api.waiting import waiting_for
from noonday_coordinator.core.events import RolloutStarted, Stage, VerdictReached
from noonday_coordinator.core.examine import last_instant
from noonday_coordinator.core.room import group_of
from noonday_coordinator.core.state import Rollout, State
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
    reason, others = (told.reason, told.control_requests) if told else ("", 0)
    verdict = cast(m.VerdictName, rollout.verdict or "hold")
    at = record.at if record else 0.0
    return Judgement(verdict, reason, rollout.requests, others, findings=rollout.findings, at=at)


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
                    report=_report(context, state, rollout, name),
                )
            )
    return shown


def _report(context: Context, state: State, rollout: Rollout, host: str) -> m.AppOnHost | None:
    """As the host is now; of a rollout that has ended, as it was then."""
    if rollout.end is not None:
        then = rollout.at_end.get(host)
        return show.app_on_host(rollout.app, then, None) if then else None
    found, snapshot = state.hosts.get(host), context.engine.snapshots.get(host)
    if found is None:
        return None
    return show.app_on_host(rollout.app, found.app(rollout.app), snapshot.app(rollout.app) if snapshot else None)


def _examine(rollout: Rollout) -> m.Examine | None:
    if rollout.stage is not Stage.EXAMINING:
        return None
    return m.Examine(started_at=rollout.stage_since, ends_at=rollout.deadline, latest=last_instant(rollout))
