"""What follows from what is known: rollouts told from their start to their end, good and bad."""

from __future__ import annotations

from typing import Any

import pytest

from noonday_coordinator.core import commands as c
from noonday_coordinator.core import events as e
from noonday_coordinator.core.absorb import GRACE
from noonday_coordinator.core.state import HostState
from noonday_shared.messages import Goal, Outcome
from support.story import NEW, OLD, OLDER, OTHER, Story, only


def prepared(story: Story) -> Story:
    """Deployed, and every host holds the release: the canary is told to serve it."""
    story.deploy()
    for name in story.names:
        story.takes(name)
    return story


def examining(hosts: int = 3, **changes: Any) -> Story:
    story = prepared(Story(hosts, **changes))
    story.takes("web-1")
    assert story.rollout.stage is e.Stage.EXAMINING
    return story


def in_waves(hosts: int = 3, **changes: Any) -> Story:
    """The canary was promoted, and the second host is told to serve the release."""
    story = examining(hosts, **changes)
    story.judge("promote")
    story.passing(61.0)
    assert story.rollout.wave == 1
    return story


def test_a_good_release_goes_to_one_host_is_examined_and_goes_on_one_by_one() -> None:
    story = Story()
    story.deploy()
    assert [story.assigned(name).goal for name in story.names] == [Goal.PREPARED] * 3
    for name in story.names:
        story.takes(name)
    assert story.moving() == ["web-1"]
    story.takes("web-1")
    story.judge("promote")
    assert story.passing(59.0) == []
    assert only(story.passing(1.0), e.VerdictReached)[0].verdict == "promote"
    assert story.moving() == ["web-2"]
    story.takes("web-2")
    assert story.moving() == ["web-3"]
    ended = only(story.takes("web-3"), e.RolloutEnded)
    assert [(one.end, one.reason) for one in ended] == [(e.End.DONE, "All 3 hosts serve 1.1.0.")]
    assert (story.state.app("web").current, story.state.app("web").previous) == (NEW, OLD)


def test_nothing_is_drained_before_every_host_is_prepared() -> None:
    story = Story()
    story.deploy()
    story.takes("web-1")
    story.takes("web-3")
    assert story.moving() == []
    story.takes("web-2")
    assert story.moving() == ["web-1"]


def test_one_host_that_can_not_prepare_ends_it_and_none_was_drained() -> None:
    story = Story()
    story.deploy()
    (ended,) = only(story.takes("web-2", Outcome.FAILED), e.RolloutEnded)
    assert ended.end is e.End.FAILED
    assert "web-2" in ended.reason
    assert "none was drained" in ended.reason
    assert not story.state.app("web").releases[NEW.version].blocked


def test_a_host_that_does_not_prepare_in_time_ends_it_by_name() -> None:
    story = Story(prepare_within=100)
    story.deploy()
    story.takes("web-1")
    story.takes("web-3")
    assert story.passing(99.0, silent=["web-2"]) == []
    (ended,) = only(story.passing(1.0, silent=["web-2"]), e.RolloutEnded)
    assert ended.reason == "Not prepared within 100 s: web-2 (last seen 100 s ago). None was drained."


def test_a_canary_that_puts_its_previous_release_back_blocks_the_release() -> None:
    story = prepared(Story())
    events = story.takes("web-1", Outcome.REVERTED)
    assert [one.verdict for one in only(events, e.VerdictReached)] == ["roll back"]
    (ended,) = only(story.takes("web-1"), e.RolloutEnded)
    assert ended.end is e.End.ROLLED_BACK
    assert "503" in story.state.app("web").releases[NEW.version].blocked
    assert story.state.app("web").current == OLD


def test_evidence_against_the_release_sends_it_back_at_once() -> None:
    story = examining()
    story.judge("roll back", "ERROR new with 1.1.0")
    events = story.passing(1.0)
    (back,), (told,) = only(events, e.StageEntered), only(events, e.VerdictReached)
    assert (back.stage, back.reason) == (e.Stage.ROLLING_BACK, "ERROR new with 1.1.0")
    assert (told.requests, told.control_requests) == (100, 300)
    assert (story.assigned("web-1").release, story.assigned("web-1").goal) == (OLD, Goal.SERVING)


def test_the_way_back_is_one_by_one_newest_host_first() -> None:
    story = in_waves()
    story.takes("web-2")
    story.takes("web-3", in_service=True)
    story = in_waves(hosts=4)
    story.takes("web-2")
    story.judge("roll back")
    story.passing(1.0)
    assert story.moving() == ["web-3"]
    story.takes("web-3")
    assert story.moving() == ["web-2"]
    story.takes("web-2")
    assert story.moving() == ["web-1"]
    (ended,) = only(story.takes("web-1"), e.RolloutEnded)
    assert ended.end is e.End.ROLLED_BACK
    assert story.where("web-4") is HostState.PREPARED


