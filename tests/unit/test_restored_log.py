"""A log that was put back from a backup: what hosts were told since is not undone, and what it knows well goes on."""

from __future__ import annotations

import pytest

from noonday_coordinator.core import commands as c
from noonday_coordinator.core import events as e
from noonday_coordinator.core.state import HostState, State
from noonday_coordinator.core.view import CATCH_UP, View
from noonday_coordinator.outgoing import Outgoing
from noonday_shared.messages import Outcome
from support.story import NEW, OLD, OTHER, Story


def restored(story: Story, *, after: float = 60.0) -> Story:
    """As it is when the coordinator starts on the log put back, on a machine with a clock of its own: nobody was heard
    yet."""
    story.now += after
    story.keep(e.LogRestored(story.now - after, term=10_000, generation=1_000_000))
    story.keep(e.CoordinatorStarted(story.state.term + 1))
    story.view = View(since=story.now)
    return story


def said(story: Story, state: State | None = None) -> set[str]:
    """Hosts that are told anything now, by a coordinator that has just begun."""
    return {one.host for one in Outgoing(lambda app, ref: "").due(state or story.state, story.view, story.now)}


@pytest.fixture
def story() -> Story:
    """The canary serves the new release and is examined, the others are prepared."""
    story = Story()
    story.deploy()
    story.all_take()
    story.takes("web-1")
    assert story.rollout.stage is e.Stage.EXAMINING
    return story


def test_terms_and_generations_go_on_above_all_that_may_have_been_given_out_since(story: Story) -> None:
    restored(story)
    assert (story.state.term, story.state.generation) == (10_001, 1_000_000)
    for name in story.names:
        story.hear(name)
    story.ask(c.Abort("web", ""))
    story.settle()
    assert story.assigned("web-1").generation == 1_000_001


def test_nothing_is_said_and_decided_before_the_hosts_were_heard(story: Story) -> None:
    restored(story)
    story.judge("roll back")
    assert story.settle() == []
    assert said(story) == set()
    story.hear("web-1")
    assert said(story) == {"web-1"}
    assert story.settle() == []
    story.hear("web-2")
    story.hear("web-3")
    assert any(isinstance(event, e.StageEntered) for event in story.settle())


def test_a_rollout_goes_on_when_hosts_know_no_more_than_the_log(story: Story) -> None:
    restored(story)
    for name in story.names:
        story.hear(name)
    assert said(story) == set(story.names)
    story.judge("promote")
    story.passing(120)
    assert story.rollout.stage is e.Stage.ROLLING
    for name in ("web-2", "web-3"):
        story.takes(name)
    assert story.state.rollouts["r2"].end is e.End.DONE


def test_a_silent_host_does_not_hold_the_others_up_for_longer_than_it_may_be_silent(story: Story) -> None:
    restored(story)
    story.judge("roll back")
    assert story.passing(story.policy.unreachable_after - 1, silent=["web-3"]) == []
    assert story.passing(2, silent=["web-3"]) != []


def test_hosts_that_were_told_more_since_end_the_rollout_and_stay_as_they_are(story: Story) -> None:
    restored(story)
    story.report("web-2", term=1, generation=900, outcome=Outcome.DONE, live=NEW.id, proven=NEW)
    assert story.settle() == []
    for name in ("web-1", "web-3"):
        story.hear(name)
    (ended, *more) = story.settle()
    assert isinstance(ended, e.RolloutEnded)
    assert ended.end is e.End.FAILED
    assert "put back from a backup, and web-2 was told more since" in ended.reason
    assert {event.host for event in more if isinstance(event, e.Assigned)} <= {"web-1", "web-3"}
    assert "web-2" not in said(story)
    assert not story.state.app("web").releases[NEW.version].blocked


def test_no_host_is_sent_back_to_what_it_served_when_the_backup_was_made() -> None:
    story = Story()
    story.deploy(NEW.version)
    story.all_take()
    story.takes("web-1")
    story.ask(c.Promote("web"))
    story.settle()
    for name in ("web-2", "web-3"):
        story.takes(name)
    for name in story.names:
        story.takes(name)
    assert story.state.active("web") is None
    before = {name: story.assigned(name) for name in story.names}
    restored(story, after=-600)  # on a machine whose clock is behind
    for name in story.names:  # a later release, of which the log knows nothing
        story.report(name, term=3, generation=950, outcome=Outcome.DONE, live="1.2.0-cccccccc")
    assert story.settle() == []
    assert said(story) == set()
    assert {name: story.assigned(name) for name in story.names} == before


def test_the_next_deploy_brings_hosts_that_were_told_more_to_one_release_again(story: Story) -> None:
    restored(story)
    story.now += CATCH_UP
    for name in story.names:
        story.report(name, term=1, generation=900, outcome=Outcome.DONE, live="1.2.0-cccccccc", proven=OTHER)
    story.settle()
    assert story.state.rollouts["r2"].end is e.End.FAILED
    story.ask(c.Deploy("web", NEW.version, story.policy))
    story.settle()
    story.all_take()
    story.takes("web-1")
    story.judge("promote")
    story.passing(120)
    for name in ("web-2", "web-3"):
        story.takes(name)
    assert story.state.rollouts["r3"].end is e.End.DONE, story.state.rollouts["r3"].reason


def test_what_a_drained_host_is_told_waits_until_it_was_heard() -> None:
    story = Story()
    story.ask(c.DrainHost("web-3"))
    story.settle()
    story.takes("web-3")
    restored(story)
    story.keep(e.HostUndrained("web-3"))
    assert story.settle() == []
    story.hear("web-3")
    assert [event.host for event in story.settle() if isinstance(event, e.Assigned)] == ["web-3"]


def test_a_working_host_that_took_its_step_before_the_loss_is_taken_at_its_word(story: Story) -> None:
    story.judge("promote")
    story.passing(120)
    assert story.rollout.in_state(HostState.WORKING) == ("web-2",)
    restored(story)
    for name in ("web-1", "web-3"):
        story.hear(name)
    story.takes("web-2")
    assert story.state.rollouts["r2"].hosts["web-2"].state is HostState.SERVING


def test_a_log_that_was_never_put_back_says_everything_at_once(story: Story) -> None:
    story.view = View(since=story.now)
    assert said(story) == set(story.names)
    assert story.rollout.previous == OLD
