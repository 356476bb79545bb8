"""Caveats of an app, and both sides of a rollout."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from noonday_coordinator.api import caveats
from noonday_coordinator.api import models as m
from noonday_coordinator.api import models_evidence as me
from noonday_coordinator.api.auth import Caller, Ctx
from noonday_coordinator.api.comparison import compare as compared
from noonday_coordinator.api.context import Context
from noonday_coordinator.api.errors import not_found
from noonday_coordinator.api.routes_rollouts import found_rollout
from noonday_coordinator.core.caveats import Status
from noonday_coordinator.core.commands import Command
from noonday_coordinator.core.state import Rollout
from noonday_coordinator.verdict.protocol import Trial
from noonday_coordinator.words import say_all

router = APIRouter(tags=["evidence"])


@router.get("/apps/{app}/caveats")
def list_(
    app: str,
    context: Ctx,
    _: Caller,
    known: Annotated[bool, Query(description="also errors of good releases that nobody marked")] = False,
) -> me.Caveats:
    """What people said is known."""
    return caveats.shown(context, context.known(app), known=known)


@router.post("/apps/{app}/caveats/{key}/accept")
def accept(app: str, key: str, ask: me.CaveatAsk, context: Ctx, by: Caller) -> m.Done:
    """No release is blamed for it at about the rate of now. `key`: of a finding or record, or how it begins."""
    return _mark(context, app, key, "accepted", ask.why, by)


@router.post("/apps/{app}/caveats/{key}/mute")
def mute(app: str, key: str, ask: me.CaveatAsk, context: Ctx, by: Caller) -> m.Done:
    """No release is blamed or held for it, however often it shows."""
    return _mark(context, app, key, "muted", ask.why, by)


@router.post("/apps/{app}/caveats/{key}/forget")
def forget(app: str, key: str, ask: m.WhyAsk, context: Ctx, by: Caller) -> m.Done:
    return _told(context, app, caveats.forgetting(context, context.known(app), key, ask.why), by)


@router.get("/rollouts/{rollout}/compare")
def compare(
    rollout: str,
    context: Ctx,
    _: Caller,
    top: Annotated[int, Query(ge=0, le=200, description="kinds of record that are listed")] = 10,
) -> me.Comparison:
    """Canary and controls side by side, from the windows that were kept: during a rollout and after it."""
    found = found_rollout(context.engine.state, rollout)
    trial = _trial(context, found)
    if trial is None:
        words = f"No evidence has arrived from {found.release.version} yet."
        return me.Comparison(
            rollout=found.id, app=found.app, release=found.release, previous=found.previous, words=words
        )
    return compared(trial, context.windows.of_rollout(found.id), most=top)


def _trial(context: Context, rollout: Rollout) -> Trial | None:
    """None while there is none yet. Raises `BadInput` when there will be none."""
    if rollout.kind == "rollback":
        text = f"{rollout.id} is a rollback: it is not examined, so there is nothing to compare."
        raise not_found("no-windows", text, f"noonday show {rollout.id}")
    trial = context.windows.trial(rollout.id)
    if trial is None and rollout.end is not None:
        text = f"Nothing is left of what {rollout.id} was judged by: it is too old, or ended before its evidence came."
        raise not_found("no-windows", text, f"noonday findings {rollout.id} shows what was recorded")
    return trial


def _mark(context: Context, app: str, key: str, status: Status, why: str, by: str) -> m.Done:
    return _told(context, app, caveats.marking(context, context.known(app), key, status, why), by)


def _told(context: Context, app: str, command: Command, by: str) -> m.Done:
    words = say_all(context.submit(command, by))
    active = context.engine.state.app(app).active
    return m.Done(words=f"{words} It counts at once, also in {active}." if active else words)
