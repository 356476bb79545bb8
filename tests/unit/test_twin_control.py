"""The twin: an old-release host that is restarted beside the canary, and never counts for or against the release."""

from __future__ import annotations

from typing import Any

from noonday_coordinator.core import commands as c
from noonday_coordinator.core import events as e
from noonday_coordinator.core.decide import decide
from noonday_coordinator.core.lost import valid_until
from noonday_coordinator.core.plan import plan_deploy
from noonday_coordinator.core.state import HostState
from noonday_shared.messages import Goal, Outcome
from support.odd_hosts import put_back
from support.story import NEW, OLD, OTHER, Story, only


def begun(hosts: int = 3, *, twin_control: bool = True, **changes: Any) -> Story:
    """All hosts have prepared 1.1.0."""
    story = Story(hosts, twin_control=twin_control, **changes)
    story.deploy()
    for name in story.names:
        story.takes(name)
    return story


def twins(story: Story) -> list[str]:
    return [name for name in story.names if story.assigned(name).restart_for]


def test_a_host_of_the_next_wave_is_restarted_on_its_own_release_before_the_canary_moves() -> None:
    story = begun()
    assigned = story.assigned("web-2")
    assert (assigned.restart_for, assigned.goal, assigned.release) == (story.rollout.id, Goal.SERVING, OLD)
    assert (twins(story), story.moving()) == (["web-2"], [])
    story.takes("web-2")
    assert story.moving() == ["web-1"]
    story.takes("web-1")
    assert story.rollout.stage is e.Stage.EXAMINING
    assert story.where("web-2") is HostState.PREPARED


def test_without_the_policy_nobody_is_restarted_for_comparison() -> None:
    story = begun(twin_control=False)
    assert (twins(story), story.moving()) == ([], ["web-1"])


def test_twin_and_canary_go_together_where_so_many_may_be_out_and_the_examine_waits_for_both() -> None:
    story = begun(max_unavailable=2)
    assert (twins(story), story.moving()) == (["web-2"], ["web-1"])
    story.takes("web-1")
    assert story.rollout.stage == "rolling"
    story.takes("web-2")
    assert story.rollout.stage == "examining"


def test_the_twin_takes_the_new_release_in_its_wave_like_all_others() -> None:
    story = begun(examine_most=60)
    story.takes("web-2")
    story.takes("web-1")
    story.judge("promote")
    story.passing(61)
    assert story.moving() == ["web-2"]
    assert (story.assigned("web-2").release, story.assigned("web-2").restart_for) == (NEW, "")
    story.takes("web-2")
    story.takes("web-3")
    assert story.rollout.end is e.End.DONE
    assert twins(story) == []


def test_a_host_that_is_not_well_silent_or_on_another_release_is_no_twin() -> None:
    story = Story(5, twin_control=True)
    story.report("web-3", proven=OTHER, live=OTHER.id)
    story.deploy()
    for name in story.names:
        story.takes(name, in_service=name != "web-2")
    assert twins(story) == []  # one is out already, so nobody else may go
    story.report("web-2", in_service=True, healthy=False)
    story.settle()
    assert twins(story) == ["web-4"]


def test_a_rollout_without_a_candidate_goes_on_without_a_twin() -> None:
    story = Story(2, twin_control=True)
    story.report("web-2", proven=OTHER, live=OTHER.id)
    story.deploy()
    story.all_take()
    assert (twins(story), story.moving()) == ([], ["web-1"])
    story.takes("web-1")
    assert story.rollout.stage is e.Stage.EXAMINING


def test_one_host_a_first_release_and_no_examine_need_no_twin() -> None:
    first = Story(3, first=None, twin_control=True)
    first.deploy(OLD.version)
    for name in first.names:
        first.takes(name, in_service=False)
    for story in (begun(1, allow_outage=True), first, begun(examine=0)):
        assert (twins(story), story.moving()) == ([], ["web-1"])


def test_a_twin_that_did_not_come_back_is_asked_about_and_never_held_against_the_release() -> None:
    story = begun()
    story.takes("web-2", Outcome.FAILED, in_service=False)
    assert story.rollout.asked.startswith("The twin web-2 did not come back on 1.0.0")
    assert "not the new release's fault" in story.rollout.asked
    assert "GET /: 503." in story.rollout.asked
    assert (story.rollout.held, story.rollout.stage, story.moving()) == (False, e.Stage.ROLLING, [])
    assert story.passing(300) == []
    assert story.rollout.verdict == ""


def test_a_twin_that_stayed_in_service_is_not_said_to_be_out() -> None:
    story = begun()
    story.takes("web-2", Outcome.FAILED, in_service=True)
    assert story.rollout.asked.startswith("The twin web-2 was not restarted on 1.0.0")


