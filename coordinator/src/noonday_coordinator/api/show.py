"""State as the API shows it: hosts, releases, findings and records."""

from __future__ import annotations

from collections.abc import Mapping

from noonday_coordinator.api import models as m
from noonday_coordinator.api.context import Context
from noonday_coordinator.api.judging import judging
from noonday_coordinator.core import state as core
from noonday_coordinator.core.astray import astray
from noonday_coordinator.core.coming_home import Homecoming
from noonday_coordinator.core.events import Finding, Record
from noonday_coordinator.core.lost import held_back
from noonday_coordinator.core.plan import Plan
from noonday_coordinator.core.policy import Policy
from noonday_coordinator.store.codec import kind_of, to_data
from noonday_coordinator.words import say
from noonday_shared.errors import NoondayError
from noonday_shared.messages import AppSnapshot
from noonday_shared.release.manifest import ReleaseManifest

UNREACHABLE = 25.0
"""Seconds of silence after which the doctor names a host, and one of an app without a readable policy counts as not
known to be in service: two heartbeats and a half, so that a death is named within 30 s."""


def moment(instant: float) -> float | None:
    return instant or None


def host(context: Context, found: core.Host, now: float, drifts: Mapping[str, Mapping[str, str]]) -> m.HostInfo:
    """`drifts`: as `drift`, by app."""
    view, snapshot = context.engine.view, context.engine.snapshots.get(found.name)
    return m.HostInfo(
        host=found.name,
        labels=dict(found.labels),
        last_seen=view.last_seen.get(found.name),
        silent=view.silent_for(found.name, now),
        drained_by=found.drained_by,
        agent_version=snapshot.agent_version if snapshot else "",
        load_1m=snapshot.load_1m if snapshot else None,
        disk_free=snapshot.disk_free if snapshot else None,
        notices=(
            *((context.engine.doubles[found.name],) if found.name in context.engine.doubles else ()),
            *context.engine.notices.get(found.name, ()),
        ),
        apps=tuple(
            app_on_host(name, on_host, snapshot.app(name) if snapshot else None).model_copy(
                update={
                    "drift": drifts.get(name, {}).get(found.name, ""),
                    "held_back": held_back(context.engine.state, view, found.name, name, now),
                }
            )
            for name, on_host in sorted(found.apps.items())
        ),
    )


def app_on_host(name: str, on_host: core.AppOnHost, newest: AppSnapshot | None) -> m.AppOnHost:
    """What the host reported, and what it was told; `newest` adds what is not kept."""
    report, assigned = on_host.report, on_host.assigned
    told = m.AppOnHost(
        app=name,
        reported_at=moment(on_host.reported_at),
        goal=assigned.goal.value if assigned else "",
        assigned=assigned.release if assigned else None,
        assigned_generation=assigned.generation if assigned else 0,
        balancers=dict(newest.balancers) if newest else {},
    )
    if report is None:
        return told
    return told.model_copy(
        update={
            "live": report.live,
            "proven": report.proven,
            "prepared": report.prepared,
            "in_service": report.in_service,
            "healthy": report.healthy,
            "phase": report.phase.value,
            "step": report.step,
            "outcome": report.outcome.value,
            "going_back": report.going_back,
            "restarts": report.restarts,
            "trouble": str(report.trouble) if report.trouble else "",
            "generation": report.generation,
            "seconds_out": report.seconds_out,
            "timings": dict(report.timings),
        }
    )


def finding(found: Finding) -> m.FindingReply:
    return m.FindingReply(
        key=found.key,
        kind=found.kind,
        blames=found.blames,
        words=found.words,
        level=found.level,
        text=found.text,
        counts=dict(found.counts),
        first_seen=moment(found.first_seen),
        samples=found.samples,
        holds=found.holds,
        excuse=found.excuse,
        unit=found.unit,
        e=found.e,
        rate_here=found.rate_here,
        rate_there=found.rate_there,
        per=found.per,
        nearest=found.nearest,
    )


def release(state: core.State, app: core.App, found: core.Release) -> m.ReleaseInfo:
    live = (name for name, one in sorted(state.hosts.items()) if _live(one.app(app.name)) == found.ref.id)
    return m.ReleaseInfo(
        app=app.name,
        version=found.ref.version,
        digest=found.ref.digest,
        id=found.ref.id,
        size=found.size,
        pushed_at=found.pushed_at,
        pushed_by=found.pushed_by,
        why=found.why,
        good=found.good,
        blocked=found.blocked,
        pruned=found.pruned,
        current=app.current == found.ref,
        previous=app.previous == found.ref,
        hosts=tuple(live),
        manifest=ReleaseManifest.model_validate_json(found.manifest),
    )


def plan(found: Plan, policy: Policy) -> m.PlanReply:
    return m.PlanReply(
        app=found.app,
        release=found.release,
        previous=found.previous,
        hosts=found.hosts,
        waves=found.waves,
        limit=found.limit,
        nothing_to_do=found.nothing_to_do,
        checks=found.checks,
        policy=judging(policy) if found.previous else (),
        dry_run=policy.dry_run,
        seconds=found.seconds,
        skipped=found.skipped,
    )


def homecoming(found: Homecoming) -> m.ReconcilePlan:
    hosts = tuple(
        m.HostAstray(host=one.host, live=one.live, why=one.why, by_itself=one.by_itself) for one in found.hosts
    )
    return m.ReconcilePlan(app=found.app, release=found.release, hosts=hosts, not_now=found.not_now)


def drift(context: Context, app: core.App) -> dict[str, str]:
    """By host: why it is not on the release of record; by the policy of now, or that of the last rollout."""
    try:
        policy = context.policies.of(app.name)
    except NoondayError:
        made = context.engine.state.rollouts.get(app.recorded)
        if made is None:
            return {}
        policy = made.policy
    return {one.host: one.why for one in astray(context.engine.state, app, policy)}


def record(found: Record, *, app: str = "", rollout: str = "") -> m.EventReply:
    """`app` and `rollout`: when the caller knows them and the event does not say."""
    event = found.event
    return m.EventReply(
        seq=found.seq,
        at=found.at,
        by=found.by,
        kind=kind_of(event),
        words=say(event),
        app=str(getattr(event, "app", "")) or app,
        rollout=str(getattr(event, "rollout", "")) or rollout,
        host=str(getattr(event, "host", "")),
        data=to_data(event),
    )


def _live(on_host: core.AppOnHost) -> str:
    return on_host.report.live if on_host.report else ""
