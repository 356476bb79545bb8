"""While old servers suffer as well, no other server is taken out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from noonday_coordinator.core import commands as c
from noonday_coordinator.core.events import Asked, End, Finding, Stage
from noonday_coordinator.core.view import Judgement
from support.story import Story

TROUBLE = Finding("log:errors", "shared-trouble", False, "errors rise on web-2 too: not this release", holds=True)


def _shared(story: Story, *findings: Finding) -> None:
    judgement = Judgement("hold" if findings else "promote", "", 100, findings=findings, at=story.now)
    story.view = replace(story.view, judgements={story.rollout.id: judgement})


def _in_first_wave(**policy: Any) -> Story:
    """web-1 was promoted, web-2 has taken the release, web-3 is next."""
    story = Story(3, **policy)
    story.deploy()
    story.all_take()
    story.takes("web-1")
    story.judge("promote")
    story.passing(60)
    assert story.rollout.wave == 1
    return story


def test_a_wave_waits_while_the_old_servers_suffer_too_and_goes_on_by_itself() -> None:
    story = _in_first_wave()
    _shared(story, TROUBLE)
    story.takes("web-2")
    story.passing(30)
    assert story.assigned("web-3").goal.value == "prepared"
    _shared(story)
    story.passing(1)
    story.takes("web-3")
    assert story.rollout.end is End.DONE


def test_a_person_is_asked_once_when_the_shared_trouble_lasts() -> None:
    story = _in_first_wave()
    _shared(story, TROUBLE)
    story.takes("web-2")
    events = story.passing(121)
    assert [event.question for event in events if isinstance(event, Asked)] == [
        "Waited 121 s to drain web-3: errors rise on web-2 too: not this release. "
        "Answer: noonday promote web, or noonday rollback web"
    ]
    assert story.passing(300) == []


def test_a_person_can_let_the_wave_go_on_in_spite_of_it() -> None:
    story = _in_first_wave()
    _shared(story, TROUBLE)
    story.takes("web-2")
    story.passing(121)
    story.ask(c.Promote("web"))
    story.settle()
    assert story.assigned("web-3").goal.value == "serving"


def test_a_dry_run_waits_for_nothing() -> None:
    story = _in_first_wave(dry_run=True)
    _shared(story, TROUBLE)
    story.takes("web-2")
    assert story.assigned("web-3").goal.value == "serving"
    assert story.rollout.stage is Stage.ROLLING
