"""Hosts that are new, back, changed by hand or drained: brought home by the safe path, or left as they are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from noonday_coordinator.core import commands as c
from noonday_coordinator.core import events as e
from noonday_coordinator.core.coming_home import AGAIN_AFTER, plan_reconcile
from noonday_coordinator.core.plan import plan_deploy
from noonday_coordinator.core.state import HostState
from noonday_coordinator.core.view import CATCH_UP, View
from noonday_coordinator.outgoing import Outgoing
from noonday_shared.errors import BadInput
from noonday_shared.messages import Goal, Outcome
from support.odd_hosts import away, by_itself, done, drift, live
from support.story import NEW, OLD, OLDER, OTHER, Story, only


def missed(hosts: int = 3, **changes: Any) -> Story:
    """1.1.0 is everywhere but on web-2, which was away, and which is heard again."""
    story = away(Story(hosts, offline="skip", examine=0, **changes), "web-2")
    story.deploy()
    done(story)
    assert drift(story) == {"web-2": "serves 1.0.0 instead of 1.1.0: it missed a rollout"}
    return story


def test_a_host_that_is_back_is_prepared_then_drained_and_brought_to_the_release_of_record() -> None:
    story = missed()
    story.passing(1.0)
    assert (story.rollout.kind, story.rollout.members, story.rollout.release) == ("reconcile", ("web-2",), NEW)
    assert story.assigned("web-2").goal is Goal.PREPARED
    story.takes("web-2")
    assert story.assigned("web-2").goal is Goal.SERVING
    story.takes("web-2")
    assert (story.rollout.end, drift(story)) == (e.End.DONE, {})
    app = story.state.app("web")
    assert (app.current, app.previous, app.recorded) == (NEW, OLD, "r2")


def test_it_stays_as_it_is_while_it_is_not_heard_or_where_the_policy_says_so() -> None:
    story = missed()
    assert story.passing(31.0, silent=["web-2"]) == []
    assert by_itself(story) == {"web-2": True}
    story = missed(catch_up=False)
    assert story.passing(1.0) == []
    assert by_itself(story) == {"web-2": False}


def test_nobody_is_brought_home_while_the_coordinator_is_cut_off_from_the_broker() -> None:
    story = missed()
    story.hear("web-2")
    story.view = replace(story.view, deaf=True)
    assert story.settle() == []
    story.view = replace(story.view, deaf=False)
    assert story.settle()


def test_it_is_told_what_it_serves_so_that_it_finds_its_way_back_also_without_its_memory() -> None:
    story = missed()
    story.passing(1.0)
    story.takes("web-2")
    assert story.moving() == ["web-2"]
    told = story.assigned("web-2")
    assert (told.release, told.previous) == (story.rollout.release, OLD)


def test_it_waits_while_another_host_is_out() -> None:
    story = missed()
    story.report("web-3", in_service=False)
    assert story.passing(1.0) == []
    story.report("web-3", in_service=True)
    story.settle()
    assert story.rollout.kind == "reconcile"


def test_it_does_not_wait_for_one_that_serves_and_never_takes_its_last_order_up() -> None:
    story = Story(4, examine=0, offline="skip")
    story.passing(600.0)
    story.passing(100.0, silent=["web-1"])
    story.deploy()
    for name in (*story.names[1:], "web-2", "web-3", "web-4"):
        story.takes(name)
    assert story.rollout.end is e.End.DONE
    for name in ("web-3", "web-4"):
        story.takes(name)  # that it stays as it is, which web-2 does not take up
    for _ in range(3):
        story.passing(300.0)
    assert (story.rollout.kind, story.rollout.members) == ("reconcile", ("web-1",))
    story.takes("web-1")
    story.passing(story.policy.unreachable_after)
    assert story.moving() == ["web-1"]


def test_one_that_is_out_anyway_does_not_wait_for_others() -> None:
    story = missed()
    story.report("web-3", in_service=False)
    story.report("web-2", in_service=False)
    story.settle()
    assert story.moving() == [], "it may be back in a second"
    story.passing(story.policy.unreachable_after)
    story.takes("web-2", in_service=False)
    assert story.moving() == ["web-2"]


def test_hosts_come_home_one_at_a_time() -> None:
    story = away(Story(4, offline="skip", examine=0), "web-2", "web-4")
    story.deploy()
    done(story)
    story.passing(1.0)
    assert story.rollout.members == ("web-2",)
    done(story)
    story.passing(1.0)
    assert story.rollout.members == ("web-4",)


def test_one_that_can_not_take_the_release_is_left_alone_and_named() -> None:
    story = missed()
    story.passing(1.0)
    story.takes("web-2")
    (ended,) = only(story.takes("web-2", Outcome.REVERTED), e.RolloutEnded)
    assert ended.end is e.End.FAILED
    assert story.passing(86_400.0) == []
    assert "r3 failed there: warm-up: GET /: 503" in drift(story)["web-2"]
    assert not story.state.app("web").releases[NEW.version].blocked


def test_one_that_could_not_prepare_is_tried_again_after_a_while_and_not_for_ever() -> None:
    story = missed(prepare_within=10)
    tries = 0
    for _ in range(20):
        story.passing(AGAIN_AFTER)
        if story.rollout.kind == "reconcile" and story.rollout.end is None:
            tries += 1
            story.takes("web-2", Outcome.FAILED)
            story.takes("web-2")
    assert tries == 5
    assert by_itself(story) == {"web-2": False}


def test_one_that_could_not_prepare_is_told_to_serve_what_it_serves() -> None:
    story = missed()
    story.passing(1.0)
    story.takes("web-2", Outcome.FAILED)
    assert story.rollout.end is e.End.FAILED
    assert (story.assigned("web-2").goal, story.assigned("web-2").release) == (Goal.SERVING, OLD)


def test_a_person_may_stop_it_and_it_does_not_begin_again() -> None:
    story = missed()
    story.passing(1.0)
    story.ask(c.Abort("web"))
    assert story.rollout.end is e.End.ABORTED
    for _ in range(2):
        story.takes("web-2")
    assert story.passing(86_400.0) == []
    assert by_itself(story) == {"web-2": False}


def test_a_rollout_does_not_wait_for_it_but_takes_over() -> None:
    story = missed()
    story.passing(1.0)
    story.takes("web-2")
    assert story.moving() == ["web-2"]
    story.deploy(OTHER.version)
    assert story.state.rollouts["r3"].end is e.End.SUPERSEDED
    assert story.rollout.members == ("web-1", "web-2", "web-3")
    done(story)
    assert drift(story) == {}


def test_a_rollback_takes_over_too_and_takes_who_is_on_its_way_first() -> None:
    story = missed()
    for name in story.names:
        story.report(name, prepared=(OLD.id, NEW.id))
    story.passing(1.0)
    story.takes("web-2")
    story.rollback("slow")
    assert story.rollout.kind == "rollback"
    assert story.moving() == ["web-2"]


def test_a_new_host_gets_the_release_of_record_in_quiet_times() -> None:
    story = Story(examine=0)
    story.deploy()
    done(story)
    story.names = (*story.names, "web-9")
    story.enroll("web-9")
    story.report("web-9", live="", proven=None, in_service=False, healthy=None)
    story.settle()
    assert (story.rollout.kind, story.rollout.members) == ("reconcile", ("web-9",))
    done(story)
    assert live(story, "web-9") == NEW.id


def joined() -> Story:
    """web-9 is new while the canary is examined."""
    story = Story()
    story.deploy()
    story.all_take()
    story.takes("web-1")
    assert story.rollout.stage is e.Stage.EXAMINING
    story.names = (*story.names, "web-9")
    story.enroll("web-9")
    story.report("web-9", live="", proven=None, in_service=False, healthy=None)
    story.settle()
    return story


def test_a_new_host_in_mid_rollout_serves_the_old_release_until_the_verdict() -> None:
    story = joined()
    assert (story.assigned("web-9").goal, story.assigned("web-9").release) == (Goal.SERVING, OLD)
    assert not story.assigned("web-9").observe
    assert story.rollout.stage is e.Stage.EXAMINING
    story.takes("web-9")
    story.judge("promote")
    story.passing(61.0)
    story.takes("web-2")
    story.takes("web-3")
    assert story.state.rollouts["r2"].end is e.End.DONE
    for name in story.names[:3]:
        story.takes(name)
    assert (story.rollout.kind, story.rollout.members) == ("reconcile", ("web-9",))
    done(story)
    assert live(story, "web-9") == NEW.id


def test_a_new_host_in_mid_rollout_stays_on_the_old_release_when_the_verdict_is_bad() -> None:
    story = joined()
    story.takes("web-9")
    story.judge("roll back")
    story.passing(1.0)
    story.takes("web-1")
    assert story.rollout.end is e.End.ROLLED_BACK
    story.passing(100.0)
    assert (live(story, "web-9"), drift(story)) == (OLD.id, {})


def test_a_new_host_that_gets_requests_already_is_not_touched_before_the_end() -> None:
    story = Story()
    story.deploy()
    story.names = (*story.names, "web-9")
    story.enroll("web-9")
    story.report("web-9", live=OLDER.id, proven=None, in_service=True)
    story.settle()
    assert story.on("web-9").assigned is None


# Changed by hand


def by_hand(**changes: Any) -> Story:
    """`current` of web-2 was moved to 0.9.0."""
    story = Story(examine=0, **changes)
    story.deploy()
    done(story)
    story.report("web-2", live=OLDER.id)
    return story


def test_what_was_changed_by_hand_is_shown_and_left_as_it_is() -> None:
    story = by_hand()
    assert story.passing(86_400.0) == []
    words = "serves 0.9.0 instead of 1.1.0: changed by hand, since 1.1.0 was last proven there"
    assert drift(story) == {"web-2": words}


def test_a_person_has_it_mended_by_the_safe_path() -> None:
    story = by_hand()
    plan = plan_reconcile(story.state, story.view, story.policy, now=story.now)
    assert ([one.host for one in plan.hosts], plan.release, plan.not_now) == (["web-2"], NEW, {})
    story.ask(c.Reconcile("web", story.policy))
    story.settle()
    assert story.assigned("web-2").goal is Goal.PREPARED
    done(story)
    assert drift(story) == {}


def test_who_mends_several_hosts_takes_out_one_at_a_time_and_stops_for_none() -> None:
    story = by_hand(max_unavailable="100%")
    story.report("web-3", live=OLDER.id)
    story.ask(c.Reconcile("web", story.policy))
    story.settle()
    story.takes("web-2")
    story.takes("web-3")
    assert story.moving() == ["web-2"]
    story.takes("web-2", Outcome.REVERTED)
    assert story.moving() == ["web-3"]
    (ended,) = only(story.takes("web-3"), e.RolloutEnded)
    assert ended.end is e.End.FAILED
    assert ended.reason.startswith("1 of 2 hosts serve 1.1.0. Left out: web-2")


def test_the_last_host_in_service_is_not_mended() -> None:
    story = by_hand(host_within=100)
    story.report("web-1", in_service=False)
    story.report("web-3", in_service=False)
    story.ask(c.Reconcile("web", story.policy))
    story.settle()
    story.takes("web-2")
    assert story.moving() == []
    (ended,) = only(story.passing(100.0), e.RolloutEnded)
    assert "web-1 is out of service, web-3 is out of service" in ended.reason


def test_a_fleet_of_one_host_is_mended_only_where_an_outage_is_allowed() -> None:
    story = Story(1, allow_outage=True, examine=0)
    story.deploy()
    done(story)
    story.report("web-1", live=OLDER.id)
    strict = story.policy.model_copy(update={"allow_outage": False})
    with pytest.raises(BadInput, match="to mend it means an outage"):
        story.ask(c.Reconcile("web", strict))
    story.ask(c.Reconcile("web", story.policy))
    assert done(story).rollout.kind == "reconcile"


def test_there_is_nothing_to_mend_before_the_first_rollout_or_when_all_is_well() -> None:
    with pytest.raises(BadInput, match="has no release of record"):
        Story(first=None).ask(c.Reconcile("web", Story().policy))
    story = Story()
    assert story.ask(c.Reconcile("web", story.policy)) == ()


def test_what_can_not_be_mended_now_is_named_with_what_hinders() -> None:
    story = by_hand()
    story.ask(c.DrainHost("web-2"))
    story.settle()
    story.takes("web-2", live=OLDER.id)
    plan = plan_reconcile(story.state, story.view, story.policy, now=story.now)
    assert plan.not_now == {"web-2": "drained by alice: noonday undrain web-2"}
    assert story.ask(c.Reconcile("web", story.policy)) == ()


# Drained by an operator


def test_a_drained_host_is_left_out_and_comes_home_once_it_may_serve_again() -> None:
    story = Story(offline="skip", examine=0)
    story.ask(c.DrainHost("web-2"))
    story.settle()
    story.takes("web-2")
    story.deploy()
    assert story.rollout.left_out == {"web-2": "drained by alice"}
    done(story)
    assert story.passing(3600.0) == []
    assert story.assigned("web-2").goal is Goal.OUT
    story.ask(c.UndrainHost("web-2"))
    story.settle()
    assert story.assigned("web-2").release == OLD
    story.takes("web-2")
    assert (story.rollout.kind, story.rollout.members) == ("reconcile", ("web-2",))


# Given up on in mid-rollout


def left_behind() -> Story:
    """web-2 fell silent before it took up that it is to serve 1.1.0; the others serve it."""
    story = Story(4, examine=0, max_failures=1, host_within=100)
    story.deploy()
    story.all_take()
    story.takes("web-1")
    assert story.moving() == ["web-2"]
    story.passing(101.0 + 60.0, silent=["web-2"])
    assert story.where("web-2") is HostState.FAILED
    return story


def due(story: Story, name: str) -> bool:
    said = Outgoing(lambda app, release: f"https://here/{app}/{release.id}").due(story.state, story.view, story.now)
    return name in {one.host for one in said}


def test_a_host_that_was_given_up_on_is_not_told_again_to_leave_while_others_do() -> None:
    story = left_behind()
    assert not due(story, "web-2")
    story.passing(1.0)
    assert not due(story, "web-2")
    story.settle()
    assert story.moving() == ["web-3"]


def test_one_that_never_took_it_up_is_told_to_stay_as_it_is_and_waits_for_a_person() -> None:
    story = left_behind()
    story.passing(1.0)
    for name in ("web-3", "web-4"):
        story.takes(name)
    assert story.rollout.end is e.End.DONE
    assert set(story.rollout.left_out) == {"web-2"}
    story.settle()
    assert (story.assigned("web-2").goal, story.assigned("web-2").release) == (Goal.SERVING, OLD)
    assert due(story, "web-2")
    story.takes("web-2")
    assert "r2 failed there: no end of its step was reported" in drift(story)["web-2"]
    assert story.passing(3600.0) == []
    story.ask(c.Reconcile("web", story.policy))
    assert story.rollout.members == ("web-2",)


def test_one_that_took_it_up_and_only_said_so_late_is_where_it_should_be() -> None:
    story = left_behind()
    story.takes("web-2")
    for name in ("web-3", "web-4"):
        story.takes(name)
    story.takes("web-2")
    assert drift(story) == {}


def test_after_a_backup_was_put_back_nobody_is_brought_to_what_may_be_long_over() -> None:
    story = Story(examine=0)
    story.deploy()
    done(story)
    story.enroll("web-9")
    story.report("web-9", live=OTHER.id, proven=OTHER, generation=77)
    story.state = replace(story.state, restored_at=story.now)
    assert story.settle() == []
    assert drift(story) == {}


def test_a_host_that_forgot_what_was_proven_and_can_not_prove_it_again_is_shown_with_its_trouble() -> None:
    story = Story(examine=0)
    story.deploy()
    done(story)
    story.takes("web-2", Outcome.FAILED, proven=None, in_service=False)
    assert drift(story) == {"web-2": "has 1.1.0, which was not proven to run there: warm-up: GET /: 503"}
    assert story.passing(3600.0) == []
    story.ask(c.Reconcile("web", story.policy))
    assert story.rollout.members == ("web-2",)


def test_percentages_are_of_the_hosts_that_are_there() -> None:
    story = away(Story(4, offline="skip", max_unavailable="50%"), "web-1")
    assert plan_deploy(story.state, story.view, story.policy, NEW.version, now=story.now).limit == 1


def test_a_restart_of_the_coordinator_forgets_nothing_of_all_this() -> None:
    story = missed()
    story.view = replace(View(), since=story.now)
    assert story.settle() == []
    story.now += CATCH_UP
    story.hear("web-2")
    story.settle()
    assert story.rollout.members == ("web-2",)


def test_a_host_that_was_left_out_while_it_prepared_and_lost_its_disk_since_is_told_as_any_other() -> None:
    story = Story(4, prepare_within=100, offline="skip", examine=0)
    story.deploy()
    for name in ("web-1", "web-3", "web-4"):
        story.takes(name)
    story.passing(100.0, silent=["web-2"])
    assert story.where("web-2") is HostState.SKIPPED
    for name in ("web-1", "web-3", "web-4"):
        story.takes(name)
    assert story.rollout.end is e.End.DONE
    story.hear("web-2")
    story.settle()
    assert story.assigned("web-2").release == OLD
    story.report("web-2", live=OLDER.id)
    assert due(story, "web-2")
