"""Hosts whose disks were put back to an older state come to their release one after the other, not all at once."""

from __future__ import annotations

from noonday_coordinator.core.lost import valid_until
from noonday_shared.messages import Outcome
from support.story import NEW, OLD, Story

VALID = 900.0


def told(story: Story) -> list[str]:
    """Hosts to which their last assignment would be said again now."""
    return [
        name
        for name in story.names
        if valid_until(story.state, story.view, name, "web", story.now, VALID) > story.now
        and (report := story.on(name).report) is not None
        and report.generation != story.assigned(name).generation
    ]


def on_new() -> Story:
    story = Story(examine=0)
    story.deploy()
    story.all_take()
    for name in story.names:
        story.takes(name)
    story.settle()
    assert all(report is not None and report.live == NEW.id for report in (story.on(n).report for n in story.names))
    return story


def put_back(story: Story, name: str) -> None:
    story.report(
        name, generation=1, outcome=Outcome.DONE, live=OLD.id, proven=OLD, prepared=(OLD.id,), in_service=True
    )  # fmt: skip


def test_after_a_rollout_one_of_them_is_told_at_a_time() -> None:
    story = on_new()
    for name in story.names:
        put_back(story, name)
    assert len(told(story)) == 1


def test_none_is_told_while_a_rollout_moves_others() -> None:
    story = Story(examine=0)
    story.deploy()
    story.all_take()
    first = story.names[0]
    story.takes(first)
    assert story.moving()
    put_back(story, first)
    assert told(story) == story.moving()
