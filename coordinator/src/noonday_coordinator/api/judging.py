"""How a policy judges, and what it would do in a dry run, as sentences. Pure."""

from __future__ import annotations

from noonday_coordinator.core.policy import Override, Policy
from noonday_coordinator.core.state import Rollout
from noonday_coordinator.core.view import Judgement

_ON_HOLD = {"ask": "a person is asked", "promote": "it is promoted", "rollback": "it goes back"}
_DOES = {"promote": "go on", "roll back": "roll back", "hold": "hold, so that a person looks"}


def judging(policy: Policy) -> tuple[str, ...]:
    latest = max(min(policy.examine + policy.hold_after, policy.examine_most), policy.examine)
    told = [
        f"a false alarm in at most {100 * policy.sensitivity:g} of 100 rollouts; "
        f"{policy.least_new_errors} episodes of one new error can turn it back, fewer hold it",
    ]
    # A dry run waits for no hold to pass.
    hold = f"on hold {latest:g} s after the examine began: {_ON_HOLD[policy.on_hold]}"
    dry_run = "DRY RUN: it only judges; whatever the evidence says, the release goes on"
    told = [dry_run, *told] if policy.dry_run else [*told, hold]
    return (*told, *map(_override, policy.overrides))


def would(rollout: Rollout, judgement: Judgement) -> str:
    """In a dry run: what its evidence would do, or would have done; empty otherwise, and before there is any."""
    if not rollout.policy.dry_run or not (judgement.findings or judgement.reason):
        return ""
    if rollout.end is not None and not rollout.verdict:
        return ""
    does = _DOES[judgement.verdict]
    if rollout.end is None:
        return f"It only judges. By what is known now it would {does}: {_reason(judgement)}."
    if judgement.reason.startswith("dry run: "):
        return f"It only judged: {_reason(judgement).removeprefix('dry run: ')}."
    return f"It only judged: it would have gone on, {_reason(judgement)}."


def _override(one: Override) -> str:
    match one.action:
        case "ignore":
            return f"what matches {one.match!r} is ignored"
        case "hold":
            return f"what matches {one.match!r} never turns it back, but holds it"
        case "weight":
            return f"what matches {one.match!r} weighs {one.weight:g} times as much"


def _reason(judgement: Judgement) -> str:
    return judgement.reason.rstrip(".")
