"""Where a rollback leads: to the last good release, fetched again where it was pruned, and never to what was left."""

from __future__ import annotations

import pytest

from noonday_coordinator.core import commands as c
from noonday_coordinator.core import events as e
from noonday_coordinator.core.state import HostState
from noonday_shared.errors import BadInput
from noonday_shared.messages import Goal, Outcome
from noonday_shared.names import ReleaseRef
from support.story import NEW, OLD, OLDER, OTHER, Story, only

HELD = (OLD.id, NEW.id, OTHER.id)


def released(story: Story, version: str) -> Story:
    story.deploy(version)
    for name in (*story.names, *story.names):
        story.takes(name)
    assert story.rollout.end is e.End.DONE
    return settled(story)


def settled(story: Story) -> Story:
    """Every host took up what it was told last, and holds every release."""
    for name in story.names:
        story.takes(name, prepared=HELD)
    return story


def rolled_back(story: Story) -> Story:
    story.rollback()
    while story.rollout.end is None:
        story.takes(story.moving()[0])
    assert story.rollout.end is e.End.DONE
    return settled(story)


def twice() -> Story:
    """1.0.0, then 1.1.0, then 1.2.0."""
    return released(released(Story(examine=0), NEW.version), OTHER.version)


def app(story: Story) -> tuple[ReleaseRef | None, ReleaseRef | None]:
    known = story.state.app("web")
    return known.current, known.previous


def test_each_rollback_leads_further_back_and_the_last_is_refused() -> None:
    story = twice()
    assert app(story) == (OTHER, NEW)
    rolled_back(story)
    assert app(story) == (NEW, OLD)
    rolled_back(story)
    assert app(story) == (OLD, None)
    with pytest.raises(BadInput, match="web has no previous release to go back to") as refused:
        story.rollback()
    assert refused.value.rule == "no-previous"
    assert {version for version, one in story.state.app("web").releases.items() if one.blocked} == {"1.1.0", "1.2.0"}


def test_a_release_that_was_left_is_no_target_even_after_a_good_one_followed() -> None:
    story = rolled_back(released(Story(examine=0), NEW.version))
    released(story, OTHER.version)
    assert app(story) == (OTHER, OLD)


def test_a_release_that_comes_twice_is_remembered_once() -> None:
    story = released(released(released(Story(examine=0), NEW.version), OLD.version), NEW.version)
    assert app(story) == (NEW, OLD)
    assert story.state.app("web").past == (OLD,)


def test_a_host_without_the_old_release_fetches_it_before_any_is_drained() -> None:
    story = released(Story(examine=0), NEW.version)
    story.report("web-2", prepared=(NEW.id,))
    story.rollback("slow")
    assert story.rollout.stage is e.Stage.PREPARING
    assert [story.assigned(name).goal for name in story.names] == [Goal.PREPARED] * 3
    story.takes("web-1")
    story.takes("web-3")
    assert story.moving() == []
    story.takes("web-2")
    assert story.moving() == ["web-3"]


def test_one_that_can_not_fetch_it_ends_the_rollback_and_nobody_was_drained() -> None:
    story = released(Story(examine=0), NEW.version)
    story.report("web-2", prepared=(NEW.id,))
    story.rollback("slow")
    (ended,) = only(story.takes("web-2", Outcome.FAILED), e.RolloutEnded)
    assert (ended.end, app(story)) == (e.End.FAILED, (NEW, OLD))
    assert "none was drained" in ended.reason
    assert not story.state.app("web").releases[NEW.version].blocked


def test_a_rollback_that_failed_half_way_is_shown_and_a_second_one_goes_on() -> None:
    story = released(Story(4, examine=0), NEW.version)
    story.rollback("slow")
    story.takes("web-4")
    (ended,) = only(story.takes("web-3", Outcome.REVERTED), e.RolloutEnded)
    assert ended.end is e.End.FAILED
    assert story.passing(86_400.0) == []
    assert story.assigned("web-4").release == OLD
    settled(story)
    story.rollback("once more")
    while story.rollout.end is None:
        story.takes(story.moving()[0])
    assert (story.rollout.end, app(story)[0]) == (e.End.DONE, OLD)


def test_a_host_that_could_not_be_brought_back_is_left_alone_until_a_person_asks() -> None:
    story = Story(examine=0)
    story.deploy()
    story.all_take()
    story.takes("web-1")
    story.rollback("slow")
    story.takes("web-2", Outcome.FAILED, in_service=False, live=NEW.id)
    story.takes("web-1")
    assert story.rollout.end is e.End.FAILED
    assert story.where("web-2") is HostState.LOST
    assert story.passing(86_400.0) == []
    story.ask(c.Reconcile("web", story.policy))
    assert (story.rollout.kind, story.rollout.members) == ("reconcile", ("web-1", "web-2"))


def test_what_the_last_host_in_service_had_to_keep_goes_once_another_serves() -> None:
    story = Story(2, host_within=100)
    story.deploy()
    story.all_take()
    story.takes("web-1")
    story.report("web-2", in_service=False)
    story.judge("roll back", "ERROR new with 1.1.0")
    story.passing(1.0)
    story.passing(100.0)
    assert story.rollout.end is e.End.FAILED
    story.takes("web-1")
    assert story.passing(100.0) == []
    story.report("web-2", in_service=True)
    assert story.settle() == [], "it has not said yet that it stays"
    story.takes("web-2")
    assert (story.rollout.kind, story.rollout.members, story.rollout.release) == ("reconcile", ("web-1",), OLD)


def test_the_release_of_record_that_was_rolled_out_anew_and_went_back_is_not_blocked() -> None:
    story = Story(examine=0)
    story.report("web-1", live=OLDER.id)
    story.deploy(OLD.version)
    story.all_take()
    story.takes("web-1", Outcome.REVERTED)
    while story.rollout.end is None:
        story.takes(story.moving()[0])
    assert (story.rollout.end, app(story)[0]) == (e.End.ROLLED_BACK, OLD)
    assert not story.state.app("web").releases[OLD.version].blocked
