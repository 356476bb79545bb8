"""Hosts whose disks were put back to an older state come to their release one after the other, not all at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from noonday_coordinator.api.waiting import waiting_for
from noonday_coordinator.core import commands as c
from noonday_coordinator.core import events as e
from noonday_coordinator.core.astray import astray
from noonday_coordinator.core.coming_home import plan_reconcile
from noonday_coordinator.core.state import HostState
from noonday_coordinator.core.view import Judgement
from noonday_coordinator.outgoing import Outgoing
from noonday_coordinator.verdict.limits import Case, broken_limits
from noonday_shared.messages import Outcome, Phase, TroubleReport
from support.odd_hosts import drift, put_back, told
from support.story import NEW, OLD, OLDER, OTHER, Story, only


def on_new() -> Story:
    story = Story(examine=0)
    story.deploy()
    story.all_take()
    for name in story.names:
        story.takes(name)
    story.settle()
    assert all(report is not None and report.live == NEW.id for report in (story.on(n).report for n in story.names))
    return story


def test_after_a_rollout_one_of_them_is_told_at_a_time() -> None:
    story = on_new()
    for name in story.names:
        put_back(story, name)
    assert len(told(story)) == 1


def test_none_is_told_while_a_rollout_moves_others() -> None:
    story = Story(examine=0)
    story.deploy()
    story.all_take()
    first = story.names[0]
    story.takes(first)
    assert story.moving()
    put_back(story, first)
    assert told(story) == story.moving()


def examining(**changes: Any) -> Story:
    """The canary serves the new release and is compared, when its disk is put back."""
    story = Story(examine=60, **changes)
    story.deploy()
    story.all_take()
    story.takes("web-1")
    story.passing(30.0)
    assert story.rollout.stage is e.Stage.EXAMINING
    put_back(story, "web-1")
    return story


def test_a_canary_that_lost_its_release_gets_it_again_and_is_examined_anew() -> None:
    story = examining()
    story.judge("promote")
    story.passing(1.0)
    assert (story.moving(), story.assigned("web-1").release) == (["web-1"], NEW)
    assert "web-1 serves 1.0.0 again" in story.rollout.reason
    story.takes("web-1")
    assert story.rollout.stage is e.Stage.EXAMINING
    story.passing(59.0)
    assert story.rollout.stage is e.Stage.EXAMINING
    story.passing(2.0)
    assert story.moving() == ["web-2"]


def test_one_of_an_earlier_wave_goes_once_more_beside_those_that_follow() -> None:
    story = Story(examine=0)
    story.deploy()
    story.all_take()
    story.takes("web-1")
    assert story.moving() == ["web-2"]
    put_back(story, "web-1")
    story.takes("web-2")
    assert story.moving() == ["web-1"]
    story.takes("web-1")
    assert story.moving() == ["web-3"]
    story.takes("web-3")
    assert story.rollout.reason == "All 3 hosts serve 1.1.0."


def test_it_goes_once_more_only_while_nobody_else_is_out_though_it_does_not_serve_at_its_start() -> None:
    story = Story(4, examine=0, max_unavailable=2)
    story.deploy()
    story.all_take()
    story.takes("web-1")
    assert story.moving() == ["web-2", "web-3"]
    put_back(story, "web-1", in_service=False)
    story.takes("web-2")
    assert "web-1" not in story.moving()
    story.takes("web-3")
    assert story.moving() == ["web-1", "web-4"]


def ends_without(name: str) -> Story:
    """Its disk was put back, and it was silent when the rollout ended."""
    story = Story(examine=0)
    story.deploy()
    story.all_take()
    story.takes("web-1")
    story.takes("web-2")
    put_back(story, name)
    story.passing(story.policy.unreachable_after + 1.0, silent=[name])
    story.takes("web-3")
    assert story.rollout.end is e.End.DONE
    return story


def test_one_that_lost_it_and_is_silent_is_no_host_that_serves() -> None:
    story = ends_without("web-1")
    assert story.rollout.reason == (
        "2 of 3 hosts serve 1.1.0. web-1 serves 1.0.0 again and is told again once there is room: "
        "noonday reconcile web --plan."
    )


def test_who_lost_it_is_astray_until_it_took_it_up_again() -> None:
    story = at_rest()
    put_back(story, "web-1")
    (found,) = astray(story.state, story.state.app("web"), story.policy)
    assert (found.host, found.told, found.by_itself) == ("web-1", "1.1.0", False)
    plan = plan_reconcile(story.state, story.view, story.policy, now=story.now)
    assert list(plan.not_now) == ["web-1"]
    story.takes("web-1")
    assert astray(story.state, story.state.app("web"), story.policy) == ()


def at_rest() -> Story:
    """After that rollout, all hosts said that they took up the last word of it."""
    story = on_new()
    for name in story.names:
        story.takes(name)
    return story


def test_one_that_just_comes_up_is_told_like_one_that_serves_since_it_will_before_it_is_prepared() -> None:
    story = at_rest()
    story.report("web-2", in_service=False)
    story.report("web-3", in_service=False)
    put_back(story, "web-1", in_service=False)
    assert told(story) == [], "it may be the only one that serves, a moment from now"
    story.report("web-2", in_service=True)
    assert told(story) == [], "one is out, and one may be"
    story.report("web-3", in_service=True)
    story.keep(e.HostDrained("web-3"), by="alice")
    assert told(story) == [], "one is about to go out, as an operator wants it"
    story.keep(e.HostUndrained("web-3"))
    assert told(story) == ["web-1"]


def test_one_that_stays_out_loses_nothing_whoever_else_is_out_and_whatever_is_under_way() -> None:
    story = at_rest()
    story.report("web-2", in_service=False)
    put_back(story, "web-1", in_service=False)
    story.passing(story.policy.unreachable_after)
    assert told(story) == ["web-1"]
    story.deploy(OTHER.version)
    put_back(story, "web-1", in_service=False)
    story.passing(story.policy.unreachable_after)
    assert "web-1" in told(story)


def test_while_what_was_said_to_it_may_be_on_its_way_no_other_host_is_taken_out() -> None:
    story = at_rest()
    put_back(story, "web-1")
    story.passing(story.policy.host_within)
    assert told(story) == ["web-1"]
    story.enroll("web-4")
    story.names = (*story.names, "web-4")
    story.report("web-4", live="", proven=None, in_service=True)
    story.ask(c.Reconcile("web", story.policy.model_copy(update={"unreachable_after": 30.0})))
    story.settle()
    assert story.rollout.members == ("web-4",)
    story.takes("web-4")
    assert story.moving() == []
    story.passing(story.policy.unreachable_after)
    assert story.moving() == ["web-4"]


def lost_for_good(**changes: Any) -> Story:
    """The canary's disk was put back while web-3 is out of service, and all that was seen before speaks for 1.1.0."""
    story = examining(**changes)
    story.report("web-3", in_service=False)
    story.judge("promote")
    return story


