"""A way back that fails: it stops, keeps out who is out, says so, and nothing goes forth and back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from noonday_coordinator.core import commands as c
from noonday_coordinator.core import events as e
from noonday_coordinator.core.room import limit_of, may_go_back
from noonday_coordinator.core.state import HostState, InRollout
from noonday_coordinator.evidence_desk import unproven
from noonday_coordinator.outgoing import Outgoing
from noonday_shared.errors import BadInput
from noonday_shared.messages import Goal, Outcome, Phase, TroubleReport
from support.odd_hosts import by_itself, done, drift, live, put_back
from support.story import NEW, OLD, OTHER, Story, only

HELD = (OLD.id, NEW.id, OTHER.id)


def half_rolled(hosts: int = 6, **changes: Any) -> Story:
    """All but the last have the new release, and some of these are at work on it."""
    story = Story(hosts, examine=0, **changes)
    for name in story.names:
        story.report(name, prepared=HELD)
    story.deploy()
    story.all_take()
    for name in story.names[:-2]:
        story.takes(name)
    assert story.moving()
    return story


def strands(story: Story, name: str) -> list[e.Event]:
    return story.takes(name, Outcome.FAILED, in_service=False, healthy=False, phase=Phase.OUT, live=OLD.id)


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.REVERTED])
def test_the_first_that_can_not_serve_the_old_release_again_ends_it_for_the_others(outcome: Outcome) -> None:
    story = half_rolled()
    story.rollback("slow")
    (first,) = story.moving()
    (ended,) = only(story.takes(first, outcome, in_service=outcome is Outcome.REVERTED), e.RolloutEnded)
    assert ended.end is e.End.FAILED
    assert ended.reason.startswith("rolled back by alice: slow The way back stops here, nothing goes forth and back: ")
    assert f"{first} could not serve 1.0.0" in ended.reason
    assert ended.reason.endswith(f"Mend {first} (noonday hosts), then: noonday reconcile web.")
    assert story.where(first) is HostState.LOST
    assert len(story.rollout.in_state(HostState.KEPT)) == 4
    assert story.state.app("web").releases[NEW.version].blocked


def test_nobody_else_leaves_for_it_by_itself_and_each_keeper_says_why() -> None:
    story = half_rolled()
    story.rollback("slow")
    (first,) = story.moving()
    strands(story, first)
    for name in story.names:
        if name != first:
            story.takes(name)
    assert only(story.passing(86_400.0), e.RolloutStarted) == []
    assert set(by_itself(story).values()) == {False}
    assert "the way back stopped, since" in drift(story)["web-1"]
    story.ask(c.Reconcile("web", story.policy))
    assert story.rollout.kind == "reconcile"


def test_who_is_on_its_way_back_by_then_ends_it_first() -> None:
    story = half_rolled(max_unavailable=2)
    story.rollback("slow")
    first, second = story.moving()
    assert only(strands(story, first), e.RolloutEnded) == []
    assert story.moving() == [second]
    (ended,) = only(story.takes(second), e.RolloutEnded)
    assert (ended.end, story.where(second)) == (e.End.FAILED, HostState.BACK)


def test_one_that_can_not_fetch_it_never_left_and_comes_last() -> None:
    story = half_rolled(4)
    story.report("web-2", prepared=(NEW.id,))
    story.rollback("slow")
    order = []
    while story.rollout.end is None:
        (name,) = story.moving()
        order.append(name)
        trouble = TroubleReport(rule="fetch", step="prepare", text="404.")
        changes = {"trouble": trouble, "live": NEW.id, "proven": NEW} if name == "web-2" else {}
        story.takes(name, Outcome.FAILED if name == "web-2" else Outcome.DONE, **changes)
    assert order == ["web-3", "web-1", "web-2"]
    assert "Could not be brought back: web-2" in story.rollout.reason


@pytest.mark.parametrize(("most", "moving"), [(1, 1), (2, 1), (3, 2)])
def test_one_that_stays_out_because_of_us_leaves_the_others_less_room_on_the_way_back_but_some(
    most: int, moving: int
) -> None:
    story = half_rolled(8)
    story.takes(story.moving()[0])
    (last,) = story.moving()
    story.report(last, in_service=False, healthy=False, phase=Phase.OUT)
    story.policy = story.policy.model_copy(update={"max_unavailable": most})
    rollout = replace(story.rollout, policy=story.policy, hosts={**story.rollout.hosts, last: InRollout()})
    story.state = replace(story.state, rollouts={**story.state.rollouts, rollout.id: rollout})
    assert len(may_go_back(story.state, story.view, story.rollout, story.names[:-1], story.now)) == moving


def failed_half_way() -> Story:
    """A person's rollback from 1.1.0 stopped: web-4 has 1.0.0, web-3 put 1.1.0 back by itself."""
    story = Story(4, examine=0)
    story.deploy()
    done(story)
    for name in story.names:
        story.takes(name, prepared=HELD)
    story.rollback("orders are lost")
    story.takes("web-4")
    story.takes("web-3", Outcome.REVERTED)
    assert story.rollout.end is e.End.FAILED
    return story


