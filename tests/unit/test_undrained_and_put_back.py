"""Hosts that an operator drained and let in again, whose disks are put back later: no rollout makes room for them."""

from __future__ import annotations

from noonday_coordinator.core import commands as c
from noonday_coordinator.core import events as e
from noonday_coordinator.outgoing import Outgoing
from noonday_shared.messages import Assignment, Goal, Outcome, TroubleReport
from support.odd_hosts import put_back
from support.story import NEW, OLD, Story


def on_new_and_undrained() -> Story:
    """All serve NEW, and what each was told last is an operator's word."""
    story = Story(3, examine=0)
    story.deploy()
    while story.rollout.end is None:
        story.all_take()
    assert story.rollout.end is e.End.DONE
    story.all_take()
    for name in story.names:
        story.ask(c.DrainHost(name))
        story.settle()
        story.takes(name)
        story.ask(c.UndrainHost(name))
        story.settle()
        story.takes(name)
    return story


def words(story: Story) -> dict[str, Assignment]:
    due = Outgoing(lambda app, release: "").due(story.state, story.view, story.now)
    return {one.host: one for one in due}


def says_that_it_stays(story: Story, name: str) -> None:
    trouble = TroubleReport(rule="put-back", step="prepare", text="It was to stay.")
    generation, term = story.assigned(name).generation, story.state.term
    story.report(
        name, outcome=Outcome.FAILED, trouble=trouble, live=OLD.id, proven=OLD, generation=generation, term=term
    )
    story.settle()


def test_nobody_leaves_though_all_of_them_are_put_back_at_once() -> None:
    story = on_new_and_undrained()
    story.passing(100.0)
    for name in story.names:
        put_back(story, name)
    said = words(story)
    assert {name: (one.goal, one.release) for name, one in said.items()} == dict.fromkeys(
        story.names, (Goal.SERVING, NEW)
    )
    assert all(one.stay for one in said.values())


def test_they_come_home_in_their_turn_once_they_said_so() -> None:
    story = on_new_and_undrained()
    story.passing(100.0)
    for name in story.names:
        put_back(story, name)
    for name in story.names:
        says_that_it_stays(story, name)
    for _ in range(3):
        story.passing(31.0)
    assert (story.rollout.kind, story.rollout.end) == ("reconcile", None)
    assert len(story.rollout.hosts) == 1, "one after the other"


def test_one_that_is_out_is_let_in_as_ever() -> None:
    story = on_new_and_undrained()
    story.ask(c.DrainHost("web-1"))
    story.settle()
    story.takes("web-1", in_service=False, live=OLD.id)
    story.ask(c.UndrainHost("web-1"))
    story.settle()
    assert not words(story)["web-1"].stay
