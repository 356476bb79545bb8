"""Plans, rollouts and what steers them; their events, as they come and in history."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Annotated

from fastapi import APIRouter, Query

from noonday_coordinator.api import models as m
from noonday_coordinator.api import show, show_rollout
from noonday_coordinator.api.auth import Caller, Ctx
from noonday_coordinator.api.context import Context
from noonday_coordinator.api.errors import not_found
from noonday_coordinator.core.commands import Abort, Command, Deploy, Pause, Promote, Reconcile, Resume, Rollback
from noonday_coordinator.core.events import Record, RollbackRequested, RolloutStarted
from noonday_coordinator.core.policy import Policy
from noonday_coordinator.core.state import Rollout, State
from noonday_coordinator.words import say_all
from noonday_shared.errors import NoondayError

router = APIRouter(tags=["rollouts"])
Limit = Annotated[int, Query(ge=1, le=1000)]
NO_WHY = m.WhyAsk()
"""Of whoever sends no body."""
After = Annotated[int, Query(ge=0, description="only what is numbered above it")]


@router.post("/apps/{app}/plan")
def plan(app: str, ask: m.DeployAsk, context: Ctx, _: Caller) -> m.PlanReply:
    """What a rollout would do; nothing is changed. Refused for the reasons that would refuse the rollout."""
    command = _deploy(context, app, ask)
    return show.plan(context.plan(command), command.policy)


@router.post("/apps/{app}/rollouts")
def deploy(app: str, ask: m.DeployAsk, context: Ctx, by: Caller) -> m.Started:
    """Begin a rollout. `rollout` is null when every host runs this release already."""
    context.check_room()
    return _began(context.submit(_deploy(context, app, ask), by), f"Every host of {app} serves {ask.version} already.")


@router.post("/apps/{app}/rollback")
def rollback(app: str, ask: m.WhyAsk, context: Ctx, by: Caller) -> m.Started:
    """Under way: that rollout goes back. Otherwise: straight to the previous release on all hosts."""
    command = Rollback(app, _policy_for_rollback(context, app), ask.why)
    return _began(context.submit(command, by), f"{app} has nothing to go back from.")


@router.post("/apps/{app}/reconcile/plan")
def plan_reconcile(app: str, context: Ctx, _: Caller) -> m.ReconcilePlan:
    """Which hosts would be brought to the release of record, and why; nothing is changed."""
    return show.homecoming(context.plan_reconcile(context.policies.of(context.known(app))))


@router.post("/apps/{app}/reconcile")
def reconcile(app: str, context: Ctx, by: Caller, ask: m.WhyAsk = NO_WHY) -> m.Started:
    """Bring hosts that serve something else to the release of record, one at a time. `rollout` is null when there is
    none that could be."""
    command = Reconcile(app, context.policies.of(context.known(app)), ask.why)
    return _began(context.submit(command, by), f"{app} has no host that could be brought home now.")


@router.post("/apps/{app}/promote")
def promote(app: str, context: Ctx, by: Caller, ask: m.WhyAsk = NO_WHY) -> m.Done:
    """Skip what is left of the examine, or answer yes."""
    return _steered(context, Promote(context.known(app), ask.why), by)


@router.post("/apps/{app}/abort")
def abort(app: str, ask: m.WhyAsk, context: Ctx, by: Caller) -> m.Done:
    """Bring the touched hosts back; the release is not blocked."""
    return _steered(context, Abort(context.known(app), ask.why), by)


@router.post("/apps/{app}/pause")
def pause(app: str, context: Ctx, by: Caller, ask: m.WhyAsk = NO_WHY) -> m.Done:
    return _steered(context, Pause(context.known(app), ask.why), by)


@router.post("/apps/{app}/resume")
def resume(app: str, context: Ctx, by: Caller, ask: m.WhyAsk = NO_WHY) -> m.Done:
    return _steered(context, Resume(context.known(app), ask.why), by)


@router.get("/rollouts")
def rollouts(context: Ctx, _: Caller, app: str = "", limit: Limit = 50) -> m.Rollouts:
    """Newest first, of one app or of all."""
    found = newest(context.engine.state, context.known(app) if app else "")
    return m.Rollouts(rollouts=tuple(show_rollout.summary(rollout) for rollout in found[:limit]))


@router.get("/rollouts/{rollout}")
def rollout(rollout: str, context: Ctx, _: Caller) -> m.RolloutInfo:
    state = context.engine.state
    return show_rollout.whole(context, state, found_rollout(state, rollout))


@router.get("/rollouts/{rollout}/findings")
def findings(rollout: str, context: Ctx, _: Caller) -> m.Findings:
    """While it runs what the evidence says now, afterwards what was recorded with the verdict."""
    return show_rollout.findings(context, found_rollout(context.engine.state, rollout))


@router.get("/rollouts/{rollout}/events")
def events(rollout: str, context: Ctx, _: Caller, after: After = 0, limit: Limit = 500) -> m.Events:
    """What happened in it and what its hosts reported meanwhile, oldest first."""
    # State before log: a rollout that has ended in it has all its records in the log.
    found = found_rollout(context.engine.state, rollout)
    records = context.log.of_rollout(rollout, after, limit)
    shown = tuple(show.record(record, app=found.app, rollout=rollout) for record in records)
    last = records[-1].seq if records else after
    return m.Events(events=shown, last=last, ended=found.end is not None and len(records) < limit)


@router.get("/history")
def history(
    context: Ctx, _: Caller, app: str = "", before: Annotated[int | None, Query(ge=1)] = None, limit: Limit = 200
) -> m.Events:
    """The newest records, oldest first, without reports and orders to single hosts. `before`: page back."""
    records = context.log.told(context.known(app) if app else "", before, limit)
    shown = tuple(show.record(record, app=app) for record in reversed(records))
    return m.Events(events=shown, last=shown[-1].seq if shown else 0)


def newest(state: State, app: str = "") -> list[Rollout]:
    """Rollouts of one app, or of all; newest first."""
    found = [rollout for rollout in state.rollouts.values() if app in ("", rollout.app)]
    return sorted(found, key=lambda rollout: rollout.started_at, reverse=True)


def found_rollout(state: State, name: str) -> Rollout:
    """Raises `BadInput` that names the nearest ones."""
    found = state.rollouts.get(name)
    if found is None:
        near = get_close_matches(name, state.rollouts, 3, 0.5) or [one.id for one in newest(state)[:3]]
        others = f"; the nearest are {', '.join(near)}" if near else ", and there never was one"
        raise not_found("no-such-rollout", f"There is no rollout {name[:40]!r}{others}.", "noonday history")
    return found


def _deploy(context: Context, app: str, ask: m.DeployAsk) -> Deploy:
    return Deploy(app, ask.version, context.policies.of(app), ask.allow_outage, ask.supersede, ask.why)


def _policy_for_rollback(context: Context, app: str) -> Policy:
    try:
        return context.policies.of(app)
    except NoondayError:
        # A file that somebody broke must not keep a rollout under way from going back.
        active = context.engine.state.active(app)
        if active is None:
            raise
        return active.policy


def _began(records: tuple[Record, ...], nothing: str) -> m.Started:
    for record in records:
        if isinstance(record.event, RolloutStarted | RollbackRequested):
            return m.Started(rollout=record.event.rollout, words=say_all(records))
    ended = say_all(records) if records else ""
    return m.Started(nothing_to_do=True, words=f"{ended} {nothing}".strip())


def _steered(context: Context, command: Command, by: str) -> m.Done:
    return m.Done(words=say_all(context.submit(command, by)))