def test_a_release_that_no_canary_has_any_more_is_not_promoted_by_what_was_seen_before_but_a_person_is_asked() -> None:
    story = lost_for_good()
    assert story.passing(60.0) == []
    told = waiting_for(story.rollout, story.state, story.view, story.now)
    assert "web-1 serves 1.0.0 again and can't be brought to 1.1.0 once more: web-3 is out of service" in told
    (asked,) = only(story.passing(60.0), e.Asked)
    assert "web-1 serves 1.0.0 again" in asked.question
    assert "noonday promote web" in asked.question
    assert story.passing(600.0) == [], "it is asked once"
    story.ask(c.Promote("web"))
    story.settle()
    assert (story.rollout.stage, story.rollout.wave) == (e.Stage.ROLLING, 1)


@pytest.mark.parametrize("changes", [{"on_hold": "promote"}, {"on_little_evidence": "promote"}])
def test_no_policy_promotes_what_no_canary_has(changes: dict[str, Any]) -> None:
    story = examining(**changes)
    story.report("web-3", in_service=False)
    story.judge("hold" if "on_hold" in changes else "promote", requests=0)
    found = story.passing(121.0)
    assert (len(only(found, e.Asked)), only(found, e.VerdictReached)) == (1, [])


def test_no_policy_sends_a_release_back_for_a_hold_while_no_canary_has_it() -> None:
    story = lost_for_good(on_hold="rollback")
    story.judge("hold", "what it did before")
    story.passing(121.0)
    assert story.rollout.stage is e.Stage.EXAMINING
    assert "web-1 serves 1.0.0 again" in story.rollout.asked


def test_once_there_is_room_such_a_canary_is_brought_forward_and_the_question_falls() -> None:
    story = lost_for_good()
    assert only(story.passing(121.0), e.Asked)
    story.report("web-3", in_service=True)
    story.settle()
    assert (story.moving(), story.rollout.asked) == (["web-1"], "")


def test_a_host_that_has_another_release_again_is_not_held_against_the_one_it_lost() -> None:
    story = examining()
    story.report("web-1", healthy=False)
    hosts = {name: story.on(name) for name in story.names}
    assert broken_limits(Case(story.rollout, hosts, story.now + 60.0)) == ()


def test_while_all_servers_suffer_none_of_them_is_taken_out() -> None:
    story = examining()
    suffer = e.Finding("health", "shared-trouble", False, "errors on all hosts")
    judgement = Judgement("hold", "not this release", 100, findings=(suffer,), at=story.now)
    story.view = replace(story.view, judgements={story.rollout.id: judgement})
    assert story.settle() == []
    told = waiting_for(story.rollout, story.state, story.view, story.now)
    assert "once more: errors on all hosts" in told
    story.judge("hold", "something is odd")
    story.settle()
    assert story.moving() == ["web-1"]


def test_none_of_them_is_taken_out_while_no_other_host_is_known_to_be_well() -> None:
    story = examining()
    for name in ("web-2", "web-3"):
        story.report(name, healthy=None)
    assert story.settle() == []
    story.report("web-2", healthy=True)
    story.settle()
    assert story.moving() == ["web-1"]


