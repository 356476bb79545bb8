"""A pause begins waits anew, or adds its time to them, and ends none of them, however long it lasts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from noonday_coordinator.core import commands as c
from noonday_coordinator.core import events as e
from noonday_coordinator.core.absorb import GRACE
from noonday_coordinator.core.state import Rollout
from noonday_shared.messages import Goal
from support.story import Story, only

LONG = 500_000.0


def pass_by(story: Story, seconds: float) -> list[e.Event]:
    """Time in which nothing is heard of web-3."""
    return story.passing(seconds, silent=["web-3"])


def preparing(story: Story) -> None:
    story.deploy()


def prepared(story: Story) -> None:
    """All are, and none can be drained: another host is silent."""
    story.deploy()
    for name in ("web-3", "web-2"):
        story.takes(name)
    pass_by(story, 40.0)
    story.takes("web-1")
    assert story.moving() == []


def waves(story: Story) -> None:
    """The canary serves since a while, and another host is silent, so that the next can't be drained."""
    story.deploy()
    story.all_take()
    story.takes("web-1")
    story.judge("promote")
    pass_by(story, 61.0)
    assert (story.rollout.stage, story.moving()) == (e.Stage.ROLLING, [])


def examining(story: Story) -> None:
    story.deploy()
    story.all_take()
    story.takes("web-1")
    story.judge("hold", "too little")


def between_waves(story: Story) -> None:
    story.policy = story.policy.model_copy(update={"waves": (1, 1), "wave_pause": 300.0})
    waves(story)


@pytest.mark.parametrize("situation", [preparing, prepared, waves, examining, between_waves])
def test_a_pause_ends_no_wait_and_each_has_time_again_after_it(situation: Callable[[Story], None]) -> None:
    story = Story()
    situation(story)
    stage = story.rollout.stage
    story.ask(c.Pause("web"))
    found = story.settle() + pass_by(story, LONG) + pass_by(story, 1.0)
    story.ask(c.Resume("web"))
    found += story.settle() + pass_by(story, 1.0)
    assert (story.rollout.stage, story.rollout.end, story.rollout.asked) == (stage, None, ""), found
    assert [*only(found, e.RolloutEnded), *only(found, e.Asked)] == []


@pytest.mark.parametrize("situation", [preparing, prepared, waves, examining])
def test_each_of_these_waits_ends_all_the_same_once_its_time_is_over_after_the_pause(
    situation: Callable[[Story], None],
) -> None:
    story = Story()
    situation(story)
    story.ask(c.Pause("web"))
    pass_by(story, LONG)
    story.ask(c.Resume("web"))
    pass_by(story, LONG)
    assert story.rollout.end is not None or story.rollout.asked


def test_a_pause_late_in_a_long_wave_begins_the_wait_for_the_next_host_anew() -> None:
    story = Story(hosts=4)
    story.deploy()
    story.all_take()
    story.takes("web-1")
    story.judge("promote")
    story.passing(61.0)
    story.passing(400.0)
    story.takes("web-2")
    story.passing(400.0, silent=["web-1"])
    story.takes("web-3")
    assert story.moving() == [], "web-1 is silent"
    story.ask(c.Pause("web"))
    story.passing(700.0, silent=["web-1"])
    story.ask(c.Resume("web"))
    assert story.passing(1.0, silent=["web-1"]) == []
    assert story.rollout.asked == ""
    (asked,) = only(story.passing(600.0, silent=["web-1"]), e.Asked)
    assert "Waited 601 s to drain web-4" in asked.question


def test_what_is_left_of_an_examine_is_the_same_after_a_pause() -> None:
    story = Story()
    examining(story)
    pass_by(story, 20.0)
    left = _left(story.rollout, story.now)
    story.ask(c.Pause("web"))
    pass_by(story, LONG)
    story.ask(c.Resume("web"))
    assert _left(story.rollout, story.now) == pytest.approx(left)


def test_a_coordinator_that_was_away_in_a_pause_gives_hosts_their_time_too() -> None:
    story = Story()
    preparing(story)
    story.ask(c.Pause("web"))
    story.now += LONG
    story.view = replace(story.view, since=story.now, last_seen={})
    assert story.settle() == []
    story.ask(c.Resume("web"))
    assert story.settle() == []


def test_a_host_at_work_is_given_up_in_no_pause_and_has_its_time_anew_after_it() -> None:
    for twin in (False, True):
        story = Story(twin_control=twin)
        story.deploy()
        story.all_take()
        moving = tuple(name for name in story.names if story.assigned(name).goal is Goal.SERVING)
        story.ask(c.Pause("web"))
        assert story.passing(LONG, silent=moving) == []
        story.ask(c.Resume("web"))
        assert story.passing(story.policy.host_within + GRACE - 1.0, silent=moving) == []
        assert story.passing(2.0, silent=moving) != []


def test_a_hold_that_lasts_sends_nothing_back_in_a_pause() -> None:
    story = Story(on_hold="rollback")
    examining(story)
    story.ask(c.Pause("web"))
    assert pass_by(story, LONG) == []
    story.ask(c.Resume("web"))
    assert story.settle() == []
    pass_by(story, 121.0)
    assert story.rollout.stage is e.Stage.ROLLING_BACK


def test_a_rollout_that_goes_back_is_paused_no_longer_and_gives_up_who_does_not_come_back() -> None:
    story = Story()
    examining(story)
    story.ask(c.Pause("web"))
    story.rollback()
    assert (story.rollout.paused_by, story.moving()) == ("", ["web-1"])
    story.passing(story.policy.host_within + GRACE + 1.0, silent=["web-1"])
    assert story.rollout.end is e.End.FAILED


def _left(rollout: Rollout, now: float) -> float:
    return rollout.deadline - now
