"""Nobody is served by an app that fails its own health check, though a balancer without one lets requests in to it: the
last host in service whose app is well stays there."""

from __future__ import annotations

from typing import Any

import pytest

from noonday_coordinator.api.waiting import waiting_for
from noonday_coordinator.core import commands as c
from noonday_coordinator.core import events as e
from noonday_coordinator.core.lost import valid_until
from noonday_coordinator.core.state import HostState
from noonday_shared.errors import BadInput
from noonday_shared.messages import Outcome
from support.story import NEW, OLD, OTHER, Story, only


def promoted(hosts: int) -> Story:
    """web-1, the canary, is in service with 1.1.0, which is ill; a person said yes to that."""
    story = Story(hosts, on_regression="ask", host_within=100)
    story.deploy()
    story.all_take()
    story.takes("web-1", healthy=True)
    story.report("web-1", healthy=False)
    story.judge("roll back", "health check failing for 4 s on web-1")
    story.settle()
    assert "health check failing" in story.rollout.asked
    story.ask(c.Promote("web"))
    story.settle()
    story.judge("promote")
    story.passing(61.0)
    return story


def test_the_last_host_whose_app_is_well_stays_though_an_ill_one_is_in_service_and_a_person_said_yes() -> None:
    story = promoted(2)
    assert story.moving() == []
    why = "web-1 is in service, but its app is not well"
    assert why in waiting_for(story.rollout, story.state, story.view, story.now)
    (asked,) = only(story.passing(100.0), e.Asked)
    assert f"to drain web-2, in vain: {why}. Mend them" in asked.question
    story.report("web-1", healthy=True)
    story.settle()
    assert story.moving() == ["web-2"]


def test_where_another_one_is_well_an_ill_host_holds_nobody_up() -> None:
    assert promoted(3).moving() == ["web-2"]


def test_a_rollback_does_not_take_the_last_well_host_out_though_it_begins_with_another_that_fell_ill() -> None:
    story = Story(2, examine=0)
    story.deploy()
    story.all_take()
    for name in (*story.names, *story.names):
        story.takes(name)
    story.rollback()
    story.all_take()
    assert story.moving() == ["web-2"]
    story.takes("web-2", healthy=False)
    assert (story.where("web-2"), story.moving()) == (HostState.SERVING, [])
    story.report("web-2", healthy=True)
    story.settle()
    assert story.moving() == ["web-1"]


def test_the_way_back_leaves_the_last_well_host_where_it_is() -> None:
    story = Story(2, host_within=100)
    story.deploy()
    story.all_take()
    story.takes("web-1", healthy=True)
    story.report("web-2", healthy=False)
    story.ask(c.Abort("web"))
    assert story.settle() == []
    (ended,) = only(story.passing(100.0), e.RolloutEnded)
    assert "web-1 is the last host that serves well, so it keeps 1.1.0" in ended.reason


def test_where_all_are_in_service_and_ill_a_good_release_still_goes_out_and_a_bad_one_goes_back() -> None:
    story = Story(3)
    for name in story.names:
        story.report(name, healthy=False)
    story.deploy()
    story.all_take()
    assert story.moving() == ["web-1"]
    story.takes("web-1", healthy=False)
    story.judge("roll back", "health check failing")
    story.settle()
    assert (story.moving(), story.assigned("web-1").release) == (["web-1"], OLD)
    story.takes("web-1", healthy=False)
    assert story.rollout.end is e.End.ROLLED_BACK


def test_an_operator_can_t_drain_the_last_host_that_is_well_but_may_drain_an_ill_one() -> None:
    story = Story(2)
    story.report("web-2", healthy=False)
    with pytest.raises(BadInput, match="web-1 is the last host of web in service that is well") as refused:
        story.ask(c.DrainHost("web-1"))
    assert refused.value.rule == "last-in-service"
    assert story.ask(c.DrainHost("web-2"))


def told(story: Story, name: str) -> bool:
    return valid_until(story.state, story.view, name, "web", story.now, 900.0) > story.now


def test_of_hosts_that_were_put_back_the_ill_are_told_first_and_the_last_well_one_waits() -> None:
    story = Story(2, examine=0)
    story.deploy()
    story.all_take()
    for name in (*story.names, *story.names):
        story.takes(name)
    for name, healthy in zip(story.names, (True, False), strict=True):
        story.report(name, generation=1, outcome=Outcome.DONE, live=OLD.id, proven=OLD, healthy=healthy)
    assert (told(story, "web-1"), told(story, "web-2")) == (False, True)
    story.takes("web-2", healthy=True)
    assert told(story, "web-1")
    assert story.assigned("web-1").release == NEW


