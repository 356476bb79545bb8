"""Hosts that are away when a rollout begins: refused, left out by name, or waited for."""

from __future__ import annotations

from typing import Any

import pytest

from noonday_coordinator.core import events as e
from noonday_coordinator.core.clock_set import view_moved
from noonday_coordinator.core.state import HostState
from noonday_coordinator.core.view import View
from noonday_shared.errors import BadInput
from noonday_shared.messages import Outcome, Phase
from support.odd_hosts import away, done
from support.story import NEW, OTHER, Story, only


def test_a_host_that_is_away_refuses_the_rollout_unless_the_policy_says_otherwise() -> None:
    with pytest.raises(BadInput, match=r"no report from web-2 \(last seen 31 s ago\)"):
        away(Story(), "web-2").deploy()


def test_a_host_that_is_away_may_be_left_out_by_name_and_the_others_go_on() -> None:
    story = away(Story(offline="skip", examine=0), "web-2")
    story.deploy()
    assert story.rollout.members == ("web-1", "web-3")
    assert story.rollout.left_out == {"web-2": "offline, last seen 31 s ago"}
    done(story)
    assert "2 of 3 hosts serve 1.1.0. Left out: web-2 (offline" in story.rollout.reason


def test_a_host_that_is_left_out_does_not_use_up_the_limit_but_counts_for_min_healthy() -> None:
    story = away(Story(4, offline="skip", examine=0, max_unavailable=1), "web-1")
    story.deploy()
    for name in ("web-2", "web-3", "web-4"):
        story.takes(name)
    assert story.moving() == ["web-2"]
    with pytest.raises(BadInput, match=r"4 hosts - min_healthy 3 \(3 hosts\) - 1 left out = 0 that may be drained"):
        away(Story(4, offline="skip", min_healthy=3), "web-1").deploy()


def test_where_all_but_one_are_left_out_the_last_is_an_outage_that_somebody_has_to_allow() -> None:
    with pytest.raises(BadInput, match="all hosts of web but one are left out, so its release means an outage"):
        away(Story(2, offline="skip"), "web-2").deploy()


def test_that_holds_also_where_they_fall_silent_while_they_prepare() -> None:
    for allowed in (False, True):
        story = Story(2, offline="skip", prepare_within=100, allow_outage=allowed)
        story.deploy()
        story.takes("web-1")
        story.passing(100.0, silent=["web-2"])
        assert story.where("web-2") is HostState.SKIPPED
        assert story.moving() == (["web-1"] if allowed else [])
        assert allowed or "All hosts but web-1 are left out, so its release means an outage" in story.rollout.reason


def test_a_host_that_is_away_in_the_middle_of_its_step_is_never_left_out_since_it_may_be_out_because_of_us() -> None:
    story = Story(offline="skip", examine=0)
    story.deploy()
    story.all_take()
    generation = story.assigned("web-1").generation
    story.report("web-1", generation=generation, outcome=Outcome.WORKING, live=NEW.id, in_service=False)
    away(story, "web-1")
    with pytest.raises(BadInput, match="no report from web-1") as refused:
        story.deploy(OTHER.version, supersede=True)
    assert "in the middle of a step" in refused.value.text
    assert "noonday remove web-1" in refused.value.next_action
    assert "set offline" not in refused.value.next_action, "it is set"


def test_that_holds_also_when_it_was_given_up_on_and_told_to_prepare_since() -> None:
    story = Story(offline="skip", examine=0, prepare_within=100)
    story.deploy()
    story.report("web-1", phase=Phase.RETURNING, in_service=False)
    story.takes("web-2")
    story.takes("web-3")
    story.passing(100.0, silent=["web-1"])
    assert "Not prepared within 100 s: web-1" in story.rollout.reason


def test_where_all_are_away_there_is_no_rollout() -> None:
    with pytest.raises(BadInput) as refused:
        away(Story(2, offline="skip"), "web-1", "web-2").deploy()
    assert refused.value.rule == "unreachable"


def test_a_host_that_is_away_may_be_waited_for_until_the_prepare_deadline() -> None:
    story = away(Story(offline="wait", prepare_within=100), "web-2")
    story.deploy()
    story.takes("web-1")
    story.takes("web-3")
    assert story.moving() == []
    story.takes("web-2")
    assert story.moving() == ["web-1"]


def test_a_host_that_is_waited_for_in_vain_ends_it_by_name() -> None:
    story = away(Story(offline="wait", prepare_within=100), "web-2")
    story.deploy()
    (ended,) = only(story.passing(100.0, silent=["web-2"]), e.RolloutEnded)
    assert "web-2 (last seen 131 s ago)" in ended.reason


def just_begun(**changes: Any) -> Story:
    """A coordinator that heard nobody yet deploys, and web-2 stays away."""
    story = Story(prepare_within=1800, **changes)
    story.now += 3600.0
    story.view = View(since=story.now)
    story.deploy()
    story.takes("web-1")
    story.takes("web-3")
    return story


def test_an_absent_host_is_named_soon_also_right_after_the_coordinators_start() -> None:
    story = just_begun()
    assert story.passing(30.0, silent=["web-2"]) == []
    (ended,) = only(story.passing(1.0, silent=["web-2"]), e.RolloutEnded)
    assert ended.reason.startswith("No report from web-2 (last seen 31 s ago). None was drained.")


def test_an_absent_host_is_left_out_soon_also_right_after_the_coordinators_start() -> None:
    story = just_begun(offline="skip")
    story.passing(31.0, silent=["web-2"])
    assert story.where("web-2") is HostState.SKIPPED
    assert story.moving() == ["web-1"]


def test_a_host_that_fell_silent_while_it_prepared_has_until_the_deadline() -> None:
    story = Story(prepare_within=100, offline="skip")
    story.deploy()
    story.takes("web-1")
    story.takes("web-3")
    assert story.passing(60.0, silent=["web-2"]) == []
    story.passing(40.0, silent=["web-2"])
    assert story.rollout.left_out == {"web-2": "offline, not heard for 100 s"}
    assert story.moving() == ["web-1"]


def test_a_rollout_whose_canary_is_away_ends_before_anything_is_drained() -> None:
    story = Story(prepare_within=100, offline="skip")
    story.deploy()
    story.takes("web-2")
    story.takes("web-3")
    (ended,) = only(story.passing(100.0, silent=["web-1"]), e.RolloutEnded)
    assert ended.end is e.End.FAILED
    assert "No host is left for the first wave, so none was drained. web-1: offline" in ended.reason


@pytest.mark.parametrize("by", [-1800.0, 1800.0])
def test_an_absent_host_is_named_as_soon_where_the_clock_was_set_meanwhile(by: float) -> None:
    story = just_begun()
    story.keep(e.ClockSet(by))
    story.now += by
    story.view = view_moved(story.view, by)
    assert story.passing(30.0, silent=["web-2"]) == []
    (ended,) = only(story.passing(1.0, silent=["web-2"]), e.RolloutEnded)
    assert ended.reason.startswith("No report from web-2 (last seen 31 s ago). None was drained.")
