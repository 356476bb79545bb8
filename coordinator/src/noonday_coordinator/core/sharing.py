"""What is equal is kept once: a log of a thousand rollouts knows two policies, and each release by many names. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from noonday_coordinator.core.policy import Policy
from noonday_coordinator.core.state import App, Rollout, State
from noonday_shared.names import ReleaseRef

LOOKED_BACK = 50
"""Rollouts, newest first, among which an equal policy is looked for."""


def policy_of(rollouts: Mapping[str, Rollout], policy: Policy) -> Policy:
    """The one that is kept already, or the given one."""
    newest = reversed(tuple(rollouts.values())[-LOOKED_BACK:])
    return next((one.policy for one in newest if one.policy == policy), policy)


def ref_of(app: App, ref: ReleaseRef) -> ReleaseRef:
    """The one that was pushed, or the given one."""
    known = app.releases.get(ref.version)
    return known.ref if known is not None and known.ref == ref else ref


def shared(state: State) -> State:
    """The same state, sharing as `evolve` does, of one that was read from a file."""
    rollouts: dict[str, Rollout] = {}
    for name, one in state.rollouts.items():
        app = state.app(one.app)
        release, previous = ref_of(app, one.release), one.previous and ref_of(app, one.previous)
        rollouts[name] = replace(one, policy=policy_of(rollouts, one.policy), release=release, previous=previous)
    return replace(state, rollouts=rollouts)
