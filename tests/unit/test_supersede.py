"""A newer version takes over from a rollout under way; what it took over counts as nowhere."""

from __future__ import annotations

from typing import Any

import pytest

from noonday_coordinator.core import commands as c
from noonday_coordinator.core import events as e
from noonday_coordinator.core.state import HostState
from noonday_shared.errors import BadInput
from noonday_shared.messages import Goal, Outcome
from noonday_shared.names import ReleaseRef
from noonday_shared.release.manifest import ReleaseManifest
from support.story import NEW, OLD, OTHER, Story, only


def half_rolled(hosts: int = 4, **changes: Any) -> Story:
    """1.1.0 serves on web-1 and web-2, and web-3 was told to."""
    story = Story(hosts, examine=0, **changes)
    story.deploy()
    story.all_take()
    story.takes("web-1")
    story.takes("web-2")
    assert story.moving() == ["web-3"]
    return story


def taken_over(story: Story) -> Story:
    """1.2.0 took over, and every host prepared it: web-3 turned back first."""
    story.deploy(OTHER.version, supersede=True)
    story.all_take()
    return story


def test_without_the_flag_a_second_version_is_refused_and_the_flag_is_named() -> None:
    story = half_rolled()
    with pytest.raises(BadInput) as refused:
        story.deploy(OTHER.version)
    assert refused.value.rule == "rollout-under-way"
    assert "--supersede" in refused.value.next_action


def test_with_the_flag_the_running_rollout_ends_as_superseded_and_the_new_one_prepares_everywhere() -> None:
    story = half_rolled()
    events = story.ask(c.Deploy("web", OTHER.version, story.policy, supersede=True))
    (ended,) = only(events, e.RolloutEnded)
    assert (ended.rollout, ended.end) == ("r2", e.End.SUPERSEDED)
    assert "alice" in ended.reason
    story.settle()
    assert (story.rollout.id, story.rollout.previous) == ("r3", OLD)
    assert [story.assigned(name).goal for name in story.names] == [Goal.PREPARED] * 4
    assert (story.state.app("web").current, story.state.app("web").releases[NEW.version].blocked) == (OLD, "")


def test_it_goes_to_every_host_and_the_half_rolled_version_is_never_of_record() -> None:
    story = taken_over(half_rolled())
    for name in story.names:
        assert story.moving() == [name]
        story.takes(name)
    assert story.rollout.end is e.End.DONE
    assert (story.state.app("web").current, story.state.app("web").previous) == (OTHER, OLD)


def test_its_rollback_brings_also_untouched_hosts_of_the_half_rolled_version_to_the_last_good_one() -> None:
    story = taken_over(half_rolled())
    story.takes("web-1", Outcome.REVERTED, live=NEW.id, proven=NEW)
    assert story.rollout.stage is e.Stage.ROLLING_BACK
    back = []
    while story.moving():
        (name,) = story.moving()
        assert story.assigned(name).release == OLD
        back.append(name)
        story.takes(name)
    assert back == ["web-2", "web-1"]
    assert story.rollout.end is e.End.ROLLED_BACK
    assert {story.on(name).report.live for name in story.names} == {OLD.id}  # type: ignore[union-attr]
    assert story.state.app("web").releases[OTHER.version].blocked


def test_an_abort_of_it_leads_to_the_last_good_version_too() -> None:
    story = half_rolled()
    story.deploy(OTHER.version, supersede=True)
    story.ask(c.Abort("web"))
    story.settle()
    assert set(story.moving()) <= {"web-1", "web-2", "web-3"}
    while story.moving():
        story.takes(story.moving()[0])
    assert story.rollout.end is e.End.ABORTED
    assert story.on("web-2").report.live == OLD.id  # type: ignore[union-attr]


def test_a_host_in_the_middle_of_its_step_is_left_to_turn_back_before_anybody_is_drained() -> None:
    story = half_rolled()
    story.deploy(OTHER.version, supersede=True)
    for name in ("web-1", "web-2", "web-4"):
        story.takes(name)
    assert story.moving() == []
    story.takes("web-3")
    assert story.moving() == ["web-1"]


def going_back(story: Story) -> None:
    story.rollback("slow")


REFUSED: list[tuple[str, str, Any]] = [
    ("going-back", OTHER.version, going_back),
    ("under-way", NEW.version, None),
    ("of-record", OLD.version, None),
]


@pytest.mark.parametrize(("rule", "version", "before"), REFUSED, ids=[rule for rule, _, _ in REFUSED])
def test_nothing_takes_over_from_a_rollback_from_itself_or_with_what_is_of_record(
    rule: str, version: str, before: Any
) -> None:
    story = half_rolled()
    if before:
        before(story)
    state = story.state
    with pytest.raises(BadInput) as refused:
        story.deploy(version, supersede=True)
    assert (refused.value.rule, story.state) == (rule, state)


def test_where_nothing_is_under_way_the_flag_changes_nothing() -> None:
    story = Story()
    story.deploy(supersede=True)
    assert (story.rollout.id, story.rollout.half_rolled) == ("r2", {})


def test_a_third_version_goes_back_to_the_last_good_one_too() -> None:
    story = taken_over(half_rolled())
    story.takes("web-1")
    story.takes("web-2")
    third = ReleaseRef(version="1.3.0", digest="d" * 64)
    story.keep(e.ReleasePushed("web", third, 1, ReleaseManifest(app="web", version="1.3.0")))
    story.deploy("1.3.0", supersede=True)
    half = story.rollout.half_rolled
    assert half == {"web-1": OTHER, "web-2": OTHER, "web-3": OTHER}
    assert story.rollout.previous == OLD
    assert story.where("web-4") is HostState.WAITING


def test_a_host_that_fell_silent_in_the_middle_of_its_step_is_never_left_out() -> None:
    story = half_rolled(offline="skip")
    story.now += 40.0
    for name in ("web-1", "web-2", "web-4"):
        story.hear(name)
    with pytest.raises(BadInput, match=r"no report from web-3 \(last seen 40 s ago\)"):
        story.deploy(OTHER.version, supersede=True)
    assert story.rollout.end is None


def test_a_host_in_the_middle_of_its_step_that_is_no_member_any_more_turns_back_too() -> None:
    story = half_rolled()
    story.enroll("web-3", role="db")
    story.deploy(OTHER.version, supersede=True)
    assert "web-3" not in story.rollout.members
    assert (story.assigned("web-3").goal, story.assigned("web-3").release) == (Goal.SERVING, OLD)


def test_why_is_kept_also_where_what_is_taken_over_leaves_nothing_to_do() -> None:
    story = Story()
    story.keep(e.RolloutStarted("r2", "web", "reconcile", OLD, None, story.policy, (("web-1",),)))
    story.ask(c.Deploy("web", OLD.version, story.policy, why="we wait for the fair"))
    assert story.rollout.end is e.End.SUPERSEDED
    assert "alice asked for (we wait for the fair)" in story.rollout.reason
