"""Limits that hold: how many hosts are out at once, overall and by group, and how many may fail in a whole rollout."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from noonday_coordinator.api.waiting import waiting_for
from noonday_coordinator.core import commands as c
from noonday_coordinator.core import events as e
from noonday_coordinator.core.plan import plan_deploy
from noonday_coordinator.core.state import HostState
from noonday_shared.errors import BadInput
from noonday_shared.messages import Outcome, Phase
from support.odd_hosts import put_back, told
from support.story import NEW, OLD, OLDER, Story, only, policy


@pytest.mark.parametrize(
    ("limits", "total", "most"),
    [([3, "25%"], 8, 2), ([1, "50%"], 8, 1), ([9, "100%"], 8, 8), (["1%", 5], 8, 1), (["10%"], 5, 1), (2, 8, 2)],
)
def test_of_several_limits_the_smallest_counts_and_a_percentage_is_never_0(limits: Any, total: int, most: int) -> None:
    assert policy(max_unavailable=limits).limit(total) == most


@pytest.mark.parametrize("wrong", [[], [0], ["0%"], "0%", [1, "x"], 0])
def test_a_limit_that_lets_nobody_move_is_no_limit(wrong: Any) -> None:
    with pytest.raises(ValidationError):
        policy(max_unavailable=wrong)


def prepared(hosts: int = 5, **changes: Any) -> Story:
    story = Story(hosts, examine=0, **changes)
    story.deploy()
    story.all_take()
    return story


def test_by_default_the_first_host_that_fails_sends_the_release_back() -> None:
    story = prepared()
    story.takes("web-1")
    story.takes("web-2", Outcome.REVERTED)
    assert story.rollout.stage is e.Stage.ROLLING_BACK


def test_failures_are_counted_over_the_whole_rollout_and_not_by_wave() -> None:
    story = prepared(6, max_failures=1, waves=(2, 2, "100%"))
    story.takes("web-1")
    story.takes("web-2", Outcome.REVERTED)
    assert (story.rollout.stage, story.rollout.failures) == (e.Stage.ROLLING, 1)
    story.takes("web-3")
    assert story.rollout.wave == 2
    story.takes("web-4", Outcome.REVERTED)
    assert story.rollout.stage is e.Stage.ROLLING_BACK
    assert "web-2" in story.rollout.reason
    assert "web-4" in story.rollout.reason


def test_hosts_that_may_fail_are_left_out_and_named_in_the_end() -> None:
    story = prepared(3, max_failures="34%")
    story.takes("web-1")
    story.takes("web-2", Outcome.REVERTED)
    (ended,) = only(story.takes("web-3"), e.RolloutEnded)
    assert ended.end is e.End.DONE
    assert ended.reason.startswith("2 of 3 hosts serve 1.1.0. Left out: web-2 (warm-up: GET /: 503)")
    assert set(story.rollout.left_out) == {"web-2"}
    assert story.state.app("web").current == NEW


def test_no_failure_of_a_canary_is_one_too_few() -> None:
    story = prepared(5, max_failures=5)
    story.takes("web-1", Outcome.REVERTED)
    assert story.rollout.stage is e.Stage.ROLLING_BACK


def test_a_host_that_failed_and_stays_out_uses_up_the_limit() -> None:
    story = prepared(5, max_failures=5)
    story.takes("web-1")
    story.takes("web-2", Outcome.FAILED, in_service=False)
    assert story.moving() == []
    story.report("web-2", in_service=True)
    story.settle()
    assert story.moving() == ["web-3"]


def test_a_host_that_goes_down_by_itself_holds_up_the_next_drain_which_says_why_and_asks_in_time() -> None:
    story = prepared(4, host_within=100)
    story.takes("web-1")
    story.report("web-1", in_service=False)
    story.takes("web-2")
    assert story.moving() == []
    words = waiting_for(story.rollout, story.state, story.view, story.now)
    assert "web-1 is out of service" in words
    assert "100 s left, then a person is asked" in words
    (asked,) = only(story.passing(100.0), e.Asked)
    assert "Waited 100 s to drain web-3, in vain: web-1 is out of service" in asked.question
    story.report("web-1", in_service=True)
    story.settle()
    assert (story.moving(), story.rollout.asked) == (["web-3"], "")


def racks(**changes: Any) -> Story:
    """Two racks of two and a third of one: a holds web-1 and web-4, b web-2 and web-5, c web-3."""
    story = Story(5, examine=0, group_by="rack", **changes)
    for name, rack in zip(story.names, "abcab", strict=True):
        story.enroll(name, rack=rack)
    return story


def test_racks_are_released_one_after_the_other_and_no_wave_holds_two_of_them() -> None:
    story = racks(max_unavailable="100%")
    plan = plan_deploy(story.state, story.view, story.policy, NEW.version, now=story.now)
    assert plan.waves == (("web-1",), ("web-4",), ("web-2", "web-5"), ("web-3",))
    assert any(
        check.startswith("rack by rack: a (web-1, web-4), then b (web-2, web-5), then c") for check in plan.checks
    )
    story.deploy()
    story.all_take()
    story.takes("web-1")
    assert story.moving() == ["web-4"]
    story.takes("web-4")
    assert story.moving() == ["web-2", "web-5"]


def test_a_group_loses_no_more_hosts_than_its_own_limit() -> None:
    story = racks(max_unavailable="100%", group_limit="50%")
    story.deploy()
    story.all_take()
    story.takes("web-1")
    story.takes("web-4")
    assert story.moving() == ["web-2"]
    story.takes("web-2")
    assert story.moving() == ["web-5"]


def test_the_way_back_keeps_to_the_limit_of_a_group_too() -> None:
    story = racks(max_unavailable="100%", group_limit=1)
    story.deploy()
    story.all_take()
    for name in ("web-1", "web-4", "web-2", "web-5"):
        story.takes(name)
    story.rollback()
    assert sorted(story.moving()) == ["web-3", "web-4", "web-5"]
    assert story.where("web-1") is HostState.SERVING


def test_of_a_group_whose_disks_were_put_back_no_more_are_told_at_once_than_its_own_limit() -> None:
    story = racks(max_unavailable="100%", group_limit=1)
    story.deploy()
    story.all_take()
    for name in ("web-1", "web-4", "web-2", "web-5", "web-3", *story.names):
        story.takes(name)
    for name in ("web-2", "web-3", "web-5"):
        put_back(story, name)
    assert told(story) == ["web-2", "web-3"]


def test_one_that_was_left_out_and_is_alone_in_its_group_has_room_to_come_back() -> None:
    story = racks(group_limit=1, offline="skip", prepare_within=300)
    story.deploy()
    for name in ("web-1", "web-2", "web-4", "web-5"):
        story.takes(name)
    for _ in range(4):
        story.passing(100.0, silent=["web-3"])
    assert story.where("web-3") is HostState.SKIPPED
    story.ask(c.Abort("web"))
    story.settle()
    for name in story.names * 3:
        if not story.on(name).taken:
            story.takes(name)
    story.report("web-3", generation=1, live=OLDER.id, proven=OLDER, prepared=(OLDER.id,))
    assert told(story) == ["web-3"]


def test_a_silent_host_counts_as_one_that_serves_when_its_group_goes_back() -> None:
    story = racks(max_unavailable="100%", group_limit=1, unreachable_after=20)
    story.deploy()
    story.all_take()
    for name in ("web-1", "web-4", "web-2", "web-5", "web-3"):
        story.takes(name)
    story.deploy("1.2.0")
    story.all_take()
    for name in ("web-1", "web-4"):
        story.takes(name)
    story.passing(21.0, silent=["web-1"])
    story.rollback()
    assert story.where("web-4") is HostState.GOING_BACK
    assert story.where("web-1") is HostState.SERVING, "it may serve, and the rest of its group is out"


def test_a_host_that_may_be_about_to_leave_serves_until_then_so_it_needs_room_to_be_taken_out() -> None:
    story = racks(max_unavailable=2, group_limit=1)
    story.deploy()
    for name in story.names:
        story.takes(name, prepared=(NEW.id, OLD.id))
    for name in ("web-1", "web-4", "web-2", "web-5", "web-3"):
        story.takes(name)
    assert story.rollout.end is e.End.DONE
    story.report("web-4", in_service=False)
    story.rollback()
    assert story.rollout.waves[0] == ("web-4", "web-1")
    assert story.moving() == [], "web-4 may be back in a second, and of its rack one may be out"
    story.passing(story.policy.unreachable_after)
    assert story.moving() == ["web-4"], "web-1 serves, and of its rack one may be out"
    for name in story.names:
        if name != "web-4":
            story.takes(name)
    assert story.moving() == ["web-4"]
    story.takes("web-4")
    assert story.moving() == ["web-1"]


def test_a_host_without_the_label_is_named_before_anything_begins() -> None:
    story = racks()
    story.enroll("web-3")
    with pytest.raises(BadInput, match="web-3 has no label rack") as refused:
        story.deploy()
    assert refused.value.rule == "no-group"


def test_the_sickest_group_goes_first() -> None:
    story = racks()
    story.report("web-5", in_service=False)
    plan = plan_deploy(story.state, story.view, story.policy, NEW.version, now=story.now)
    assert plan.waves == (("web-5",), ("web-2",), ("web-1", "web-4"), ("web-3",))


def abort_after_three(story: Story, **fourth: Any) -> None:
    """Three canaries serve the new release, and the fourth host reports this; then a person aborts it."""
    story.deploy()
    story.all_take()
    for name in ("web-1", "web-2", "web-3"):
        story.takes(name)
    story.report("web-4", in_service=False, **fourth)
    story.ask(c.Abort("web"))
    story.settle()


def test_a_host_still_on_its_way_back_from_an_earlier_rollout_takes_room_of_the_way_back() -> None:
    story = Story(5, canary=3, max_unavailable=2)
    abort_after_three(story)
    assert story.moving() == ["web-2", "web-3"]
    story = Story(5, canary=3, max_unavailable=2)
    abort_after_three(story, phase=Phase.WARMING_UP)
    assert story.moving() == ["web-3"]
    story.report("web-4", in_service=True, phase=Phase.SETTLED)
    story.settle()
    assert story.moving() == ["web-2", "web-3"]


def test_where_that_host_takes_all_the_room_and_never_comes_back_the_end_names_it() -> None:
    story = Story(5, canary=3)
    abort_after_three(story, phase=Phase.WARMING_UP)
    assert story.moving() == []
    (ended,) = only(story.passing(story.policy.host_within), e.RolloutEnded)
    assert "web-4 did not come back from what an earlier rollout began, so web-3 keeps 1.1.0" in ended.reason


def test_a_host_of_an_earlier_rack_that_goes_once_more_goes_alone() -> None:
    story = racks(max_unavailable=3, group_limit=1)
    story.deploy()
    story.all_take()
    story.takes("web-1")
    story.takes("web-4")
    assert story.moving() == ["web-2"]
    story.report("web-1", generation=1, live=OLD.id, proven=OLD)  # its disk was put back
    story.takes("web-2")
    assert story.moving() == ["web-1"], "web-5 is of the next rack"
    story.takes("web-1")
    assert story.moving() == ["web-5"]