def test_a_twin_that_comes_back_late_lets_the_rollout_go_on_by_itself() -> None:
    story = begun()
    story.takes("web-2", Outcome.FAILED, in_service=False)
    story.takes("web-2")
    assert (story.moving(), story.rollout.asked) == (["web-1"], "")
    story.takes("web-1")
    assert story.rollout.stage is e.Stage.EXAMINING


def test_a_person_may_let_it_go_on_without_the_twin_and_the_evidence_still_counts() -> None:
    story = begun(4, max_unavailable=2)
    story.takes("web-1")
    story.takes("web-2", Outcome.FAILED, in_service=False)
    assert story.rollout.asked
    story.ask(c.Promote("web"))
    story.settle()
    assert (story.rollout.stage, story.rollout.overruled) == (e.Stage.EXAMINING, False)
    story.judge("roll back", "it is bad")
    story.settle()
    assert story.rollout.stage is e.Stage.ROLLING_BACK


def test_a_twin_that_is_never_heard_again_is_given_up_and_its_order_expires() -> None:
    story = begun(host_within=100)
    assert valid_until(story.state, story.view, "web-2", "web", story.now, 900.0) == story.now + 100
    story.passing(150, silent=["web-2"])
    assert story.rollout.asked == ""
    assert valid_until(story.state, story.view, "web-2", "web", story.now, 900.0) == story.now
    story.passing(20, silent=["web-2"])
    assert "no end of its restart was reported in 170 s" in story.rollout.asked


def test_the_way_back_waits_for_the_twin_and_then_needs_it_for_nothing() -> None:
    story = begun(max_unavailable=2)
    story.takes("web-1", in_service=True)
    story.judge("roll back", "it is bad")
    story.settle()
    assert (story.rollout.stage, story.moving()) == (e.Stage.ROLLING_BACK, ["web-1"])
    story.takes("web-1")
    assert story.rollout.end is None
    events = story.takes("web-2")
    assert only(events, e.RolloutEnded)[0].end is e.End.ROLLED_BACK
    assert (story.assigned("web-2").release, twins(story)) == (OLD, [])


def test_an_abort_beside_a_silent_twin_ends_and_takes_the_order_to_restart_back() -> None:
    story = begun(host_within=40)
    story.ask(c.Abort("web", "no more"))
    story.settle()
    assert story.rollout.end is None
    story.passing(101, silent=["web-2"])
    assert story.rollout.end is e.End.ABORTED
    assert twins(story) == []


def test_a_pause_begins_no_twin_and_lets_one_under_way_arrive() -> None:
    story = Story(3, twin_control=True)
    story.deploy()
    story.ask(c.Pause("web"))
    story.all_take()
    assert twins(story) == []
    story.ask(c.Resume("web"))
    story.settle()
    assert twins(story) == ["web-2"]
    story.ask(c.Pause("web"))
    story.takes("web-2")
    assert story.moving() == []
    story.ask(c.Resume("web"))
    story.settle()
    assert story.moving() == ["web-1"]


def test_a_coordinator_that_starts_anew_goes_on_from_the_facts_alone() -> None:
    story = begun()
    story.keep(e.CoordinatorStarted(2))
    assert decide(story.state, story.view, story.now) == []
    assert twins(story) == ["web-2"]
    story.takes("web-2")
    assert story.moving() == ["web-1"]


def test_the_plan_says_who_is_restarted_or_why_nobody_is() -> None:
    def said(story: Story) -> str:
        return "; ".join(plan_deploy(story.state, story.view, story.policy, NEW.version, now=story.now).checks)

    assert "web-2 is restarted on 1.0.0 beside the canary" in said(Story(3, twin_control=True))
    assert "no host of a later wave serves 1.0.0 well" in said(Story(1, twin_control=True, allow_outage=True))
    assert "nothing is examined" in said(Story(3, twin_control=True, examine=0))
    assert "twin" not in said(Story(3)) + said(Story(3, first=None, twin_control=True))
    assert "restarted on" not in said(Story(3))


def test_one_that_forgot_its_restart_is_told_it_once_more_only_where_nobody_else_is_out_and_before_the_examine() -> (
    None
):
    story = begun()

    def told() -> bool:
        return valid_until(story.state, story.view, "web-2", "web", story.now, 900.0) > story.now

    story.takes("web-2")
    put_back(story, "web-2")
    assert (story.moving(), told()) == (["web-1"], False)
    story.takes("web-1")
    assert (story.rollout.stage, told()) == (e.Stage.ROLLING, True)
    story.takes("web-2")
    put_back(story, "web-2")
    assert (story.rollout.stage, told()) == (e.Stage.EXAMINING, False)
