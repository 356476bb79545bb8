"""The examine: how long it goes on, and what ends it. Pure."""

from __future__ import annotations

from collections.abc import Callable

from noonday_coordinator.core.events import Asked, Event, VerdictReached
from noonday_coordinator.core.state import Rollout
from noonday_coordinator.core.view import Judgement, View

NOTHING = Judgement("hold", "no evidence has arrived from the new release yet")


def examine(rollout: Rollout, view: View, now: float, *, onward: Callable[[Rollout], list[Event]]) -> list[Event]:
    """Go `onward`, ask a person, or (the empty list) go on examining. A regression was looked for before."""
    judgement = view.judgements.get(rollout.id, NOTHING)
    if rollout.promoted:
        return [_promote(rollout, judgement, "a person promoted it"), *onward(rollout)]
    if now < rollout.deadline:
        return []
    enough = judgement.requests >= rollout.policy.least_requests
    if judgement.verdict == "promote" and enough:
        return [_promote(rollout, judgement, judgement.reason), *onward(rollout)]
    if rollout.asked or not view.in_vain(last_instant(rollout), rollout.policy.unreachable_after, now):
        return []
    if judgement.verdict == "promote" and rollout.policy.on_little_evidence == "promote":
        little = f"on little evidence: {_few(rollout, judgement)}"
        return [_promote(rollout, judgement, little), *onward(rollout)]
    why = _few(rollout, judgement) if judgement.verdict == "promote" else judgement.reason
    answers = f"noonday promote {rollout.app}, or noonday rollback {rollout.app}"
    return [Asked(rollout.id, f"The examine is over without a verdict: {why}. Answer: {answers}")]


def last_instant(rollout: Rollout) -> float:
    """When the examine asks a person at the latest, in seconds since the epoch."""
    return rollout.stage_since + max(rollout.policy.examine, rollout.policy.examine_most)


def _promote(rollout: Rollout, judgement: Judgement, reason: str) -> VerdictReached:
    return VerdictReached(rollout.id, "promote", reason, judgement.requests, judgement.findings)


def _few(rollout: Rollout, judgement: Judgement) -> str:
    return f"{judgement.requests} of {rollout.policy.least_requests} requests seen on the new release"
