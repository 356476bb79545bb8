"""A person says yes in spite of hosts that could not take the release: all of them get it once more."""

from __future__ import annotations

from noonday_coordinator.core import commands as c
from noonday_coordinator.core import events as e
from noonday_coordinator.core.state import HostState
from noonday_shared.messages import Outcome
from support.story import Story


def test_hosts_of_an_earlier_wave_that_failed_try_again_too_and_none_is_left_behind() -> None:
    story = Story(4, examine=0, waves=(1, 1, "100%"), max_failures=1, on_regression="ask")
    story.deploy()
    story.all_take()
    story.takes("web-1")
    story.takes("web-2", Outcome.REVERTED)
    story.takes("web-3", Outcome.REVERTED)
    assert "web-2" in story.rollout.asked
    assert "web-3" in story.rollout.asked
    story.ask(c.Promote("web"))
    story.settle()
    for name in ("web-2", "web-3", "web-4"):
        assert story.moving() == [name]
        story.takes(name)
    assert story.rollout.end is e.End.DONE
    assert set(story.rollout.in_state(HostState.SERVING)) == set(story.names)
