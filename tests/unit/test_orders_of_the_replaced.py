"""A coordinator that was replaced and does not know it gives out numbers that its successor gives out too."""

from __future__ import annotations

from dataclasses import replace

from noonday_coordinator.core import commands as c
from noonday_coordinator.core import events as e
from noonday_coordinator.core.room import never_taken
from noonday_coordinator.core.state import HostState
from noonday_shared.messages import Goal, Outcome
from support.story import NEW, OLD, Story


def going_back() -> Story:
    """web-1 serves 1.1.0; another coordinator took over, and brings web-1 back."""
    story = Story(hosts=2)
    story.deploy()
    story.all_take()
    story.takes("web-1")
    story.keep(e.CoordinatorStarted(2))
    story.ask(c.Abort("web"))
    story.settle()
    assert story.rollout.hosts["web-1"].state is HostState.GOING_BACK
    assert story.assigned("web-1").release == OLD
    return story


def follows(story: Story, term: int, release: str) -> None:
    number = story.assigned("web-1").generation
    story.report("web-1", term=term, generation=number, outcome=Outcome.DONE, live=release)
    story.settle()


def test_the_end_of_an_order_of_theirs_is_no_answer_to_one_of_the_same_number() -> None:
    story = going_back()
    follows(story, term=1, release=NEW.id)
    assert story.rollout.hosts["web-1"].state is HostState.GOING_BACK
    assert not story.on("web-1").taken
    follows(story, term=2, release=OLD.id)
    assert story.state.rollouts["r2"].hosts["web-1"].state is HostState.BACK


def test_what_was_told_before_a_takeover_is_answered_also_by_who_has_not_heard_of_it() -> None:
    story = Story(hosts=2)
    story.deploy()
    story.all_take()
    story.keep(e.CoordinatorStarted(2))
    assert story.assigned("web-1").goal is Goal.SERVING
    follows(story, term=1, release=NEW.id)
    assert story.rollout.hosts["web-1"].state is HostState.SERVING


def test_an_agent_that_does_not_tell_its_term_is_believed() -> None:
    story = going_back()
    follows(story, term=0, release=OLD.id)
    assert story.state.rollouts["r2"].hosts["web-1"].state is HostState.BACK


def test_who_was_told_nothing_or_said_nothing_follows_nothing() -> None:
    told = going_back().on("web-1")
    assert not replace(told, report=None).taken
    assert not replace(told, assigned=None).taken


def test_who_follows_theirs_while_the_broker_was_away_was_not_reached_and_is_told_again() -> None:
    story = going_back()
    number = story.assigned("web-1").generation
    story.report("web-1", term=1, generation=number, outcome=Outcome.DONE, live=NEW.id)
    story.view = replace(story.view, deaf=True)
    story.now += story.assigned("web-1").deadline
    story.view = story.view.back(story.now)
    story.passing(1.0)
    assert story.assigned("web-1").generation > number
    assert story.rollout.hosts["web-1"].state is HostState.GOING_BACK


def test_who_follows_theirs_after_the_time_of_ours_was_over_never_took_ours() -> None:
    story = going_back()
    follows(story, term=1, release=NEW.id)
    assert not never_taken(story.view, story.on("web-1"))
    story.now += story.assigned("web-1").deadline + 1.0
    story.hear("web-1")
    assert never_taken(story.view, story.on("web-1"))
