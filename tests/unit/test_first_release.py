"""A first release has nothing to be compared with: only what no release may do stops it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from noonday_coordinator.core import commands as c
from noonday_coordinator.core.absorb import GRACE
from noonday_coordinator.core.events import End, Finding
from noonday_coordinator.core.state import HostState
from noonday_coordinator.core.view import Judgement
from noonday_shared.messages import Goal
from support.story import OLD, Story, policy


def rolling() -> Story:
    """The canary of a first release serves; the others follow."""
    story = Story(first=None, wave_pause=60)
    story.deploy("1.0.0")
    story.all_take()
    story.takes(story.names[0])
    return story


def judged(story: Story, kind: str) -> None:
    found = Finding("k", kind, blames=True, words="it says so")  # type: ignore[arg-type]  # one of the kinds
    judgement = Judgement("roll back", "it says so", 100, findings=(found,), at=story.now)
    story.view = replace(story.view, judgements={story.rollout.id: judgement})
    story.settle()


def test_its_errors_are_not_held_against_it_since_no_old_release_could_have_shown_them() -> None:
    story = rolling()
    judged(story, "new-error")
    for name in story.names[1:]:
        story.takes(name)
    assert story.rollout.end is End.DONE


def test_an_app_that_ends_again_and_again_stops_it() -> None:
    story = rolling()
    judged(story, "hard-limit")
    for name in story.moving():
        story.takes(name, in_service=False)
    assert (story.rollout.end, "it says so" in story.rollout.reason) == (End.FAILED, True)


@pytest.mark.parametrize("ask", [c.Abort("web", ""), c.Rollback("web", policy())])
def test_who_is_at_work_is_stopped_when_a_person_says_no_and_who_serves_stays(ask: c.Command) -> None:
    story = rolling()
    story.judge("promote")
    story.passing(61.0)
    (at_work,) = story.moving()
    story.ask(ask)
    story.settle()
    assert (story.assigned(at_work).goal, story.where(at_work)) == (Goal.PREPARED, HostState.GOING_BACK)
    assert story.rollout.end is None
    story.takes(at_work, in_service=False)
    assert story.where(at_work) is HostState.BACK
    assert story.rollout.end is End.FAILED
    assert story.rollout.reason.endswith("There is no previous release, so web-1 can't go back.")
    assert story.passing(86_400.0) == []


def test_a_first_release_that_nobody_serves_yet_is_aborted_whole() -> None:
    story = Story(first=None)
    story.deploy("1.0.0")
    story.all_take()
    story.ask(c.Abort("web", ""))
    story.settle()
    story.takes("web-1", in_service=False)
    assert (story.rollout.end, story.where("web-1")) == (End.ABORTED, HostState.BACK)


def test_one_that_had_arrived_before_it_heard_of_that_serves_and_is_named() -> None:
    story = Story(first=None)
    story.deploy("1.0.0")
    story.all_take()
    story.ask(c.Abort("web", ""))
    story.settle()
    story.takes("web-1", live=OLD.id, proven=OLD)
    assert (story.rollout.end, story.where("web-1")) == (End.FAILED, HostState.SERVING)
    assert story.rollout.reason.endswith("so web-1 can't go back.")


def test_one_that_says_nothing_of_it_is_given_up_on_in_a_host_s_own_time() -> None:
    story = Story(first=None)
    story.deploy("1.0.0")
    story.all_take()
    story.ask(c.Abort("web", ""))
    story.settle()
    story.passing(story.policy.host_within + GRACE + 1.0, silent=["web-1"])
    assert (story.rollout.end, story.where("web-1")) == (End.FAILED, HostState.LOST)


def test_it_is_no_reason_to_wait_that_all_hosts_suffer_alike() -> None:
    story = rolling()
    judged(story, "shared-trouble")
    story.passing(61.0)
    for name in story.names[1:]:
        story.takes(name)
    assert story.rollout.end is End.DONE
