"""A first release has nothing to be compared with: only what no release may do stops it."""

from __future__ import annotations

from dataclasses import replace

from noonday_coordinator.core.events import End, Finding
from noonday_coordinator.core.view import Judgement
from support.story import Story


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
    assert (story.rollout.end, "it says so" in story.rollout.reason) == (End.FAILED, True)


def test_it_is_no_reason_to_wait_that_all_hosts_suffer_alike() -> None:
    story = rolling()
    judged(story, "shared-trouble")
    story.passing(61.0)
    for name in story.names[1:]:
        story.takes(name)
    assert story.rollout.end is End.DONE
