"""A dry run judges, says what it would have done, and never waits or acts on it."""

from __future__ import annotations

import pytest

from noonday_coordinator.core.events import VerdictReached
from support.story import Story


@pytest.mark.parametrize(
    ("verdict", "requests", "reason"),
    [
        ("promote", 100, "it says promote"),
        ("promote", 1, "dry run: it would wait for more: 1 of 10 requests seen on the new release"),
        ("hold", 100, "dry run: it would hold: it says hold"),
        ("roll back", 100, "dry run: it would have rolled back: it says roll back"),
    ],
)
def test_a_dry_run_goes_on_after_the_examine_whatever_the_evidence_says(
    verdict: str, requests: int, reason: str
) -> None:
    story = Story(2, dry_run=True)
    story.deploy()
    story.all_take()
    story.takes("web-1")
    story.judge(verdict, requests=requests)  # type: ignore[arg-type]  # one of the three
    assert story.passing(30) == []
    reached = [event for event in story.passing(31) if isinstance(event, VerdictReached)]
    assert [(event.verdict, event.reason) for event in reached] == [("promote", reason)]
    assert story.assigned("web-2").goal.value == "serving"
