"""A host that could not be heard is to try again, and the rollout goes back before that: the old word is void."""

from __future__ import annotations

from noonday_coordinator.core import commands as c
from noonday_coordinator.core import events as e
from noonday_coordinator.core.lost import valid_until
from noonday_coordinator.core.state import HostState
from support.story import NEW, OLD, Story

LATE = 700.0


def to_try_again() -> Story:
    """web-1 and web-2 were told to serve 1.1.0; web-2 fell silent, and a person said that it may try again."""
    story = Story(3, canary=2, examine=0, host_within=300, on_regression="ask")
    story.deploy()
    story.all_take()
    story.takes("web-1")
    story.passing(LATE, silent=["web-2"])
    assert story.where("web-2") is HostState.FAILED
    story.ask(c.Promote("web"))
    story.passing(1.0, silent=["web-2"])
    assert story.where("web-2") is HostState.PREPARED
    return story


def is_told(story: Story, name: str) -> bool:
    return valid_until(story.state, story.view, name, "web", story.now, 900.0) > story.now


def aborted(story: Story) -> Story:
    story.ask(c.Abort("web"))
    story.settle()
    return story


def test_its_old_word_is_not_said_again_while_the_rollout_is_held_though_it_is_out() -> None:
    story = to_try_again()
    story.ask(c.Pause("web"))
    story.report("web-2", in_service=False)
    story.passing(LATE)
    assert (story.where("web-2"), is_told(story, "web-2")) == (HostState.PREPARED, False)


def test_after_an_abort_one_that_is_heard_again_and_let_it_pass_stays_on_what_it_serves() -> None:
    story = to_try_again()
    story.ask(c.Pause("web"))
    story.hear("web-2")
    aborted(story)
    story.takes("web-1")
    assert (story.rollout.end, story.where("web-2")) == (e.End.ABORTED, HostState.PREPARED)
    assert (story.assigned("web-2").release, story.assigned("web-2").stay) == (OLD, True)


def test_after_an_abort_one_that_stays_silent_is_told_to_go_back_as_it_may_serve_the_release() -> None:
    story = aborted(to_try_again())
    story.takes("web-1")
    story.passing(LATE, silent=["web-2"])
    assert (story.where("web-2"), story.assigned("web-2").release) == (HostState.LOST, OLD)
    assert "web-2" in story.rollout.reason


def test_after_an_abort_one_that_took_it_up_unheard_is_brought_back() -> None:
    story = to_try_again()
    story.ask(c.Pause("web"))
    story.report("web-2", generation=story.assigned("web-2").generation, live=NEW.id, proven=NEW)
    aborted(story)
    story.takes("web-1")
    assert (story.where("web-2"), story.assigned("web-2").release) == (HostState.GOING_BACK, OLD)
