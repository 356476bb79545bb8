"""Hosts that did not serve well before the rollout: first to go, and no witness against the release."""

from __future__ import annotations

from noonday_coordinator.core import events as e
from noonday_coordinator.core.plan import plan_deploy
from noonday_shared.messages import Outcome
from support.story import NEW, Story, only


def sick(story: Story, *names: str) -> Story:
    for name in names:
        story.report(name, in_service=False, healthy=False)
    return story


def test_where_all_are_broken_a_good_release_may_still_go_out_one_by_one() -> None:
    story = sick(Story(), "web-1", "web-2", "web-3")
    story.deploy()
    for name in story.names:
        story.takes(name, in_service=False)
    assert story.moving() == ["web-1"]
    story.takes("web-1", healthy=True)
    story.judge("promote")
    story.passing(61.0)
    assert story.moving() == ["web-2"]
    story.takes("web-2", healthy=True)
    assert story.moving() == ["web-3"]
    story.takes("web-3", healthy=True)
    assert story.rollout.end is e.End.DONE


def test_where_nobody_serves_a_second_one_goes_only_once_it_stays_out() -> None:
    story = sick(Story(4, max_unavailable=2, canary=2, examine=0), "web-1", "web-2", "web-3", "web-4")
    story.deploy()
    for name in story.names:
        story.takes(name, in_service=False)
    assert story.moving() == ["web-1"], "web-2 may be back in a second, and then leave as the second one"
    story.passing(story.policy.unreachable_after)
    assert story.moving() == ["web-1", "web-2"]


def test_the_sick_go_first_since_they_lose_nothing() -> None:
    story = sick(Story(4), "web-3")
    story.report("web-4", healthy=False)
    plan = plan_deploy(story.state, story.view, story.policy, NEW.version, now=story.now)
    assert plan.waves == (("web-3",), ("web-4", "web-1", "web-2"))
    assert plan.sick == ("web-3", "web-4")


def test_a_canary_that_was_sick_before_says_nothing_of_the_release() -> None:
    story = sick(Story(), "web-2")
    story.deploy()
    for name in story.names:
        story.takes(name, in_service=name != "web-2")
    (ended,) = only(story.takes("web-2", Outcome.FAILED, in_service=False), e.RolloutEnded)
    assert ended.end is e.End.FAILED
    assert "web-2 did not serve well before either" in ended.reason
    assert not story.state.app("web").releases[NEW.version].blocked


def test_a_later_host_that_was_sick_before_is_left_out_and_named() -> None:
    story = sick(Story(4, examine=0, canary=2), "web-3", "web-4")
    story.deploy()
    for name in story.names:
        story.takes(name, in_service=name in ("web-1", "web-2"))
    story.passing(story.policy.unreachable_after)
    assert story.rollout.waves[0] == ("web-3", "web-4")
    story.takes("web-3", healthy=True)
    story.takes("web-4", Outcome.REVERTED, in_service=True)
    story.takes("web-1")
    story.takes("web-2")
    assert story.rollout.end is e.End.DONE
    assert set(story.rollout.left_out) == {"web-4"}


def test_an_empty_app_has_no_sick_hosts() -> None:
    story = Story(first=None)
    plan = plan_deploy(story.state, story.view, story.policy, NEW.version, now=story.now)
    assert (plan.sick, plan.hosts) == ((), story.names)
