"""A host that waits for room to be told again does so no longer than one host may take, without a word."""

from __future__ import annotations

from noonday_coordinator.core import commands as c
from noonday_coordinator.core import events as e
from noonday_coordinator.core.clock_set import view_moved
from noonday_coordinator.core.lost import held_back
from noonday_coordinator.core.state import HostState
from noonday_shared.messages import Outcome
from support.story import NEW, OLD, Story

WITHIN = 100.0


def words(story: Story, name: str = "web-1") -> str:
    return held_back(story.state, story.view, name, "web", story.now)


def late(story: Story, name: str = "web-1") -> float:
    """Seconds since it was told, from which on it waits too long."""
    return story.assigned(name).deadline + WITHIN


def given_up() -> Story:
    """web-1 was to go back and was not heard in its time; it is heard again, when web-2 is out of service."""
    story = Story(examine=600, host_within=WITHIN)
    story.deploy()
    story.all_take()
    story.takes("web-1")
    story.passing(60.0, silent=story.names)
    story.ask(c.Abort("web", ""))
    story.settle()
    story.passing(WITHIN + 60.0, silent=story.names)
    assert story.where("web-1") is HostState.LOST
    story.report("web-2", in_service=False)
    return story


def test_one_that_was_given_up_on_waits_no_longer_than_a_host_may_take_before_that_is_said() -> None:
    story = given_up()
    story.passing(late(story) - 1.0)
    assert words(story) == ""
    story.passing(2.0)
    assert words(story).startswith("web-1 was to serve web 1.0.0 201 s ago, and did not take it up: web-2 is out of")
    assert words(story).endswith(
        ". It stays as it is, and is told again once another one serves and there is room. Mend those (noonday hosts), "
        "or: noonday remove HOST"
    )


def test_a_clock_that_is_set_makes_it_neither_longer_nor_shorter() -> None:
    for by in (-900.0, 900.0):
        story = given_up()
        story.keep(e.ClockSet(by))
        story.view = view_moved(story.view, by)
        story.now += by
        story.passing(late(story) - 1.0)
        assert words(story) == ""
        story.passing(2.0)
        assert words(story)


def test_it_ends_nothing_and_is_over_with_the_wait() -> None:
    story = given_up()
    assert story.passing(late(story) + 1.0) == []
    assert words(story)
    story.report("web-2", in_service=True)
    story.takes("web-1")
    assert words(story) == ""


def test_nothing_is_said_of_one_that_is_silent_nor_before_a_new_coordinator_could_hear_it() -> None:
    story = given_up()
    story.passing(late(story) + 1.0, silent=["web-1"])
    assert words(story) == ""
    story.view = type(story.view)(since=story.now)
    story.passing(1.0)
    assert words(story) == ""
    story.passing(story.policy.unreachable_after)
    assert words(story)


def test_one_that_has_room_and_takes_nothing_up_is_named_too() -> None:
    story = given_up()
    story.report("web-2", in_service=True)
    story.passing(late(story) + 1.0)
    assert words(story).endswith("though it is told again and again. On web-1: noonday-agent status")


def test_one_whose_disk_was_put_back_and_that_has_no_room_is_named() -> None:
    story = Story(examine=0, host_within=WITHIN)
    story.deploy()
    for _ in range(3):
        story.all_take()
    assert story.rollout.end is not None
    story.report("web-2", in_service=False)
    story.report("web-1", generation=1, outcome=Outcome.DONE, live=OLD.id, proven=OLD, prepared=(OLD.id,))
    story.passing(late(story) + 1.0)
    assert f"was to serve web {NEW.version}" in words(story)
    assert "web-2 is out of service" in words(story)
    assert words(story, "web-3") == ""


def test_one_whose_turn_comes_after_that_of_another_names_it() -> None:
    story = Story(examine=0, host_within=WITHIN)
    story.deploy()
    for _ in range(3):
        story.all_take()
    assert story.rollout.end is not None
    for name in ("web-1", "web-2"):
        story.report(name, generation=1, outcome=Outcome.DONE, live=OLD.id, proven=OLD, prepared=(OLD.id,))
    story.passing(late(story, "web-2") + 1.0)
    assert words(story).endswith("though it is told again and again. On web-1: noonday-agent status")
    assert "and did not take it up: web-1 goes first, and did not yet take up what it was told. " in words(
        story, "web-2"
    )


def test_of_a_host_that_was_removed_meanwhile_nothing_is_said() -> None:
    story = given_up()
    story.passing(1000.0)
    story.keep(e.HostRemoved("web-1"))
    assert words(story) == ""