def test_a_silent_host_goes_back_last_so_that_it_holds_up_nobody() -> None:
    story = in_waves(hosts=4, waves=(2, "100%"), wave_pause=600)
    story.takes("web-2")
    story.takes("web-3")
    story.judge("roll back")
    story.passing(40.0, silent=["web-3"])
    assert story.moving() == ["web-2"]


def test_a_host_that_can_not_be_brought_back_ends_it_as_failed_by_name() -> None:
    story = examining()
    story.judge("roll back")
    story.passing(1.0)
    (ended,) = only(story.takes("web-1", Outcome.FAILED, in_service=False), e.RolloutEnded)
    assert ended.end is e.End.FAILED
    assert "Could not be brought back: web-1" in ended.reason
    assert story.state.app("web").releases[NEW.version].blocked


def test_a_first_release_that_fails_has_nothing_to_go_back_to_and_says_so() -> None:
    story = prepared(Story(first=None, examine=0))
    (ended,) = only(story.takes("web-1", Outcome.FAILED, in_service=False), e.RolloutEnded)
    assert ended.end is e.End.FAILED
    assert "There is no previous release, so web-1 can't go back." in ended.reason


def test_a_first_release_is_not_examined_because_there_is_nothing_to_compare_it_with() -> None:
    story = prepared(Story(first=None))
    story.takes("web-1")
    assert (story.rollout.stage, story.rollout.wave) == (e.Stage.ROLLING, 1)


@pytest.mark.parametrize(
    ("most", "moving"), [(1, ["web-2"]), (2, ["web-2", "web-3"]), ("100%", ["web-2", "web-3", "web-4"])]
)
def test_as_many_hosts_move_at_once_as_the_policy_allows(most: Any, moving: list[str]) -> None:
    assert in_waves(hosts=4, max_unavailable=most).moving() == moving


def test_a_host_that_is_out_by_itself_uses_up_the_limit() -> None:
    story = examining(hosts=4)
    story.report("web-1", in_service=False)
    story.judge("promote")
    story.passing(61.0)
    assert story.moving() == []
    story.report("web-1", in_service=True)
    story.settle()
    assert story.moving() == ["web-2"]


def test_a_silent_host_uses_up_the_limit_and_is_not_told_to_move_before_it_is_heard() -> None:
    story = examining(hosts=4)
    story.judge("promote")
    story.passing(61.0, silent=["web-2"])
    assert story.moving() == []
    story.passing(1.0)
    assert story.moving() == ["web-2"]


def test_a_host_that_is_out_already_costs_no_capacity_and_may_be_next() -> None:
    story = examining(hosts=3)
    story.report("web-3", in_service=False)
    story.judge("promote")
    story.passing(61.0)
    assert story.moving() == ["web-3"]


def test_who_can_not_drain_for_a_hosts_whole_time_asks_a_person_and_goes_on_by_itself() -> None:
    story = examining(hosts=4, host_within=100)
    story.report("web-1", in_service=False)
    story.judge("promote")
    story.passing(61.0)
    (asked,) = only(story.passing(100.0), e.Asked)
    assert "Waited 100 s to drain web-2" in asked.question
    assert story.rollout.asked
    story.report("web-1", in_service=True)
    story.settle()
    assert (story.moving(), story.rollout.asked) == (["web-2"], "")


def test_a_host_that_says_nothing_of_its_step_failed_once_its_time_and_a_grace_are_over() -> None:
    story = prepared(Story(host_within=100))
    assert story.passing(99.0 + GRACE, silent=["web-1"]) == []
    events = story.passing(1.0, silent=["web-1"])
    assert [one.state for one in only(events, e.HostJudged)] == [HostState.FAILED, HostState.GOING_BACK]
    assert "no end of its step was reported in 16" in story.rollout.reason


def test_a_report_of_an_older_generation_ends_nothing() -> None:
    story = prepared(Story())
    story.report("web-1", generation=story.assigned("web-1").generation - 1, outcome=Outcome.DONE)
    story.settle()
    assert story.where("web-1") is HostState.WORKING


def test_too_few_requests_ask_a_person_at_the_longest_instant_of_the_examine() -> None:
    story = examining(on_little_evidence="ask")
    story.judge("promote", requests=9)
    assert story.passing(119.0) == []
    (asked,) = only(story.passing(1.0), e.Asked)
    assert "9 of 10 requests" in asked.question
    assert not asked.holds
    story.judge("promote", requests=10)
    story.passing(1.0)
    assert story.moving() == ["web-2"]


def test_too_few_requests_promote_when_the_policy_says_so() -> None:
    story = examining(on_little_evidence="promote")
    story.judge("promote", requests=9)
    (verdict,) = only(story.passing(120.0), e.VerdictReached)
    assert "on little evidence" in verdict.reason


