"""Nobody is served by an app that fails its own health check, though a balancer without one lets requests in to it: the
last host in service whose app is well stays there."""

from __future__ import annotations

import pytest

from noonday_coordinator.api.waiting import waiting_for
from noonday_coordinator.core import commands as c
from noonday_coordinator.core import events as e
from noonday_coordinator.core.lost import valid_until
from noonday_coordinator.core.state import HostState
from noonday_shared.errors import BadInput
from noonday_shared.messages import Outcome
from support.story import NEW, OLD, Story, only


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