def test_what_a_rollback_was_to_leave_is_blocked_though_it_failed_half_way() -> None:
    story = failed_half_way()
    assert story.state.app("web").current == NEW
    assert story.state.app("web").releases[NEW.version].blocked == "rolled back by alice in r3"
    with pytest.raises(BadInput, match=r"1\.1\.0 was rolled back by alice"):
        story.deploy(NEW.version)


def test_nobody_is_brought_to_that_by_itself_neither_who_missed_it_nor_who_is_new() -> None:
    story = failed_half_way()
    story.enroll("web-9")
    story.names = (*story.names, "web-9")
    story.report("web-9", live="", proven=None, in_service=False)
    for name in story.names[:4]:
        story.takes(name)
    assert only(story.passing(86_400.0), e.RolloutStarted) == []
    story.ask(c.Unblock("web", NEW.version, "it was the network"))
    started = only(story.passing(1.0), e.RolloutStarted)
    assert [one.waves for one in started] == [(("web-9",),)]


def test_a_release_that_follows_leads_back_to_the_last_good_one() -> None:
    story = failed_half_way()
    for name in story.names:
        story.takes(name, prepared=HELD)
    story.deploy(OTHER.version)
    assert story.rollout.previous == OLD


def test_a_rollback_that_moved_nobody_blocks_nothing() -> None:
    story = Story(3, examine=0)
    story.deploy()
    done(story)
    story.rollback("slow")
    story.takes("web-3", Outcome.FAILED)
    assert story.rollout.end is e.End.FAILED
    assert not story.state.app("web").releases[NEW.version].blocked


def test_one_that_an_operator_lets_in_serves_no_release_that_was_blocked_meanwhile() -> None:
    story = Story(3, examine=0)
    story.deploy()
    done(story)
    for name in story.names:
        story.takes(name, prepared=HELD)
    story.ask(c.DrainHost("web-2"))
    story.settle()
    story.takes("web-2")
    story.rollback("orders are lost")
    assert story.rollout.skipped == ("web-2",)
    while story.rollout.end is None:
        story.takes(story.moving()[0])
    assert story.rollout.end is e.End.DONE
    story.ask(c.UndrainHost("web-2"))
    story.settle()
    assert (story.assigned("web-2").goal, story.assigned("web-2").release) == (Goal.SERVING, OLD)


def test_a_rollback_goes_on_without_hosts_that_are_away_and_though_too_few_are_left() -> None:
    story = Story(4, examine=0, min_healthy=3)
    story.deploy()
    done(story)
    for name in story.names:
        story.takes(name, prepared=HELD)
    story.passing(100.0, silent=["web-1", "web-2"])
    story.rollback("orders are lost")
    assert story.rollout.skipped == ("web-1", "web-2")
    while story.rollout.end is None:
        (name,) = story.moving()
        story.takes(name)
    assert (story.rollout.end, story.state.app("web").current) == (e.End.DONE, OLD)
    assert set(story.rollout.left_out) == {"web-1", "web-2"}


def test_while_one_goes_back_a_deploy_is_told_to_wait_for_it() -> None:
    story = half_rolled()
    story.rollback("slow")
    with pytest.raises(BadInput) as refused:
        story.deploy(OTHER.version)
    assert refused.value.next_action == "noonday show r2 --follow, then try again"


def test_one_that_was_changed_by_hand_in_mid_rollout_is_named_at_its_end_and_left_alone() -> None:
    story = Story(examine=0)
    story.deploy()
    story.all_take()
    story.takes("web-1")
    story.report("web-1", live=OLD.id)
    story.takes("web-2")
    (ended,) = only(story.takes("web-3"), e.RolloutEnded)
    assert ended.end is e.End.DONE
    assert ended.reason == (
        f"2 of 3 hosts serve {NEW}. web-1 was changed by hand and has 1.0.0: noonday reconcile web --plan."
    )
    assert set(story.rollout.left_out) == {"web-1"}
    assert story.assigned("web-1").release != OLD


@pytest.mark.parametrize("step", ["drain", "wait-idle", "switch"])
def test_one_that_could_not_leave_says_nothing_of_the_old_release_and_stops_nobody(step: str) -> None:
    story = half_rolled()
    story.rollback("slow")
    (first,) = story.moving()
    trouble = TroubleReport(rule="deadline", step=step, text="Waited 30 s, in vain.")
    story.takes(first, Outcome.FAILED, live=NEW.id, trouble=trouble)
    assert story.rollout.end is None
    assert len(story.moving()) == 1


def test_one_that_left_and_stays_out_ends_it_whatever_step_its_last_trouble_is_of() -> None:
    story = half_rolled()
    story.rollback("slow")
    (first,) = story.moving()
    trouble = TroubleReport(rule="stranded", step="switch", text="The process manager can't be asked.")
    story.takes(first, Outcome.FAILED, in_service=False, phase=Phase.OUT, live=OLD.id, trouble=trouble)
    assert story.rollout.end is e.End.FAILED
    assert story.rollout.in_state(HostState.KEPT)


