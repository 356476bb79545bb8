"""Hosts that go to their release once a rollout is over: one word at a time is on its way, and the limits are kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from noonday_coordinator.core import commands as c
from noonday_coordinator.core import events as e
from noonday_coordinator.core.clock_set import view_moved
from noonday_coordinator.core.coming_home import plan_reconcile
from noonday_coordinator.core.lost import held_back
from noonday_coordinator.core.state import HostState
from noonday_coordinator.core.view import CATCH_UP, View
from noonday_coordinator.outgoing import Outgoing
from support.odd_hosts import done, put_back, told
from support.story import NEW, OTHER, Story

WORD = 30.0
"""Seconds for which what is said to such a host holds."""


def on_new(hosts: int = 3, **changes: Any) -> Story:
    """All serve the new release, and that was a while ago."""
    story = Story(hosts, examine=0, **changes)
    story.deploy()
    done(story)
    story.passing(1000.0)
    return story


class Said:
    """What is said, as the engine says it."""

    def __init__(self, story: Story) -> None:
        self._story = story
        self._outgoing = Outgoing(lambda app, release: "")
        list(self._outgoing.due(story.state, story.view, story.now))
        story.passing(5.0)

    def now(self) -> list[str]:
        """Hosts to which a word goes out now."""
        story = self._story
        due = [one.host for one in self._outgoing.due(story.state, story.view, story.now)]
        story.view = replace(story.view, on_its_way=self._outgoing.on_its_way)
        return due


def test_a_host_whose_turn_would_come_first_waits_until_what_was_said_to_another_is_void() -> None:
    story = on_new()
    said = Said(story)
    put_back(story, "web-2")
    assert said.now() == ["web-2"]
    put_back(story, "web-1")
    assert said.now() == []
    story.passing(WORD - 1.0)
    assert said.now() == []
    story.passing(2.0)
    assert said.now() == ["web-1"]


def test_one_that_falls_ill_waits_for_it_too() -> None:
    story = on_new()
    said = Said(story)
    for name in ("web-1", "web-2"):
        put_back(story, name)
    assert said.now() == ["web-1"]
    story.report("web-2", healthy=False)
    assert said.now() == []
    story.passing(WORD + 1.0)
    assert said.now() == ["web-2"]


def test_once_it_was_taken_up_nobody_waits_for_the_rest_of_its_time() -> None:
    story = on_new()
    said = Said(story)
    put_back(story, "web-2")
    assert said.now() == ["web-2"]
    story.takes("web-2")
    said.now()
    put_back(story, "web-2")
    put_back(story, "web-1")
    assert said.now() == ["web-1"]


def test_a_clock_that_is_set_makes_that_wait_neither_longer_nor_shorter() -> None:
    for by in (-900.0, 900.0):
        story = on_new()
        said = Said(story)
        put_back(story, "web-2")
        assert said.now() == ["web-2"]
        put_back(story, "web-1")
        story.keep(e.ClockSet(by))
        story.view = view_moved(story.view, by)
        said._outgoing.clock_set(by)
        story.now += by
        story.passing(WORD - 1.0)
        assert said.now() == []
        story.passing(2.0)
        assert said.now() == ["web-1"]


def test_after_a_restart_of_the_coordinator_nobody_goes_before_what_the_last_one_said_is_void() -> None:
    story = on_new()
    for name in ("web-1", "web-2"):
        put_back(story, name)
    story.view = View(since=story.now)
    story.passing(WORD - 1.0)
    assert told(story) == []
    story.passing(2.0)
    assert told(story) == ["web-1"]


def test_alone_it_waits_for_no_word_that_a_coordinator_before_may_have_said() -> None:
    story = on_new()
    put_back(story, "web-1")
    story.view = View(since=story.now)
    story.passing(1.0)
    assert told(story) == ["web-1"]


def test_no_more_leave_than_leaves_as_many_as_must_be_well_though_another_is_dead() -> None:
    story = on_new(4, max_unavailable=2, min_healthy=3)
    put_back(story, "web-1")
    story.passing(WORD + 1.0, silent=["web-4"])
    assert told(story) == []
    story.passing(1000.0, silent=["web-4"])
    words = held_back(story.state, story.view, "web-1", "web", story.now)
    assert "web-4 was not heard for" in words
    story.passing(1.0)
    assert told(story) == ["web-1"]


def test_that_holds_where_another_was_removed_or_drained_as_well() -> None:
    story = on_new(4, max_unavailable=2, min_healthy=3)
    story.ask(c.Remove("web-4"))
    story.names = ("web-1", "web-2", "web-3")
    story.settle()
    put_back(story, "web-1")
    assert told(story) == []
    story.passing(1000.0)
    words = held_back(story.state, story.view, "web-1", "web", story.now)
    assert "min_healthy = 3 of 3 hosts keeps each of the 3 in service" in words
    assert words.endswith("Enroll another host, or lower min_healthy in the app's policy and deploy again")
    (why,) = plan_reconcile(story.state, story.view, story.policy, now=story.now).not_now.values()
    assert why.startswith("it is told to serve 1.1.0 as soon as another one serves and there is room; min_healthy = 3")
    drained = on_new(4, max_unavailable=2, min_healthy=3)
    drained.ask(c.DrainHost("web-4"))
    drained.settle()
    drained.takes("web-4")
    put_back(drained, "web-1")
    assert told(drained) == []


def given_up() -> Story:
    """web-1 of four has a release that was aborted, and did not go back in its time."""
    story = Story(4, examine=600, max_unavailable=2, min_healthy=3, host_within=100)
    story.deploy()
    story.all_take()
    story.takes("web-1")
    story.passing(60.0, silent=story.names)
    story.ask(c.Abort("web", ""))
    story.settle()
    story.passing(160.0, silent=story.names)
    assert story.where("web-1") is HostState.LOST
    return story


def test_no_host_keeps_a_release_that_went_back_because_another_is_dead_or_was_removed() -> None:
    story = given_up()
    story.passing(1.0, silent=["web-4"])
    assert "web-1" in told(story)
    story = given_up()
    story.ask(c.Remove("web-4"))
    story.names = story.names[:3]
    story.passing(1.0)
    assert "web-1" in told(story)


def test_one_that_an_operator_drained_carries_no_load_of_which_a_percentage_could_be() -> None:
    story = Story(4, examine=0, offline="skip", max_unavailable="50%")
    story.ask(c.DrainHost("web-4"))
    story.settle()
    story.takes("web-4")
    goes_on_without_web_4(story)
    for name in ("web-1", "web-2"):
        put_back(story, name)
    assert told(story) == ["web-1"]


def test_dead_hosts_that_came_since_carry_none_either() -> None:
    story = on_new(4, max_unavailable="50%", catch_up=False)
    more = tuple(f"web-{n}" for n in range(5, 9))
    for name in more:
        story.enroll(name)
        story.report(name, live=NEW.id, proven=NEW)
    story.passing(1000.0, silent=more)
    for name in ("web-1", "web-2", "web-3"):
        put_back(story, name)
    assert told(story) == ["web-1", "web-2"]


def test_what_a_host_was_to_prepare_takes_it_out_of_nothing() -> None:
    story = on_new()
    said = Said(story)
    story.deploy(OTHER.version)
    said.now()
    story.ask(c.Abort("web", ""))
    story.settle()
    said.now()
    for name in ("web-1", "web-2"):
        story.takes(name)
    put_back(story, "web-1")
    put_back(story, "web-3")
    story.passing(WORD + 1.0)
    assert said.now() == ["web-1"]


def test_what_an_operator_let_in_may_leave_for_that_until_it_was_taken_up() -> None:
    story = on_new()
    said = Said(story)
    story.ask(c.DrainHost("web-2"))
    story.settle()
    said.now()
    story.takes("web-2")
    story.ask(c.UndrainHost("web-2"))
    story.settle()
    assert said.now() == ["web-2"]
    story.passing(3.0)
    put_back(story, "web-2")
    put_back(story, "web-1")
    assert "web-1" not in said.now()


def test_nobody_is_told_before_it_is_known_what_hosts_said_while_nobody_listened() -> None:
    story = on_new()
    put_back(story, "web-1")
    story.view = View(since=story.now)
    assert told(story) == []
    story.passing(CATCH_UP)
    assert told(story) == ["web-1"]
    story.view = replace(story.view, deaf=True).back(story.now)
    assert told(story) == []


def test_a_host_in_service_whose_app_is_ill_is_named_though_it_came_since() -> None:
    story = on_new(2, catch_up=False)
    story.ask(c.Remove("web-2"))
    story.enroll("web-9")
    story.report("web-9", live=NEW.id, proven=NEW, healthy=False)
    story.names = ("web-1", "web-9")
    put_back(story, "web-1")
    story.passing(2000.0)
    words = held_back(story.state, story.view, "web-1", "web", story.now)
    assert "web-9 is in service, but its app is not well" in words


def leaves_one_out(**changes: Any) -> Story:
    """The rollout of four went on without web-4."""
    story = Story(4, examine=0, offline="skip", **changes)
    story.passing(WORD + 1.0, silent=["web-4"])
    goes_on_without_web_4(story)
    story.passing(WORD + 1.0, silent=["web-4"])
    return story


def goes_on_without_web_4(story: Story) -> None:
    story.deploy()
    for _ in range(30):
        for name in story.rollout.in_state(HostState.WAITING, HostState.WORKING):
            story.takes(name)
    assert (story.rollout.end, story.rollout.skipped) == (e.End.DONE, ("web-4",))
    for name in story.names[:3]:
        story.takes(name)


def test_one_that_was_left_out_and_then_removed_keeps_nobody_away() -> None:
    story = leaves_one_out(min_healthy="50%")
    put_back(story, "web-1")
    story.keep(e.HostRemoved("web-4"))
    story.names = story.names[:3]
    assert told(story) == ["web-1"]


def test_one_that_was_left_out_and_is_heard_again_but_out_holds_up_others() -> None:
    story = leaves_one_out(catch_up=False)
    put_back(story, "web-1")
    assert told(story) == ["web-1"]
    story.report("web-4", in_service=False)
    assert told(story) == []
    story.passing(2000.0)
    assert "web-4 is out of service" in held_back(story.state, story.view, "web-1", "web", story.now)
    story.report("web-4", in_service=True)
    assert told(story) == ["web-1"]


def test_a_new_host_that_never_served_holds_up_nobody() -> None:
    story = on_new(catch_up=False)
    story.enroll("web-9")
    story.report("web-9", live="", proven=None, in_service=False)
    put_back(story, "web-1")
    assert told(story) == ["web-1"]
