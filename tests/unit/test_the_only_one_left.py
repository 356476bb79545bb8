"""The last host that serves stays, also after a rollout: one that lost its disk, or that an operator would drain."""

from __future__ import annotations

import pytest

from noonday_coordinator.core import commands as c
from noonday_coordinator.core import events as e
from noonday_coordinator.core.lost import held_back
from noonday_shared.errors import BadInput
from support.odd_hosts import put_back, told
from support.story import Story


def on_new(hosts: int) -> Story:
    story = Story(hosts, examine=0)
    story.deploy()
    while story.rollout.end is None:
        story.all_take()
    assert story.rollout.end is e.End.DONE
    story.all_take()
    story.passing(1000.0)
    return story


def alone() -> Story:
    """Two hosts served; one was removed, and the other one's disk was put back."""
    story = on_new(2)
    story.ask(c.Remove("web-2"))
    story.names = ("web-1",)
    story.settle()
    put_back(story, "web-1")
    return story


def test_the_only_host_that_is_left_is_not_told_to_leave_where_no_outage_is_allowed() -> None:
    story = alone()
    assert told(story) == []
    story.passing(5000.0)
    assert "it is the only one that serves" in held_back(story.state, story.view, "web-1", "web", story.now)


def test_it_goes_where_its_app_is_ill_and_serves_nobody() -> None:
    story = alone()
    story.report("web-1", healthy=False)
    assert told(story) == ["web-1"]


def test_a_host_that_was_told_to_change_does_not_count_as_one_that_serves_where_another_is_to_be_drained() -> None:
    story = on_new(2)
    put_back(story, "web-1")
    assert told(story) == ["web-1"]
    with pytest.raises(BadInput, match="web-2 is the last host of web in service"):
        story.ask(c.DrainHost("web-2"))
