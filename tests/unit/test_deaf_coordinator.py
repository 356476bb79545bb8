"""A coordinator that is cut off from the broker: silence means nothing then, and no release is blamed for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from noonday_coordinator.core import commands as c
from noonday_coordinator.core import events as e
from noonday_coordinator.core.absorb import GRACE
from noonday_coordinator.core.state import HostState
from noonday_coordinator.core.untold import MOST
from noonday_coordinator.core.view import MOST_ANEW
from noonday_shared.messages import Outcome
from support.story import OLD, Story, only

LONG = 100_000.0


def cut_off(story: Story, seconds: float = LONG) -> list[e.Event]:
    """Nothing can be heard or said for so long; what followed from that."""
    story.view = replace(story.view, deaf=True)
    found = story.settle()
    story.now += seconds
    found += story.settle()
    story.view = story.view.back(story.now)
    return found


def at_work() -> Story:
    """The canary was told to serve the new release."""
    story = Story()
    story.deploy()
    story.all_take()
    assert story.moving() == ["web-1"]
    return story


def test_a_host_that_worked_meanwhile_is_heard_before_its_release_is_blamed() -> None:
    story = at_work()
    assert cut_off(story) == []
    story.takes("web-1")
    assert story.where("web-1") is HostState.SERVING


def test_a_host_that_stays_silent_once_others_could_be_heard_is_given_up() -> None:
    story = at_work()
    cut_off(story)
    assert not only(story.passing(59.0, silent=["web-1"]), e.HostJudged)
    (judged, *_) = only(story.passing(2.0, silent=["web-1"]), e.HostJudged)
    assert (judged.host, judged.state) == ("web-1", HostState.FAILED)


def test_a_host_that_never_got_its_assignment_gets_it_again_once() -> None:
    story = at_work()
    first = story.assigned("web-1")
    cut_off(story)
    (again,) = only(story.passing(1.0), e.Assigned)
    assert (again.host, again.goal, again.release) == ("web-1", first.goal, first.release)
    assert again.generation > first.generation
    assert story.passing(1.0) == []
    story.takes("web-1")
    assert story.where("web-1") is HostState.SERVING


def test_a_host_that_took_it_up_meanwhile_is_not_told_again() -> None:
    story = at_work()
    cut_off(story)
    assert story.takes("web-1", Outcome.WORKING) == []
    assert story.passing(1.0) == []


def test_a_host_that_does_not_take_up_what_it_could_hear_is_given_up_all_the_same() -> None:
    story = at_work()
    cut_off(story)
    story.passing(1.0)
    gone_by = story.assigned("web-1").deadline
    (judged, *_) = only(story.passing(gone_by + 61.0), e.HostJudged)
    assert judged.state is HostState.FAILED


def test_a_host_that_takes_nothing_up_is_given_up_though_the_broker_comes_and_goes() -> None:
    story = at_work()
    began, within = story.now, story.assigned("web-1").deadline
    while story.where("web-1") is HostState.WORKING and story.now < began + 20 * within:
        cut_off(story, 10.0)
        story.passing(within / 2)
        story.passing(within / 2)
    assert story.where("web-1") is HostState.GOING_BACK, "its release went back"
    assert story.now <= began + (MOST + 2) * (within + 10.0)


def test_a_person_who_has_it_try_again_loses_no_message_and_has_it_told_again_as_often() -> None:
    story = Story(on_regression="ask")
    story.deploy()
    story.all_take()
    for _ in range(2 * MOST):
        story.takes("web-1", Outcome.REVERTED)
        story.ask(c.Promote("web", "it may be the network"))
        story.settle()
        assert (story.moving(), story.on("web-1").told_again) == (["web-1"], 0)
    cut_off(story)
    story.passing(1.0)
    assert story.on("web-1").told_again == 1


def flapping(story: Story, seconds: float, silent: str) -> None:
    """The broker comes and goes more often than hosts get time to be heard, for so long."""
    until = story.now + seconds
    while story.now < until:
        cut_off(story, 10.0)
        story.passing(20.0, silent=[silent])


def test_a_broker_that_comes_and_goes_all_the_time_ends_no_wait_early_and_none_never() -> None:
    story = at_work()
    over = story.now + story.assigned("web-1").deadline + GRACE
    flapping(story, over - story.now + GRACE, "web-1")
    assert story.where("web-1") is HostState.WORKING
    flapping(story, (MOST_ANEW + 1) * GRACE, "web-1")
    assert story.rollout.hosts["web-1"].reason.startswith("no end of its step was reported in")


def test_nor_does_the_wait_for_hosts_to_prepare() -> None:
    story = Story(prepare_within=100.0)
    story.deploy()
    flapping(story, 100.0 + (MOST_ANEW + 1) * story.policy.unreachable_after, "web-2")
    assert story.rollout.end is e.End.FAILED
    assert "web-2" in story.rollout.reason


def test_a_rollout_that_begins_after_much_of_that_gives_hosts_their_time_all_the_same() -> None:
    story = Story()
    flapping(story, 3600.0, "")
    story.now += 1.0
    story.deploy()
    cut_off(story, 10.0)
    assert story.passing(story.policy.unreachable_after - 1.0, silent=["web-2"]) == []


@pytest.mark.parametrize("kind", ["prepare", "examine", "drain"])
def test_no_wait_for_hosts_ends_while_nothing_can_be_heard(kind: str) -> None:
    story = Story()
    story.deploy()
    if kind != "prepare":
        story.all_take()
    if kind == "examine":
        story.takes("web-1")
        story.judge("hold", "too few")
    if kind == "drain":
        story.takes("web-1")
        story.judge("promote")
        story.passing(61.0, silent=["web-3"])
    before = story.rollout.stage
    assert cut_off(story) == []
    assert (story.rollout.stage, story.rollout.asked) == (before, "")


def test_a_way_back_is_not_given_up_while_nothing_can_be_heard() -> None:
    story = at_work()
    story.takes("web-1")
    story.rollback("it is bad")
    assert story.where("web-1") is HostState.GOING_BACK
    assert cut_off(story) == []
    story.takes("web-1")
    report = story.on("web-1").report
    assert (story.rollout.end, report and report.proven) == (e.End.ROLLED_BACK, OLD)


def test_the_last_one_that_serves_well_is_not_told_again_before_another_one_does() -> None:
    story = at_work()
    cut_off(story)
    for name in ("web-2", "web-3"):
        story.report(name, healthy=False)
    assert not only(story.passing(1.0), e.Assigned)
    assert not story.passing(GRACE + 5.0), "nor is its release blamed for what it never heard"
    assert story.where("web-1") is HostState.PREPARED
    story.report("web-2", healthy=True)
    (again,) = only(story.settle(), e.Assigned)
    assert again.host == "web-1"


def test_nobody_is_told_again_while_the_rollout_is_held() -> None:
    story = Story(on_regression="ask", examine=0)
    story.deploy()
    story.all_take()
    story.takes("web-1")
    assert story.moving() == ["web-2"]
    story.judge("roll back", "health check failing for 4 s on web-1")
    story.settle()
    assert story.rollout.held
    cut_off(story)
    assert not only(story.passing(1.0), e.Assigned)
    story.ask(c.Promote("web"))
    (again,) = only(story.settle(), e.Assigned)
    assert again.host == "web-2"


def test_one_that_need_not_leave_for_it_is_told_again_though_nobody_else_serves_well() -> None:
    story = at_work()
    story.rollback("bad")
    cut_off(story)
    for name in ("web-2", "web-3"):
        story.report(name, healthy=False)
    (again,) = only(story.passing(1.0), e.Assigned)
    assert (again.host, again.release) == ("web-1", OLD)
