"""A coordinator that was away: what hosts said meanwhile is in its queue, and is known before anything follows."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from noonday_coordinator.core import events as e
from noonday_coordinator.core.state import HostState
from noonday_coordinator.core.view import CATCH_UP, View
from support.story import NEW, Story


def replaced(story: Story) -> None:
    """Another coordinator begins to listen, and knows what the log says."""
    story.view = View(since=story.now, judgements=story.view.judgements)


def cut_off(story: Story) -> None:
    story.view = story.view.back(story.now)


AWAY = pytest.mark.parametrize("away", [replaced, cut_off])


def examined() -> Story:
    """The canary serves NEW, and nothing stands against it any more once the examine is over."""
    story = Story(3, examine=60)
    story.deploy()
    story.all_take()
    story.takes("web-1")
    assert story.rollout.stage is e.Stage.EXAMINING
    story.judge("promote")
    story.now += 600.0
    return story


@AWAY
def test_it_promotes_nothing_and_drains_nobody_before_it_has_caught_up(away: Callable[[Story], None]) -> None:
    story = examined()
    away(story)
    assert story.settle() == []
    story.passing(CATCH_UP)
    story.judge("promote")
    assert story.rollout.stage is e.Stage.ROLLING
    assert story.assigned("web-2").release == NEW


@AWAY
def test_a_canary_that_was_lost_meanwhile_takes_nobody_with_it(away: Callable[[Story], None]) -> None:
    story = examined()
    away(story)
    story.settle()
    story.report("web-1", in_service=False, healthy=False)
    story.passing(CATCH_UP)
    story.settle()
    assert story.rollout.in_state(HostState.WORKING) == ()


def test_a_host_is_not_told_to_go_by_what_was_known_before() -> None:
    story = Story(3, examine=0)
    story.deploy()
    for name in story.names[:-1]:
        story.takes(name)
    replaced(story)
    story.takes(story.names[-1])
    assert story.rollout.in_state(HostState.WORKING) == ()
    story.passing(CATCH_UP)
    assert story.rollout.in_state(HostState.WORKING) == ("web-1",)