def test_a_hold_never_promotes_and_asks_a_person_in_the_end() -> None:
    story = examining(on_little_evidence="promote")
    story.judge("hold", "shared trouble")
    (asked,) = only(story.passing(121.0), e.Asked)
    assert "shared trouble" in asked.question


def test_a_person_may_skip_what_is_left_of_the_examine() -> None:
    story = examining()
    story.judge("hold")
    story.ask(c.Promote("web"))
    (verdict,) = only(story.settle(), e.VerdictReached)
    assert verdict.reason == "a person promoted it"
    assert story.moving() == ["web-2"]


def test_a_promotion_on_little_evidence_does_not_overrule_what_is_found_later() -> None:
    story = examining()
    story.judge("promote", requests=0)
    story.passing(121.0)
    story.ask(c.Promote("web"))
    story.settle()
    assert story.moving() == ["web-2"]
    story.judge("roll back", "ERROR new with 1.1.0")
    story.settle()
    assert story.rollout.stage is e.Stage.ROLLING_BACK


def test_a_gate_waits_for_a_person() -> None:
    story = examining(gates=("canary", 1), waves=(1, "100%"))
    story.judge("promote")
    story.passing(61.0)
    assert story.rollout.stage is e.Stage.GATE
    assert story.passing(86_400.0) == []
    story.ask(c.Promote("web"))
    story.settle()
    assert story.moving() == ["web-2"]
    story.takes("web-2")
    assert (story.rollout.stage, story.rollout.wave) == (e.Stage.GATE, 1)


def test_a_wave_pause_is_waited_for_between_waves_and_judging_goes_on() -> None:
    story = in_waves(hosts=4, waves=(1, "100%"), wave_pause=50)
    story.takes("web-2")
    assert story.moving() == []
    story.passing(49.0)
    assert story.moving() == []
    story.passing(1.0)
    assert story.moving() == ["web-3"]


def test_a_pause_stops_new_moves_and_is_added_to_the_examine() -> None:
    story = examining()
    story.judge("promote")
    story.passing(30.0)
    story.ask(c.Pause("web"))
    assert story.passing(500.0) == []
    story.ask(c.Resume("web"))
    assert story.passing(29.0) == []
    story.passing(1.0)
    assert story.moving() == ["web-2"]


def test_a_regression_is_acted_on_also_while_paused() -> None:
    story = examining()
    story.ask(c.Pause("web"))
    story.judge("roll back")
    story.settle()
    assert story.moving() == ["web-1"]


def test_who_asks_about_a_regression_goes_on_with_nothing_before_the_answer() -> None:
    story = in_waves(hosts=4, on_regression="ask")
    (asked,) = only(story.takes("web-2", Outcome.REVERTED), e.Asked)
    assert asked.holds
    assert story.passing(3600.0) == []
    assert story.moving() == []


def test_evidence_that_passes_does_not_answer_for_the_person() -> None:
    story = examining(on_regression="ask")
    story.judge("roll back", "health check failing")
    story.passing(1.0)
    story.judge("promote")
    assert story.passing(3600.0) == []
    assert story.rollout.stage is e.Stage.EXAMINING


def test_a_yes_lets_hosts_that_failed_try_once_more_and_a_second_failure_asks_again() -> None:
    story = in_waves(hosts=3, on_regression="ask")
    story.takes("web-2", Outcome.REVERTED)
    story.ask(c.Promote("web"))
    story.settle()
    assert story.moving() == ["web-2"]
    assert len(only(story.takes("web-2", Outcome.REVERTED), e.Asked)) == 1
    story.ask(c.Promote("web"))
    story.settle()
    story.takes("web-2")
    assert story.moving() == ["web-3"]


def test_a_yes_overrules_the_evidence_that_was_asked_about() -> None:
    story = examining(on_regression="ask")
    story.judge("roll back", "ERROR new with 1.1.0")
    story.passing(1.0)
    story.ask(c.Promote("web"))
    story.settle()
    assert story.moving() == ["web-2"]


def test_a_persons_rollback_in_the_middle_turns_the_working_host_back_too() -> None:
    story = in_waves(hosts=3)
    story.rollback("prices are wrong")
    assert story.moving() == ["web-2"]
    story.takes("web-2")
    (ended,) = only(story.takes("web-1"), e.RolloutEnded)
    assert (ended.end, ended.reason) == (e.End.ROLLED_BACK, "rolled back by alice: prices are wrong")
    assert story.state.app("web").releases[NEW.version].blocked


