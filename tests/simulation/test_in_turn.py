"""Racks one after the other, failures that may happen, and a queue that somebody deleted."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace

import pytest
from simulation.broken import broken
from simulation.run import breaks, play
from simulation.script import Mishap, Script
from simulation.test_simulation import STORY
from simulation.variety import kinds, script

from noonday_coordinator.core.events import End

HOSTS = tuple(f"web-{n}" for n in range(1, 6))
GOOD = STORY.candidates[0]


@pytest.fixture(autouse=True)
def _quietly() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def in_racks(**changes: object) -> Script:
    """Rack a holds two hosts, b three. Up to three may be out, and of one rack as many as `changes` say."""
    policy = STORY.policy.model_copy(update={"group_by": "rack", "max_unavailable": 3, "canary": 1, **changes})
    return replace(STORY, hosts=HOSTS, racks=tuple(zip(HOSTS, "aabbb", strict=True)), policy=policy)


def with_ill_hosts(*names: str) -> Script:
    ill = replace(GOOD, kind="ill-somewhere", ill_on=names)
    policy = STORY.policy.model_copy(update={"max_failures": 1, "max_unavailable": 1})
    return replace(STORY, hosts=HOSTS, candidates=(ill,), policy=policy)


BREAKS = [
    ("rule 14", "racks-all-at-once", in_racks()),
    ("rule 14", "a-rack-has-no-limit", in_racks(group_limit=1)),
    ("rule 15", "failures-are-forgotten", with_ill_hosts("web-2", "web-3", "web-4")),
]


@pytest.mark.parametrize(("words", "name", "story"), BREAKS, ids=[name for _, name, _ in BREAKS])
def test_the_rules_of_racks_and_failures_notice_what_is_broken_on_purpose(words: str, name: str, story: Script) -> None:
    assert breaks(story) == ""
    with broken(name):
        assert breaks(story) == words


def test_a_host_whose_queue_somebody_deleted_is_told_all_the_same() -> None:
    story = replace(STORY, mishaps=(Mishap(8.0, "queue-deleted", "web-2"),), calm_after=200.0)
    world = play(story)
    assert world.mishaps.happened["queue-deleted"] == 1
    ends = [one.end for one in world.coordinator.engine.state.rollouts.values()]
    assert ends == [End.DONE, End.DONE]


def test_the_stories_have_racks_failures_that_may_happen_absent_hosts_and_impatient_operators() -> None:
    told = [kind for seed in range(1, 41) for kind in kinds(script(seed))]
    for kind in ("in racks", "failures may pass", "offline skip", "offline wait", "late hosts", "impatient"):
        assert told.count(kind) >= 3, kind