def alone_and_ill(hosts: int = 3, **changes: Any) -> Story:
    """The canary, in service with 1.1.0 and ill, goes back, and the others went out for reasons of their own."""
    story = Story(hosts, host_within=100, **changes)
    story.deploy()
    story.all_take()
    story.takes("web-1", healthy=True)
    for name in story.names[1:]:
        story.report(name, in_service=False)
    story.report("web-1", healthy=False)
    story.judge("roll back", "health check failing for 4 s on web-1")
    story.settle()
    assert story.rollout.stage is e.Stage.ROLLING_BACK
    return story


def test_the_way_back_leaves_an_ill_host_where_it_is_while_nobody_else_is_in_service() -> None:
    story = alone_and_ill()
    assert story.moving() == []
    story.report("web-3", in_service=True, healthy=None)
    story.settle()
    assert story.moving() == ["web-1"]


def test_an_ill_canary_goes_back_though_the_agent_of_the_only_other_host_is_silent() -> None:
    story = Story(2)
    story.deploy()
    story.all_take()
    story.takes("web-1", healthy=True)
    story.passing(story.policy.unreachable_after + 1, silent=["web-2"])
    story.report("web-1", healthy=False)
    story.judge("roll back", "health check failing for 4 s on web-1")
    story.settle()
    assert story.moving() == ["web-1"]


def test_a_well_canary_does_not_go_back_while_the_only_other_host_is_silent() -> None:
    story = Story(2)
    story.deploy()
    story.all_take()
    story.takes("web-1", healthy=True)
    story.passing(story.policy.unreachable_after + 1, silent=["web-2"])
    story.judge("roll back", "an error that is new with 1.1.0")
    story.settle()
    assert story.moving() == []


def test_that_does_not_last_for_ever_but_ends_by_name() -> None:
    (ended,) = only(alone_and_ill().passing(100.0), e.RolloutEnded)
    assert "web-1 is the last host in service, so it keeps 1.1.0" in ended.reason


def test_the_only_host_that_there_is_goes_back_also_while_it_is_ill() -> None:
    assert alone_and_ill(1, allow_outage=True).moving() == ["web-1"]


def test_of_two_that_are_in_service_and_ill_one_goes_back_and_the_other_stays() -> None:
    story = Story(4, examine=0, max_unavailable=2)
    story.deploy()
    story.all_take()
    for name in ("web-1", "web-2", "web-3"):
        story.takes(name)
    for name in ("web-1", "web-2"):
        story.report(name, healthy=False)
    story.report("web-3", in_service=False)
    story.ask(c.Abort("web"))
    story.settle()
    for name in ("web-3", "web-4"):
        told = story.assigned(name).generation
        story.report(name, term=story.state.term, generation=told, outcome=Outcome.DONE, in_service=False)
    story.settle()
    assert story.moving() == ["web-2"]


def test_an_ill_one_that_was_put_back_is_not_told_while_nobody_else_is_in_service() -> None:
    story = Story(3, examine=0)
    story.deploy()
    story.all_take()
    for name in (*story.names, *story.names):
        story.takes(name)
    story.report("web-1", generation=1, outcome=Outcome.DONE, live=OLD.id, proven=OLD, healthy=False)
    story.passing(60.0, silent=["web-2", "web-3"])
    assert not told(story, "web-1")
    story.hear("web-2")
    assert told(story, "web-1")


def test_one_that_put_back_another_release_than_all_go_back_to_does_not_leave_as_the_last_one() -> None:
    story = Story(3, on_regression="ask")
    story.report("web-1", live=OTHER.id, proven=OTHER)  # as after a way back that failed
    story.deploy()
    story.all_take()
    assert story.moving() == ["web-1"]
    for name in ("web-2", "web-3"):
        story.report(name, in_service=False)
    story.takes("web-1", Outcome.REVERTED)
    story.ask(c.Abort("web"))
    story.settle()
    assert (story.rollout.stage, story.moving()) == (e.Stage.ROLLING_BACK, [])
    for name in ("web-2", "web-3"):
        story.report(name, in_service=True)
    story.settle()
    assert story.moving() == ["web-1"]
