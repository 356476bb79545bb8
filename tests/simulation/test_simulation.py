"""Whole stories, a seed each; more of them: see run.py. The rules themselves are tested by breaking what they watch."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from simulation.host import Nature
from simulation.run import play
from simulation.script import Candidate, Mishap, Script, Wish, script

from noonday_agent.core.journal import Stage
from noonday_agent.core.limits import Limits
from noonday_agent.core.result import Again, Done, Result
from noonday_agent.steps import Steps
from noonday_coordinator import inbox
from noonday_coordinator.core import absorb, decide, evolve
from noonday_coordinator.core.events import HostJudged
from noonday_coordinator.core.state import HostState, InRollout, Rollout
from noonday_coordinator.core.view import View
from noonday_shared import envelope
from noonday_shared.bus.memory import Faults
from noonday_shared.release.manifest import HookFiles
from support.story import NEW, policy

SEEDS = range(1, 27)


@pytest.fixture(autouse=True)
def _quietly() -> Iterator[None]:
    """Thousands of refused forgeries and dead brokers are no news here, and to word them takes longer than to play."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_rule_holds_after_every_event_and_all_is_well_in_the_end(seed: int) -> None:
    play(script(seed))


def too_many_at_once(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(decide, "may_move", lambda _state, _view, _rollout, waiting, _now: list(waiting))


def no_health_check(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Steps, "_warm_up", lambda _self, _attempt: Again(0.02, good=True))


def a_restart_done_again(patch: pytest.MonkeyPatch) -> None:
    def restart(self: Any, _attempt: object, *, recovered: bool) -> Result:
        self._parts.process.restart(10.0)
        return Done()

    patch.setattr(Steps, "_restart", restart)


def nothing_is_blocked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(evolve, "_blocked", lambda app, _rollout, _reason: app)


def no_end_of_a_step_is_seen(patch: pytest.MonkeyPatch) -> None:
    seen = absorb._judge

    def judge(view: View, rollout: Rollout, name: str, member: InRollout, *rest: Any) -> HostJudged | None:
        return seen(view, rollout, name, member, *rest) if member.state is HostState.WAITING else None

    patch.setattr(absorb, "_judge", judge)


def no_signature_is_checked(patch: pytest.MonkeyPatch) -> None:
    for module in (inbox, envelope):
        patch.setattr(module, "verified", lambda _envelope, _keys: True)


STORY = Script(
    seed=1,
    hosts=("web-1", "web-2", "web-3"),
    policy=policy(examine=10, least_requests=0, host_within=60, prepare_within=60),
    limits=Limits(idle_within=5.0, healthy_within=15.0, return_within=10.0),
    serving_before=True,
    checked=True,
    rate=10.0,
    candidates=(Candidate(NEW, "good", Nature(), HookFiles(), "", (), ()),),
    faults=Faults(),
    mishaps=(),
    wishes=(),
    calm_after=60.0,
)
SICK = replace(STORY.candidates[0], kind="sick", nature=Nature(healthy=False))
BREAKS = [
    ("rule 1", too_many_at_once, STORY),
    ("rule 2", no_health_check, STORY),
    ("rolled out again", nothing_is_blocked, replace(STORY, candidates=(SICK,), wishes=(Wish(50.0, "deploy"),))),
    ("rule 4", no_end_of_a_step_is_seen, STORY),
    ("rule 6", no_signature_is_checked, replace(STORY, mishaps=(Mishap(1.0, "forgery", "web-2"),))),
    (
        "rule 8",
        a_restart_done_again,
        replace(STORY, mishaps=(Mishap(0.0, "agent-dies-in-step", "web-1", stage=Stage.RESTART, late=True),)),
    ),
]


@pytest.mark.parametrize(("words", "sabotage", "story"), BREAKS, ids=[one.__name__ for _, one, _ in BREAKS])
def test_the_rules_notice_what_is_broken_on_purpose(
    words: str, sabotage: Callable[[pytest.MonkeyPatch], None], story: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(story)
    sabotage(monkeypatch)
    with pytest.raises(AssertionError, match=words):
        play(story)