def test_hosts_that_stay_undone_at_the_end_count_as_left_out_also_once_they_took_it_up() -> None:
    story = ends_without("web-1")
    left = {"web-1": "serves 1.0.0 again"}
    assert story.rollout.left_out == left
    story.takes("web-1")
    assert story.rollout.left_out == left


def test_one_that_took_up_from_its_queue_what_it_was_to_stay_on_comes_home_by_itself() -> None:
    story = on_new()
    for name in story.names:
        story.takes(name)
    put_back(story, "web-3")
    assert story.assigned("web-3").stay
    story.takes("web-3", Outcome.FAILED, trouble=TroubleReport(rule="put-back", step="prepare", text="It has 1.0.0."))
    assert (story.rollout.kind, story.rollout.members) == ("reconcile", ("web-3",))
    assert story.rollout.reason == "web-3 serves 1.0.0 instead of 1.1.0: its disk was put back to an older state"


def test_of_two_whose_last_orders_are_of_different_rollouts_one_is_told_at_a_time() -> None:
    story = on_new()
    for name in story.names:
        story.takes(name)
    put_back(story, "web-3")
    story.takes("web-3", Outcome.FAILED, trouble=TroubleReport(rule="put-back", step="prepare", text="It has 1.0.0."))
    for _ in range(3):
        story.takes("web-3")
    assert (story.rollout.kind, story.rollout.end) == ("reconcile", e.End.DONE)
    assert story.assigned("web-3").rollout != story.assigned("web-1").rollout
    put_back(story, "web-1")
    put_back(story, "web-3")
    assert told(story) == ["web-1"]
    story.takes("web-1")
    assert told(story) == ["web-3"]


def test_none_is_told_while_one_that_came_since_is_out_because_of_us() -> None:
    story = on_new()
    story.enroll("web-4")
    story.report("web-4", live="", proven=None, in_service=False, generation=0)
    story.names = (*story.names, "web-4")
    for name in (*story.names, "web-4", "web-4", "web-4"):
        story.takes(name)
    put_back(story, "web-4")
    assert told(story) == ["web-4"]
    working: dict[str, Any] = {"generation": story.assigned("web-4").generation, "outcome": Outcome.WORKING}
    story.report("web-4", phase=Phase.WARMING_UP, in_service=False, **working)
    put_back(story, "web-2")
    assert told(story) == []


def test_the_only_host_is_told_also_where_the_last_rollout_left_it_out() -> None:
    story = Story(1, examine=0, offline="skip", prepare_within=60, allow_outage=True)
    story.deploy()
    for _ in range(4):
        story.passing(20.0, silent=["web-1"])
    assert (story.rollout.end, story.where("web-1")) == (e.End.FAILED, HostState.SKIPPED)
    story.hear("web-1")
    story.settle()
    story.takes("web-1")
    story.report("web-1", generation=1, live=OLDER.id, proven=OLDER)
    assert told(story) == ["web-1"]


def test_one_that_tried_to_come_back_to_it_and_could_not_is_left_as_it_is_with_its_trouble() -> None:
    story = on_new()
    for name in story.names:
        story.takes(name)
    put_back(story, "web-3")
    assert told(story) == ["web-3"]
    story.takes("web-3", Outcome.REVERTED, live=OLD.id, proven=OLD)
    assert (story.rollout.kind, drift(story)) == (
        "deploy",
        {"web-3": "serves 1.0.0 instead of 1.1.0: warm-up: GET /: 503"},
    )


def test_one_whose_disk_was_put_back_to_before_its_first_release_comes_home_by_itself() -> None:
    story = on_new()
    story.deploy(OTHER.version)
    story.report("web-3", generation=0, outcome=Outcome.NONE, live="", proven=None, healthy=False)
    story.takes("web-3")
    story.ask(c.Abort("web"))
    story.settle()
    assert drift(story) == {"web-3": "has no web yet: its agent forgot that, as when its disk was put back"}
    for name in ("web-1", "web-2"):
        story.takes(name)
    assert (story.rollout.kind, story.rollout.members) == ("reconcile", ("web-3",))


def test_what_it_is_to_stay_on_is_said_as_an_order_to_move_once_there_is_room_for_it() -> None:
    story = on_new()
    outgoing = Outgoing(lambda app, release: "")
    put_back(story, "web-3")
    said = {one.host: one for one in outgoing.due(story.state, story.view, story.now)}
    assert (said["web-3"].release, said["web-3"].stay) == (NEW, False)
    assert (said["web-2"].release, said["web-2"].stay) == (NEW, True)


def test_one_that_serves_an_older_release_is_told_what_that_is_when_the_release_of_record_goes_out_anew() -> None:
    story = on_new()
    for name in story.names:
        story.takes(name)
    story.report("web-1", live=OLD.id, proven=OLD)
    story.deploy()
    story.all_take()
    assert (story.assigned("web-1").release, story.assigned("web-1").previous) == (NEW, OLD)
