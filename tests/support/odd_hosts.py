"""Stories of hosts that are away or changed by hand."""

from __future__ import annotations

from noonday_coordinator.core import events as e
from noonday_coordinator.core.astray import astray
from noonday_coordinator.core.lost import valid_until
from noonday_coordinator.core.state import HostState
from noonday_shared.messages import Outcome
from support.story import OLD, Story


def away(story: Story, *names: str, seconds: float = 31.0) -> Story:
    story.now += seconds
    for name in story.names:
        if name not in names:
            story.hear(name)
    return story


def live(story: Story, name: str) -> str:
    report = story.on(name).report
    return report.live if report else ""


def drift(story: Story) -> dict[str, str]:
    return {one.host: one.why for one in astray(story.state, story.state.app("web"), story.policy)}


def by_itself(story: Story) -> dict[str, bool]:
    return {one.host: one.by_itself for one in astray(story.state, story.state.app("web"), story.policy)}


def done(story: Story) -> Story:
    """Whatever is under way succeeds everywhere."""
    for _ in range(30):
        if story.rollout.end is not None:
            break
        for name in story.rollout.in_state(HostState.WAITING, HostState.WORKING):
            story.takes(name)
    assert story.rollout.end is e.End.DONE
    for name in story.names:
        on = story.on(name)
        if (
            on.assigned
            and on.report
            and on.report.generation != on.assigned.generation
            and name in story.rollout.members
        ):
            story.takes(name)
    return story


def told(story: Story) -> list[str]:
    """Hosts to which their last assignment would be said again now."""
    return [
        name
        for name in story.names
        if valid_until(story.state, story.view, name, "web", story.now, 900.0) > story.now
        and (report := story.on(name).report) is not None
        and (assigned := story.on(name).assigned) is not None
        and report.generation != assigned.generation
    ]


def put_back(story: Story, name: str, *, in_service: bool = True) -> None:
    story.report(
        name, generation=1, outcome=Outcome.DONE, live=OLD.id, proven=OLD, prepared=(OLD.id,), in_service=in_service
    )  # fmt: skip