def test_an_abort_brings_hosts_back_and_does_not_block_the_release() -> None:
    story = in_waves(hosts=3)
    story.takes("web-2", in_service=True)
    story.ask(c.Abort("web", "wrong day"))
    story.settle()
    for name in ("web-3", "web-2", "web-1"):
        ended = only(story.takes(name), e.RolloutEnded)
    assert [one.end for one in ended] == [e.End.ABORTED]
    assert not story.state.app("web").releases[NEW.version].blocked


def test_an_abort_before_the_first_drain_touches_no_host() -> None:
    story = Story()
    story.deploy()
    story.ask(c.Abort("web"))
    assert [one.end for one in only(story.settle(), e.RolloutEnded)] == [e.End.ABORTED]
    assert [story.assigned(name).release for name in story.names] == [OLD] * 3


def test_the_last_host_in_service_keeps_even_a_bad_release() -> None:
    story = examining(hosts=2, host_within=100)
    story.report("web-2", in_service=False)
    story.judge("roll back", "ERROR new with 1.1.0")
    story.passing(1.0)
    assert story.moving() == []
    (ended,) = only(story.passing(100.0), e.RolloutEnded)
    assert ended.end is e.End.FAILED
    assert "web-1 is the last host that serves well, so it keeps 1.1.0" in ended.reason


def test_hosts_that_are_out_for_reasons_of_their_own_do_not_keep_a_bad_release_in_service() -> None:
    story = examining(hosts=3)
    story.report("web-2", in_service=False)
    story.judge("roll back")
    story.passing(1.0)
    assert story.moving() == ["web-1"]


def rolled_out() -> Story:
    """1.1.0 everywhere, 1.0.0 still on disk."""
    story = in_waves()
    story.takes("web-2")
    story.takes("web-3")
    story.all_take()
    for name in story.names:
        story.report(name, prepared=(OLD.id, NEW.id))
    return story


def test_a_rollback_of_what_is_live_goes_straight_and_blocks_what_it_left() -> None:
    story = rolled_out()
    story.rollback("slow")
    for name in ("web-3", "web-2", "web-1"):
        assert story.moving() == [name]
        story.takes(name)
    assert (story.rollout.kind, story.rollout.end) == ("rollback", e.End.DONE)
    assert story.state.app("web").current == OLD
    assert "rolled back by alice" in story.state.app("web").releases[NEW.version].blocked


def test_a_rollback_that_fails_on_a_host_stops_there_and_nothing_goes_forth_and_back() -> None:
    story = rolled_out()
    story.rollback()
    (ended,) = only(story.takes("web-3", Outcome.REVERTED), e.RolloutEnded)
    assert ended.end is e.End.FAILED
    assert story.assigned("web-3").release == NEW
    assert [story.assigned(name).release for name in ("web-1", "web-2")] == [NEW, NEW]


def test_a_rollback_that_can_drain_nobody_ends_and_says_why() -> None:
    story = rolled_out()
    story.report("web-1", in_service=False)
    story.report("web-2", in_service=False)
    story.rollback()
    story.passing(story.policy.unreachable_after)
    story.takes("web-2", in_service=False)
    story.takes("web-1", in_service=False)
    (ended,) = only(story.passing(story.policy.host_within), e.RolloutEnded)
    assert ended.end is e.End.FAILED
    assert "to drain web-3" in ended.reason


def test_after_a_rollout_its_hosts_are_no_longer_observed() -> None:
    story = rolled_out()
    assert [story.assigned(name).observe for name in story.names] == [False] * 3


def test_a_rollout_that_never_began_to_drain_leaves_every_host_what_it_serves() -> None:
    story = Story()
    story.report("web-2", live=OLDER.id, proven=OLDER)
    story.deploy(OTHER.version)
    story.ask(c.Abort("web"))
    story.settle()
    assert [story.assigned(name).release for name in story.names] == [OLD, OLDER, OLD]


def test_a_host_that_could_not_be_brought_back_is_not_told_again() -> None:
    story = examining()
    story.judge("roll back")
    story.passing(1.0)
    generation = story.assigned("web-1").generation
    story.takes("web-1", Outcome.FAILED, in_service=False)
    assert story.assigned("web-1").generation == generation


def test_a_drained_host_is_told_to_be_out_and_later_to_serve_what_it_served() -> None:
    story = Story()
    story.ask(c.DrainHost("web-2"))
    story.settle()
    assert story.assigned("web-2").goal is Goal.OUT
    story.takes("web-2")
    story.ask(c.UndrainHost("web-2"))
    story.settle()
    assert (story.assigned("web-2").goal, story.assigned("web-2").release) == (Goal.SERVING, OLD)


def test_generations_only_grow() -> None:
    story = rolled_out()
    story.rollback()
    seen = [assigned.generation for name in story.names if (assigned := story.on(name).assigned)]
    assert story.state.generation == max(seen)
    assert len(set(seen)) == len(seen)
