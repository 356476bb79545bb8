"""A fleet of which nothing is heard while it should go back goes back once it is heard."""

from __future__ import annotations

from noonday_coordinator.core import commands as c
from noonday_coordinator.core import events as e
from noonday_coordinator.core.lost import valid_until
from noonday_coordinator.core.state import HostState
from support.story import NEW, OLD, Story, only


def aborted() -> Story:
    """web-1, the canary, serves 1.1.0, when all fall silent; then a person aborts."""
    story = Story(examine=600, host_within=100)
    story.deploy()
    story.all_take()
    story.takes("web-1")
    story.passing(60.0, silent=story.names)
    story.ask(c.Abort("web", ""))
    assert story.settle() == []
    return story


def told(story: Story, name: str) -> bool:
    return valid_until(story.state, story.view, name, "web", story.now, 900.0) > story.now


def test_hosts_that_are_all_silent_are_given_up_as_that_and_go_back_once_they_are_heard() -> None:
    story = aborted()
    (ended,) = only(story.passing(100.0, silent=story.names), e.RolloutEnded)
    assert "web-1: was not heard for 160 s" in ended.reason
    assert (story.where("web-1"), story.assigned("web-1").release) == (HostState.LOST, OLD)
    assert not told(story, "web-1")
    story.passing(1.0, silent=["web-2", "web-3"])
    assert not told(story, "web-1"), "nobody else is known to serve"
    story.passing(1.0)
    assert told(story, "web-1")
    story.takes("web-1")
    report = story.on("web-1").report
    assert report is not None
    assert report.proven == OLD


def test_the_last_one_that_is_heard_keeps_what_it_has() -> None:
    story = aborted()
    (ended,) = only(story.passing(100.0, silent=["web-2", "web-3"]), e.RolloutEnded)
    assert "web-1 is the last host that serves well, so it keeps 1.1.0" in ended.reason
    story.passing(1.0, silent=["web-2", "web-3"])
    assert story.assigned("web-1").release == NEW
