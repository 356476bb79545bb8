"""Whom a person brings home together, each for itself: who can't prepare, or falls silent, keeps no other away."""

from __future__ import annotations

from typing import Any

from noonday_coordinator.core import commands as c
from noonday_coordinator.core import events as e
from noonday_coordinator.core.state import HostState
from noonday_coordinator.core.view import View
from noonday_shared.messages import Goal, Outcome
from support.odd_hosts import done
from support.story import NEW, OLD, OLDER, OTHER, Story, only

MEMBERS = ("web-2", "web-3")


def homecoming(hosts: int = 3, **changes: Any) -> Story:
    """web-2 has an older release by hand, and so has web-3; both are told to prepare the release of record."""
    story = Story(hosts, examine=0, **changes)
    story.deploy()
    done(story)
    for name in MEMBERS:
        story.report(name, live=OLDER.id, prepared=(OLDER.id,))
    story.now += 1.0
    story.ask(c.Reconcile("web", story.policy))
    story.settle()
    assert story.rollout.members == MEMBERS
    assert {story.assigned(name).goal for name in MEMBERS} == {Goal.PREPARED}
    return story


def test_one_that_can_not_prepare_is_left_out_and_the_others_come_home() -> None:
    story = homecoming()
    story.takes("web-2", Outcome.FAILED)
    assert (story.rollout.end, story.moving()) == (None, [])
    story.takes("web-3")
    assert story.moving() == ["web-3"]
    (ended,) = only(story.takes("web-3"), e.RolloutEnded)
    assert ended.end is e.End.FAILED
    assert ended.reason.startswith("1 of 2 hosts serve 1.1.0. Left out: web-2 (warm-up: GET /: 503")


def test_a_new_host_that_is_out_is_brought_the_release_though_another_can_not_prepare_it() -> None:
    story = Story(2, examine=0, catch_up=False)
    story.deploy()
    done(story)
    story.enroll("web-9")
    story.names = (*story.names, "web-9")
    story.report("web-9", live="", proven=None, in_service=False)
    story.report("web-1", live=OLDER.id)
    story.ask(c.Reconcile("web", story.policy))
    story.settle()
    story.takes("web-1", Outcome.FAILED)
    story.takes("web-9", in_service=False)
    assert story.moving() == ["web-9"]


def test_where_none_can_prepare_nobody_is_drained_and_each_reason_is_told() -> None:
    story = homecoming()
    story.takes("web-2", Outcome.FAILED)
    (ended,) = only(story.takes("web-3", Outcome.FAILED), e.RolloutEnded)
    assert ended.end is e.End.FAILED
    assert ended.reason.startswith("No host could prepare, so none was drained. web-2: warm-up: GET /: 503")
    assert "; web-3: warm-up" in ended.reason
    assert ended.reason.endswith("Mend them, then: noonday reconcile web.")
    assert story.moving() == []


def test_one_that_is_not_prepared_in_its_time_keeps_no_other_away() -> None:
    story = homecoming(prepare_within=100)
    story.takes("web-3")
    assert story.passing(99.0) == []
    story.passing(2.0)
    assert story.where("web-2") is HostState.FAILED
    assert story.rollout.hosts["web-2"].reason == "not prepared within 100 s, last seen 0 s ago"
    assert story.moving() == ["web-3"]


def test_one_that_falls_silent_holds_up_others_that_serve_and_only_these() -> None:
    story = homecoming(prepare_within=100, host_within=50)
    story.takes("web-3")
    story.passing(101.0, silent=["web-2"])
    assert story.where("web-2") is HostState.FAILED
    assert story.moving() == []
    (ended,) = only(story.passing(51.0, silent=["web-2"]), e.RolloutEnded)
    assert "web-2 was not heard for" in ended.reason


def test_a_coordinator_that_hears_nothing_of_one_after_its_return_goes_on_with_the_others() -> None:
    story = homecoming()
    story.report("web-3", in_service=False)
    story.takes("web-3", in_service=False)
    story.now += 10.0
    story.view = View(since=story.now)
    story.passing(story.policy.unreachable_after + 1.0, silent=["web-2"])
    assert story.where("web-2") is HostState.FAILED
    assert "no report since" in story.rollout.hosts["web-2"].reason
    assert story.moving() == ["web-3"]


def two_come_home(**changes: Any) -> Story:
    """There are no others, and web-2 falls silent while it prepares."""
    story = Story(2, examine=0, offline="skip", prepare_within=100, **changes)
    story.deploy()
    done(story)
    for name in story.names:
        story.report(name, live=OLDER.id, prepared=(OLDER.id,))
    story.ask(c.Reconcile("web", story.policy))
    story.settle()
    return story


def test_the_last_one_that_is_left_is_not_drained_where_an_outage_was_not_allowed() -> None:
    story = two_come_home()
    story.takes("web-1")
    (ended,) = only(story.passing(101.0, silent=["web-2"]), e.RolloutEnded)
    assert (ended.end, story.moving()) == (e.End.FAILED, [])
    assert ended.reason == (
        "All hosts but web-1 are left out, so its release means an outage, and it was not drained. "
        "Start the agents there, then noonday reconcile web; or set allow_outage = true in the app's policy."
    )


def test_the_last_one_that_is_left_comes_home_where_an_outage_is_allowed_or_it_is_out_already() -> None:
    allowed = two_come_home(allow_outage=True)
    allowed.takes("web-1")
    allowed.passing(101.0, silent=["web-2"])
    assert allowed.moving() == ["web-1"]
    already_out = two_come_home()
    already_out.takes("web-1", in_service=False)
    already_out.passing(101.0, silent=["web-2"])
    assert already_out.moving() == ["web-1"]


def test_a_rollout_that_takes_over_finds_nothing_on_a_host_that_could_not_prepare() -> None:
    story = homecoming()
    story.takes("web-2", Outcome.FAILED)
    story.takes("web-3")
    assert story.moving() == ["web-3"]
    story.deploy(OTHER.version)
    assert story.rollout.half_rolled == {"web-3": NEW}


def test_a_deploy_still_drains_nobody_unless_all_prepared() -> None:
    story = Story()
    story.deploy()
    (ended,) = only(story.takes("web-2", Outcome.FAILED), e.RolloutEnded)
    assert (ended.end, story.state.app("web").current) == (e.End.FAILED, OLD)
    assert ended.reason.startswith("Not every host could prepare, so none was drained. web-2")
