"""A host that could not be heard is to try again, and the rollout goes back before that: the old word is void."""

from __future__ import annotations

from noonday_coordinator.core import commands as c
from noonday_coordinator.core import events as e
from noonday_coordinator.core.astray import astray
from noonday_coordinator.core.lost import held_back, valid_until
from noonday_coordinator.core.state import HostState
from noonday_shared.messages import Outcome
from support.story import NEW, OLD, OLDER, OTHER, Story

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


def take_up(story: Story, but: str = "") -> Story:
    """All hosts but one take up what they were told, until nobody is told anything more."""
    for name in story.names * 3:
        if name != but and not story.on(name).taken:
            story.takes(name)
    return story


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


def test_one_that_put_its_previous_release_back_itself_keeps_nobody_waiting_on_the_way_back() -> None:
    story = Story(2, canary=2, examine=0, on_regression="ask")
    story.deploy()
    story.all_take()
    story.takes("web-1")
    story.takes("web-2", Outcome.REVERTED)
    story.report("web-1", healthy=False, in_service=False)
    story.ask(c.Promote("web"))
    story.settle()
    assert story.where("web-2") is HostState.PREPARED
    aborted(story)
    story.takes("web-1", Outcome.FAILED, in_service=False)
    assert (story.rollout.end, story.where("web-2")) == (e.End.FAILED, HostState.PREPARED)
    assert "Could not be brought back: web-1" in story.rollout.reason


def nothing_proven() -> Story:
    """web-2 serves what somebody else put there, was told 1.1.0, let that pass, and the rollout was aborted."""
    story = Story(4, canary=2, examine=0, host_within=300, on_regression="ask")
    story.report("web-2", live="", proven=None)
    story.deploy()
    story.all_take()
    story.takes("web-1")
    story.passing(LATE, silent=["web-2"])
    story.ask(c.Promote("web"))
    story.settle()
    story.ask(c.Pause("web"))
    story.hear("web-2")
    return take_up(aborted(story), but="web-2")


def test_one_with_nothing_proven_whose_word_is_void_is_named_and_promised_nothing() -> None:
    story = nothing_proven()
    story.passing(20 * LATE)
    (found,) = astray(story.state, story.state.app("web"), story.policy)
    assert (found.host, found.told) == ("web-2", "")
    assert held_back(story.state, story.view, "web-2", "web", story.now) == ""


def test_a_void_word_keeps_no_other_from_its_release() -> None:
    story = nothing_proven()
    story.report("web-1", generation=1, live=OLDER.id, proven=OLDER)
    assert is_told(story, "web-1")
    assert not is_told(story, "web-2")


def test_one_that_stays_and_whose_disk_is_put_back_is_not_told_to_stay_on_that() -> None:
    story = Story(3, examine=60)
    story.deploy()
    story.all_take()
    story.takes("web-1")
    take_up(aborted(story))
    story.passing(LATE)
    story.report("web-3", generation=1, live=OLDER.id, proven=OLDER)
    story.settle()
    assert (story.where("web-3"), story.assigned("web-3").release) == (HostState.PREPARED, OLD)


def test_one_that_took_it_up_unheard_is_brought_back_also_by_a_rollout_that_took_over() -> None:
    story = to_try_again()
    story.ask(c.Pause("web"))
    story.report("web-2", generation=story.assigned("web-2").generation, live=NEW.id, proven=NEW)
    story.deploy("1.2.0", supersede=True)
    assert set(story.rollout.half_rolled) == {"web-1", "web-2"}


def test_one_that_was_given_up_on_waits_while_another_rollout_may_be_taking_somebody_out() -> None:
    story = Story(4, canary=1, examine=0, host_within=100, catch_up=False)
    story.deploy()
    story.all_take()
    story.takes("web-1")
    story.takes("web-2")
    story.ask(c.Abort("web"))
    story.settle()
    for _ in range(4):
        take_up(story, but="web-2")
        story.passing(100.0, silent=["web-2"])
    assert story.where("web-2") is HostState.LOST
    story.hear("web-2")
    assert is_told(story, "web-2")
    story.report("web-4", live=OTHER.id)
    story.ask(c.Reconcile("web", story.policy))
    story.settle()
    assert story.rollout.members == ("web-4",)
    assert not is_told(story, "web-2")
