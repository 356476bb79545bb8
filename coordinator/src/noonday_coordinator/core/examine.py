"""The examine: how long it goes on, and what ends it. Pure."""

from __future__ import annotations

from collections.abc import Callable

from noonday_coordinator.core.events import Asked, Event, VerdictReached
from noonday_coordinator.core.state import Rollout
from noonday_coordinator.core.view import Judgement, View

NOTHING = Judgement("hold", "no evidence has arrived from the new release yet")
IN_DOUBT = 3.0
"""Times as long as an examine is, one may go on in doubt: what is twice as frequent has shown itself by then."""


def examine(
    rollout: Rollout, view: View, now: float, *, onward: Callable[[Rollout], list[Event]], lost: str = ""
) -> list[Event]:
    """Go `onward`, ask a person, or (the empty list) go on examining. A regression was looked for before. `lost`: why
    the canary no longer has the release, in words: what was seen before then promotes nothing by itself."""
    judgement = view.judgements.get(rollout.id, NOTHING)
    if rollout.promoted:
        return [_promote(rollout, judgement, "a person promoted it"), *onward(rollout)]
    if now < rollout.deadline or not view.has_caught_up(now):
        return []
    if rollout.policy.dry_run:
        return [_promote(rollout, judgement, _would(rollout, judgement)), *onward(rollout)]
    if not lost and judgement.verdict == "promote" and enough(rollout, judgement):
        if judgement.doubt and now < doubted_until(rollout):
            return []
        return [_promote(rollout, judgement, _in_spite_of(judgement)), *onward(rollout)]
    until = last_instant(rollout, held=judgement.verdict == "hold")
    if rollout.asked or not view.in_vain(until, rollout.policy.unreachable_after, now):
        return []
    if lost:
        return [_asked(rollout, lost)]
    if judgement.verdict == "hold" and rollout.policy.on_hold == "promote":
        return [
            _promote(rollout, judgement, f"the policy promotes a hold that lasts: {judgement.reason}"),
            *onward(rollout),
        ]
    if judgement.verdict == "promote" and rollout.policy.on_little_evidence == "promote":
        little = f"on little evidence: {_few(rollout, judgement)}"
        return [_promote(rollout, judgement, little), *onward(rollout)]
    why = _few(rollout, judgement) if judgement.verdict == "promote" else judgement.reason
    return [_asked(rollout, why)]


def last_instant(rollout: Rollout, *, held: bool = False) -> float:
    """When the examine asks a person at the latest, in seconds since the epoch; `held`: a person should look anyway."""
    policy = rollout.policy
    last = max(policy.examine, policy.examine_most)
    return rollout.stage_since + (min(last, policy.examine + policy.hold_after) if held else last)


def doubted_until(rollout: Rollout) -> float:
    """When the examine ends at the latest if nothing but a doubt is left, in seconds since the epoch."""
    policy = rollout.policy
    return rollout.stage_since + max(policy.examine, min(policy.examine_most, IN_DOUBT * policy.examine))


def enough(rollout: Rollout, judgement: Judgement) -> bool:
    """Whether so much was seen that a promote means something."""
    return judgement.enough or judgement.requests >= rollout.policy.least_requests


def suffers_everywhere(rollout: Rollout, view: View) -> str:
    """What the old release suffers from as well now, in words: no time to take another server out. Empty: nothing."""
    judgement = view.judgements.get(rollout.id)
    if judgement is None or rollout.promoted or rollout.policy.dry_run or rollout.policy.examine <= 0:
        return ""
    if rollout.previous is None:
        return ""  # nothing serves an old release
    return "; ".join(found.words for found in judgement.findings if found.kind == "shared-trouble")


def lasting_hold(rollout: Rollout, view: View, now: float) -> str:
    """Why a hold has lasted so long that the policy sends the release back; empty when it does not."""
    judgement = view.judgements.get(rollout.id)
    policy = rollout.policy
    if judgement is None or judgement.verdict != "hold" or policy.on_hold != "rollback" or policy.dry_run:
        return ""
    if rollout.promoted or rollout.overruled or rollout.paused_by or now < last_instant(rollout, held=True):
        return ""
    return f"the policy rolls back a hold that lasts: {judgement.reason}"


def _would(rollout: Rollout, judgement: Judgement) -> str:
    """What a dry run did not do, or why the release goes on anyway."""
    if judgement.verdict == "promote":
        return (
            judgement.reason
            if enough(rollout, judgement)
            else f"dry run: it would wait for more: {_few(rollout, judgement)}"
        )
    return f"dry run: it would {'have rolled back' if judgement.verdict == 'roll back' else 'hold'}: {judgement.reason}"


def _in_spite_of(judgement: Judgement) -> str:
    return f"{judgement.reason}; in spite of {judgement.doubt}" if judgement.doubt else judgement.reason


def _promote(rollout: Rollout, judgement: Judgement, reason: str) -> VerdictReached:
    seen = (judgement.requests, judgement.findings, judgement.at, judgement.control_requests)
    return VerdictReached(rollout.id, "promote", reason, *seen)


def _asked(rollout: Rollout, why: str) -> Asked:
    answers = f"noonday promote {rollout.app}, or noonday rollback {rollout.app}"
    return Asked(rollout.id, f"The examine is over without a verdict: {why}. Answer: {answers}")


def _few(rollout: Rollout, judgement: Judgement) -> str:
    return f"{judgement.requests} of {rollout.policy.least_requests} requests seen on the new release"
