"""A rollout judged once more."""

from __future__ import annotations

from fastapi import APIRouter

from noonday_coordinator.api import models_replay as m
from noonday_coordinator.api import show
from noonday_coordinator.api.auth import Caller, Ctx
from noonday_coordinator.api.context import Context
from noonday_coordinator.api.errors import not_found
from noonday_coordinator.api.routes_rollouts import found_rollout
from noonday_coordinator.core.events import VerdictReached
from noonday_coordinator.core.policy import Policy
from noonday_coordinator.core.state import Rollout
from noonday_coordinator.replay.rollout import Replayed, replay_rollout
from noonday_shared.errors import BadInput

router = APIRouter(tags=["rollouts"])


@router.post("/rollouts/{rollout}/replay")
def replay(rollout: str, ask: m.ReplayAsk, context: Ctx, _: Caller) -> m.Replay:
    """Judge it again by what was kept: the same, bit for bit, or by another policy. Nothing is changed.

    Takes some seconds for a long rollout.
    """
    found = found_rollout(context.engine.state, rollout)
    if ask.policy is not None and ask.policy.app != found.app:
        raise BadInput(
            f"The policy is of {ask.policy.app}, and {found.id} is a rollout of {found.app}.",
            rule="other-app",
            next_action=f"give a policy with app = {found.app!r}",
        )
    again = _again(context, found, ask.policy)
    return _shown(context, found, again, by_policy=ask.policy is not None)


def _again(context: Context, found: Rollout, policy: Policy | None) -> Replayed:
    if found.kind != "deploy":
        text = f"{found.id} goes back to a release that was there before: nothing was judged in it."
        raise not_found("no-windows", text, "noonday history")
    trial = context.windows.trial(found.id)
    windows = context.windows.of_rollout(found.id)
    if trial is None or not windows:
        gone = "what was counted in it is not kept any more" if trial is None else "no evidence arrived in it"
        raise not_found(
            "no-windows",
            f"{found.id} can't be judged again: {gone}.",
            f"noonday findings {found.id} shows what was said",
        )
    return replay_rollout(trial, windows, context.log.read(), policy)


def _shown(context: Context, found: Rollout, again: Replayed, *, by_policy: bool) -> m.Replay:
    record = context.log.newest(found.id, "verdict-reached")
    verdict = record.event if record and isinstance(record.event, VerdictReached) else None
    return m.Replay(
        rollout=found.id,
        app=found.app,
        release=found.release,
        by_policy=by_policy,
        same=verdict is None or again.verdict == verdict.verdict if by_policy else again.same,
        decided=verdict.verdict if verdict else "",
        decided_at=record.at if record else None,
        verdict=again.verdict,
        reason=again.last.reason,
        started_at=found.started_at,
        until=again.until,
        windows=again.windows,
        changes=tuple(m.VerdictChange(at=one.at, verdict=one.verdict, reason=one.reason) for one in again.changes),
        kept=tuple(
            m.KeptVerdict(
                at=one.at,
                verdict=one.verdict,
                reason=one.reason,
                again=one.again,
                again_reason=one.again_reason,
                differs=one.differs,
            )
            for one in again.kept
        ),
        requests=again.last.requests,
        control_requests=again.last.control_requests,
        findings=tuple(show.finding(one) for one in again.last.findings),
    )