def test_what_a_stopped_rollback_was_to_leave_is_never_gone_back_to() -> None:
    story = failed_half_way()
    for name in story.names:
        story.takes(name, prepared=HELD)
    story.deploy(OTHER.version)
    done(story)
    for name in story.names:
        story.takes(name, prepared=HELD)
    story.rollback("bad too")
    assert story.rollout.release == OLD


def test_its_errors_excuse_no_later_release_though_it_stays_of_record() -> None:
    assert NEW.id in unproven(failed_half_way().state.app("web"))


def said(story: Story) -> list[tuple[str, str]]:
    """What is said now, as the engine says it after a restart: host and version."""
    due = Outgoing(lambda app, release: "").due(story.state, story.view, story.now)
    return [(one.host, one.release.version) for one in due if one.release and not one.taken]


def test_one_that_was_away_and_whose_disk_was_put_back_is_not_told_what_was_rolled_back_meanwhile() -> None:
    story = Story(4, examine=0)
    story.deploy()
    done(story)
    for name in story.names:
        story.takes(name, prepared=HELD)
    story.passing(100.0, silent=["web-1"])
    story.rollback("orders are lost")
    while story.rollout.end is None:
        story.takes(story.moving()[0])
    put_back(story, "web-1")
    story.passing(60.0)
    assert ("web-1", NEW.version) not in said(story)


def test_nor_is_one_that_kept_it_and_lost_it() -> None:
    story = half_rolled()
    story.rollback("slow")
    story.takes(story.moving()[0], Outcome.REVERTED)
    for name in story.names:
        story.takes(name)
    put_back(story, "web-1")
    story.passing(60.0)
    assert ("web-1", NEW.version) not in said(story)


def test_one_that_was_to_try_again_and_never_had_it_is_not_told_it_after_the_way_back_stopped() -> None:
    story = Story(4, examine=0, on_regression="ask", host_within=60)
    for name in story.names:
        story.report(name, prepared=HELD)
    story.deploy()
    story.all_take()
    story.takes("web-1")
    (silent,) = story.moving()
    story.passing(31.0, silent=[silent])
    story.passing(100.0, silent=[silent])
    story.ask(c.Promote("web"))
    story.settle()
    story.rollback("slow")
    (ended,) = only(story.takes("web-1", Outcome.REVERTED, live=NEW.id, proven=NEW), e.RolloutEnded)
    assert f"{silent} keeps {OLD}" in ended.reason
    story.passing(100.0)
    assert (silent, NEW.version) not in said(story)


def test_half_rolled_hosts_of_a_rollout_before_are_kept_too_and_move_only_when_a_person_asks() -> None:
    story = half_rolled()
    story.takes("web-5")
    story.deploy(OTHER.version, supersede=True)
    for name in story.rollout.in_state(HostState.WAITING):
        story.takes(name, live=live(story, name))
    story.takes("web-1")
    story.rollback("slow")
    (ended,) = only(story.takes(story.moving()[0], Outcome.REVERTED), e.RolloutEnded)
    assert f"keep {NEW}" in ended.reason
    for name in story.names:
        if story.assigned(name).release is not None:
            story.takes(name, live=live(story, name), proven=story.on(name).report.proven)  # type: ignore[union-attr]
    assert only(story.passing(86_400.0), e.RolloutStarted) == []


def test_a_silent_one_that_was_given_up_on_before_is_not_told_to_leave_either() -> None:
    story = half_rolled(8, max_unavailable=2, host_within=60)
    story.rollback("slow")
    while story.where("web-8") is HostState.GOING_BACK:
        story.takes("web-8")
    silent, other = story.moving()
    story.passing(40.0, silent=[silent])
    story.passing(90.0, silent=[silent])
    assert story.where(silent) is HostState.LOST
    for name in story.moving():
        story.takes(name, Outcome.REVERTED)
    assert story.rollout.in_state(HostState.KEPT), other
    story.passing(100.0)
    assert (silent, OLD.version) not in said(story)
    assert silent in drift(story)


def test_a_rollback_does_not_take_the_only_one_that_serves_unless_an_outage_is_allowed() -> None:
    for allowed in (False, True):
        story = Story(3, examine=0, allow_outage=allowed)
        story.deploy()
        done(story)
        for name in story.names:
            story.takes(name, prepared=HELD)
        story.passing(100.0, silent=["web-1", "web-2"])
        if allowed:
            story.rollback("orders are lost")
            assert story.moving() == ["web-3"]
            continue
        with pytest.raises(BadInput, match="all hosts of web but web-3 are left out") as refused:
            story.rollback("orders are lost")
        assert refused.value.rule == "only-host"


def test_on_the_way_back_of_any_rollout_one_may_leave_though_too_few_are_left() -> None:
    rollout = half_rolled(4).rollout
    rollout = replace(rollout, policy=rollout.policy.model_copy(update={"min_healthy": 4}))
    assert limit_of(rollout) == 0
    assert limit_of(replace(rollout, stage=e.Stage.ROLLING_BACK)) == 1
