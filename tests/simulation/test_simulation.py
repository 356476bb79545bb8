"""Whole stories, a seed each; more of them: `make simulate`. The rules themselves are tested by breaking what they
watch."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace

import pytest
from simulation.broken import broken
from simulation.host import Nature
from simulation.run import breaks, play, tell
from simulation.script import Candidate, Mishap, Script, Wish
from simulation.shrink import shrink
from simulation.variety import script

from noonday_agent.core.journal import Stage
from noonday_agent.core.limits import Limits
from noonday_coordinator.core.events import End
from noonday_shared.bus.memory import Faults
from noonday_shared.release.manifest import HookFiles
from support.story import NEW, policy

SEEDS, AT_ONCE = 152, 8
ROLLOUTS = 500
"""What `make test` plays at least."""
MOST = 20
"""Seeds within which what was broken on purpose is noticed; docs/simulation.md tells how many it took."""


@pytest.fixture(autouse=True)
def _quietly() -> Iterator[None]:
    """Thousands of refused forgeries and dead brokers are no news here, and to word them takes longer than to play."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture(scope="module")
def played() -> dict[int, int]:
    """By seed: how many rollouts its story held."""
    return {}


@pytest.mark.parametrize("first", range(1, SEEDS, AT_ONCE))
def test_every_rule_holds_after_every_event_and_all_is_well_in_the_end(first: int, played: dict[int, int]) -> None:
    for seed in range(first, first + AT_ONCE):
        played[seed] = len(play(script(seed)).coordinator.engine.state.rollouts)


def test_these_stories_hold_as_many_rollouts_as_is_claimed(played: dict[int, int]) -> None:
    """Counted where they were played: to play them again would double the time."""
    if len(played) < SEEDS:
        pytest.skip(f"only {len(played)} of {SEEDS} stories were played before this")
    assert sum(played.values()) >= ROLLOUTS


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
ILL_LATER = replace(
    STORY,
    hosts=("web-1", "web-2"),
    policy=STORY.policy.model_copy(update={"examine": 120.0, "unhealthy_for": 300.0}),
    checked=False,
    rate=0.0,
    candidates=(replace(STORY.candidates[0], kind="falls-ill", nature=Nature(falls_ill_after=12.0)),),
)
"""The canary is in service and ill, for less long than the policy puts up with."""
SICK = replace(STORY.candidates[0], kind="sick", nature=Nature(healthy=False))
BREAKS = [
    ("rule 1", "too-many-at-once", STORY),
    ("rule 1", "an-ill-one-serves", ILL_LATER),
    ("rule 2", "no-health-check", STORY),
    ("rule 3", "nothing-is-blocked", replace(STORY, candidates=(SICK,), wishes=(Wish(50.0, "deploy"),))),
    ("rule 4", "no-end-of-a-step-is-seen", STORY),
    ("rule 6", "no-signature-is-checked", replace(STORY, mishaps=(Mishap(1.0, "forgery", "web-2"),))),
    (
        "rule 8",
        "a-restart-done-again",
        replace(STORY, mishaps=(Mishap(0.0, "agent-dies-in-step", "web-1", stage=Stage.RESTART, late=True),)),
    ),
    (
        "rule 8",
        "hooks-run-again",
        replace(
            STORY,
            candidates=(replace(STORY.candidates[0], hooks=HookFiles(pre_activate="pre-1")),),
            mishaps=(Mishap(0.0, "agent-dies-in-step", "web-1", stage=Stage.PRE_ACTIVATE, late=True),),
        ),
    ),
    ("rule 9", "nobody-waits-for-requests", replace(STORY, longest_request=3.0)),
]


@pytest.mark.parametrize(("words", "name", "story"), BREAKS, ids=[name for _, name, _ in BREAKS])
def test_the_rules_notice_what_is_broken_on_purpose(words: str, name: str, story: Script) -> None:
    assert breaks(story) == ""
    with broken(name):
        assert breaks(story) == words


@pytest.mark.parametrize("name", ["too-many-at-once", "an-older-term-counts"])
def test_stories_that_know_nothing_of_it_find_what_is_broken(name: str) -> None:
    with broken(name):
        assert any(breaks(script(seed)) for seed in range(1, MOST + 1))


def test_an_abort_turns_a_host_back_whose_app_still_starts() -> None:
    slow = Mishap(0.0, "restart-hangs", "web-1", lasts=30.0)
    world = play(replace(STORY, mishaps=(slow,), wishes=(Wish(20.0, "abort"),)))
    assert world.mishaps.happened["operator: abort"] == 1
    assert [one.end for one in world.coordinator.engine.state.rollouts.values()][-1] is End.ABORTED
    assert len(world.hosts["web-1"].process.pids) == 2, "it started before all this, and on its way back"


def test_the_same_seed_makes_the_same_history() -> None:
    assert str(tell(script(7))[0].trail) == str(tell(script(7))[0].trail)


def test_a_story_that_fails_is_shrunk_to_what_it_needs() -> None:
    dies = Mishap(0.0, "agent-dies-in-step", "web-1", stage=Stage.RESTART, late=True)
    others = (Mishap(1.0, "broker-wiped", "web-2"), Mishap(2.0, "app-dies", "web-3"), Mishap(3.0, "forgery", "web-3"))
    long = replace(STORY, mishaps=(dies, *others), wishes=(Wish(30.0, "pause"),), longest_request=0.5)
    with broken("a-restart-done-again"):
        short = shrink(long, breaks)
    assert (short.mishaps, short.wishes) == ((dies,), ())
