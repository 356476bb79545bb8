"""Status, hosts, and what the doctor finds."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from noonday_coordinator import enrolment
from noonday_coordinator.api import doctor, show
from noonday_coordinator.api import models as m
from noonday_coordinator.api.auth import Caller, Ctx
from noonday_coordinator.api.context import VERSION, Context
from noonday_coordinator.api.judging import would
from noonday_coordinator.api.waiting import waiting_for
from noonday_coordinator.core.commands import DrainHost, Remove, UndrainHost
from noonday_coordinator.core.lost import held_back
from noonday_coordinator.core.policy import Policy
from noonday_coordinator.core.state import Host, State
from noonday_coordinator.words import say_all
from noonday_shared.errors import NoondayError

router = APIRouter(tags=["fleet"])
NO_WHY = m.WhyAsk()
"""Of whoever sends no body."""
Why = Annotated[str, Query(max_length=1000, description="kept in the history")]


@router.get("/status")
def status(context: Ctx, _: Caller) -> m.Status:
    """Every app in short, and whether the broker is there."""
    state = context.engine.state
    names = sorted({*context.policies.names(), *state.apps})
    return m.Status(
        version=VERSION,
        term=state.term,
        now=context.clock.now(),
        since=context.engine.view.since,
        broker=m.BrokerStatus(connected=context.bus.connected, trouble=context.bus.trouble),
        apps=tuple(_app(context, state, name) for name in names),
    )


@router.get("/hosts")
def hosts(context: Ctx, _: Caller) -> m.Hosts:
    """Every enrolled host, and strangers: hosts that report and are not enrolled."""
    engine, now = context.engine, context.clock.now()
    drifts = {name: show.drift(context, app) for name, app in engine.state.apps.items()}
    return m.Hosts(
        now=now,
        hosts=tuple(show.host(context, host, now, drifts) for _, host in sorted(engine.state.hosts.items())),
        strangers=tuple(m.Stranger(host=name, last_seen=seen) for name, seen in sorted(engine.strangers.items())),
    )


@router.post("/hosts")
def enroll(ask: m.EnrollAsk, context: Ctx, by: Caller) -> m.Enrolled:
    """Make a host known: its key, its labels, and the part of agent.toml that goes with them."""
    made = enrolment.enroll(
        context, ask.host, ask.labels, by=by, public_key=ask.public_key, rotate=ask.rotate, why=ask.why
    )  # fmt: skip
    return m.Enrolled(host=made.host, agent_toml=made.agent_toml, host_key=made.host_key, words=made.words)


@router.delete("/hosts/{host}")
def remove(host: str, context: Ctx, by: Caller, why: Why = "") -> m.Done:
    """Forget a host; what it reports then changes nothing. What runs there goes on running."""
    return m.Done(words=say_all(context.submit(Remove(host, why), by)))


@router.post("/hosts/{host}/drain")
def drain(host: str, context: Ctx, by: Caller, ask: m.WhyAsk = NO_WHY) -> m.Done:
    """Take all apps of a host out of their load balancers, and keep them out."""
    return m.Done(words=say_all(context.submit(DrainHost(host, ask.why), by)))


@router.post("/hosts/{host}/undrain")
def undrain(host: str, context: Ctx, by: Caller, ask: m.WhyAsk = NO_WHY) -> m.Done:
    return m.Done(words=say_all(context.submit(UndrainHost(host, ask.why), by)))


@router.get("/doctor")
def examine(context: Ctx, _: Caller) -> m.Doctor:
    """May take seconds: the whole event log is looked through."""
    return doctor.examine(context)


def _app(context: Context, state: State, name: str) -> m.AppStatus:
    app, now, view = state.app(name), context.clock.now(), context.engine.view
    members, policy, trouble = _members(context, state, name)
    silence = policy.unreachable_after if policy else show.UNREACHABLE
    served = [
        host.name
        for host in members
        if host.app(name).in_service and view.silent_for(host.name, now) < silence
    ]  # fmt: skip
    rollout = state.active(name)
    judgement = view.judgements.get(rollout.id) if rollout else None
    judged_by = rollout.policy if rollout else policy
    return m.AppStatus(
        app=name,
        current=app.current,
        previous=app.previous,
        rollout=app.active,
        stage=rollout.stage.value if rollout else "",
        waiting_for=waiting_for(rollout, state, view, now) if rollout else "",
        asked=rollout.asked if rollout else "",
        hosts_in=tuple(served),
        hosts_out=tuple(host.name for host in members if host.name not in served),
        drift=tuple(f"{host} {why}" for host, why in show.drift(context, app).items()),
        held_back=tuple(why for host in members if (why := held_back(state, view, host.name, name, now))),
        trouble=trouble,
        judgement=judgement.verdict if judgement else "",
        dry_run=judged_by is not None and judged_by.dry_run,
        would=would(rollout, judgement) if rollout and judgement else "",
    )


def _members(context: Context, state: State, name: str) -> tuple[tuple[Host, ...], Policy | None, str]:
    """The app's hosts, its policy, and why that can't be used."""
    try:
        policy = context.policies.of(name)
    except NoondayError as error:
        having = tuple(host for _, host in sorted(state.hosts.items()) if name in host.apps)
        return having, None, error.text
    return state.hosts_with(policy.hosts), policy, ""
