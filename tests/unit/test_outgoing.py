"""What is sent to whom, how long it holds, and when it is said again."""

from __future__ import annotations

import pytest

from noonday_coordinator.core import commands as c
from noonday_coordinator.core import events as e
from noonday_coordinator.core.absorb import GRACE
from noonday_coordinator.core.coming_home import plan_reconcile
from noonday_coordinator.core.state import HostState
from noonday_coordinator.outgoing import FIRST_REPEAT, LONGEST_REPEAT, VALID, Outgoing
from noonday_shared.messages import Assignment, Outcome, Phase
from support.story import NEW, OLD, Story


class Post:
    """What a story's coordinator sends."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.restart()

    def restart(self) -> None:
        self.outgoing = Outgoing(lambda app, release: f"https://here/{app}/{release.id}")

    def due(self) -> dict[str, Assignment]:
        return {one.host: one for one in self.outgoing.due(self.story.state, self.story.view, self.story.now)}


def deployed() -> tuple[Story, Post]:
    story = Story(host_within=100, unreachable_after=30)
    story.deploy()
    return story, Post(story)


def test_what_is_assigned_is_said_once_and_again_until_it_is_taken_up() -> None:
    story, post = deployed()
    assert set(post.due()) == set(story.names)
    assert post.due() == {}
    story.now += FIRST_REPEAT
    assert set(post.due()) == set(story.names)
    story.now += FIRST_REPEAT
    assert post.due() == {}
    story.report("web-1", term=1, generation=story.assigned("web-1").generation, outcome=Outcome.WORKING)
    story.now += 60.0
    assert set(post.due()) == {"web-2", "web-3"}


def test_an_assignment_names_what_where_from_and_until_when() -> None:
    story, post = deployed()
    said = post.due()["web-1"]
    assert (said.release, said.previous, said.source) == (NEW, OLD, f"https://here/web/{NEW.id}")
    assert (said.term, said.issued_at, said.expires_at) == (1, story.now, story.now + VALID)


def test_a_new_term_says_everything_once_more() -> None:
    story, post = deployed()
    for name in story.names:
        story.report(name, term=1, generation=story.assigned(name).generation, outcome=Outcome.WORKING)
    story.keep(e.CoordinatorStarted(2))
    post.restart()
    assert {one.term for one in post.due().values()} == {2}


def test_who_starts_to_follow_the_logs_is_told_to_hosts_that_took_everything() -> None:
    story, post = deployed()
    post.due()
    for name in story.names:
        story.report(name, term=1, generation=story.assigned(name).generation, outcome=Outcome.WORKING)
    story.ask(c.WatchLogs("web", story.now + 60.0))
    assert {one.watch_until for one in post.due().values()} == {story.now + 60.0}


def test_an_order_to_move_holds_no_longer_than_the_host_is_counted_as_moving() -> None:
    story, post = deployed()
    story.all_take()
    at = story.now
    story.now += 60.0
    assert post.due()["web-1"].expires_at == at + 100.0
    story.now += 40.0
    assert "web-1" not in post.due()


def given_up() -> tuple[Story, Post]:
    """web-2 served the release, then fell silent; web-3 showed that the release is bad; web-2 was given up on."""
    story = Story(host_within=100, unreachable_after=30, examine=0)
    story.deploy()
    story.all_take()
    story.takes("web-1")
    story.takes("web-2")
    post = Post(story)
    post.due()
    story.passing(40.0, silent=["web-2"])
    story.takes("web-3", Outcome.REVERTED)
    story.takes("web-3")
    story.takes("web-1")
    assert story.moving() == ["web-2"]
    return story, post


def test_a_host_that_was_given_up_on_is_told_nothing_while_the_rollout_goes_on() -> None:
    story, post = given_up()
    story.keep(e.HostJudged("r2", "web-2", HostState.LOST))
    assert "web-2" not in post.due()


def test_a_host_that_was_given_up_on_is_told_once_it_is_heard_and_others_serve() -> None:
    story, post = given_up()
    story.passing(101.0 + GRACE, silent=["web-2"])
    assert story.rollout.end is e.End.FAILED
    assert "web-2" not in post.due()
    story.report("web-1", in_service=False)
    story.hear("web-2")
    assert "web-2" not in post.due()
    story.report("web-1", in_service=True)
    said = post.due()["web-2"]
    assert (said.release, said.expires_at) == (OLD, story.now + 30.0)


def test_what_a_host_said_that_it_took_up_is_said_again_as_that() -> None:
    story, post = deployed()
    assert not post.due()["web-1"].taken
    story.report("web-1", term=1, generation=story.assigned("web-1").generation, outcome=Outcome.WORKING)
    post.restart()
    assert {name: one.taken for name, one in post.due().items()} == {"web-1": True, "web-2": False, "web-3": False}
    story.report("web-1", generation=0)
    story.now += FIRST_REPEAT
    assert not post.due()["web-1"].taken, "it forgot, so it is told anew"


def test_a_host_that_is_heard_and_takes_nothing_up_may_have_lost_its_queue() -> None:
    story, post = deployed()
    said = post.due()["web-1"]
    for _ in range(4):
        assert not post.outgoing.in_vain(story.view, said)
        story.now += LONGEST_REPEAT
        said = post.due()["web-1"]
        story.hear("web-1")
    assert post.outgoing.in_vain(story.view, said)
    story.now += LONGEST_REPEAT
    assert not post.outgoing.in_vain(story.view, post.due()["web-1"]), "it is silent, so that is why"


def lost() -> tuple[Story, Post]:
    """web-1, the canary, fell silent with a release that was rolled back; it was given up on, and is heard again."""
    story = Story(hosts=4, host_within=100, unreachable_after=30, examine=600)
    story.deploy()
    story.all_take()
    story.takes("web-1")
    post = Post(story)
    story.passing(31.0, silent=["web-1"])
    story.rollback("it is bad")
    story.passing(101.0 + GRACE, silent=["web-1"])
    for name in ("web-2", "web-3", "web-4"):
        story.takes(name)
    assert (story.where("web-1"), story.rollout.end) == (HostState.LOST, e.End.FAILED)
    return story, post


@pytest.mark.parametrize("why", ["dead", "dead and out before", "drained"])
def test_a_host_that_is_away_keeps_no_other_on_a_release_that_was_rolled_back(why: str) -> None:
    story, post = lost()
    silent = [] if why == "drained" else ["web-4"]
    if why == "drained":
        story.ask(c.DrainHost("web-4"))
        story.settle()
        story.takes("web-4")
    elif why == "dead and out before":
        story.report("web-4", in_service=False, healthy=False)
    story.passing(31.0, silent=["web-1", *silent])
    story.passing(1.0, silent=silent)
    assert post.due()["web-1"].release == OLD


def test_the_last_one_in_service_is_not_told_to_go_back() -> None:
    story, post = lost()
    story.passing(31.0, silent=["web-1", "web-2", "web-3", "web-4"])
    story.passing(1.0, silent=["web-2", "web-3", "web-4"])
    assert "web-1" not in post.due()


def test_who_may_be_out_for_its_own_step_keeps_the_next_one_waiting_which_is_named() -> None:
    story, post = lost()
    story.report("web-4", in_service=False, phase=Phase.WARMING_UP)
    story.passing(31.0, silent=["web-4"])
    assert "web-1" not in post.due()
    plan = plan_reconcile(story.state, story.view, story.policy, now=story.now)
    assert plan.hosts == ()
    assert "told to serve 1.0.0" in plan.not_now["web-1"]
    assert "web-4 was not heard for 31 s" in plan.not_now["web-1"]
    assert story.passing(3600.0, silent=["web-4"]) == []


@pytest.mark.parametrize("ill", [("web-2",), ("web-2", "web-3", "web-4")], ids=["another is ill", "all are"])
def test_a_host_that_is_out_and_keeps_crashing_is_told_to_go_back(ill: tuple[str, ...]) -> None:
    story, post = lost()
    for name in ill:
        story.report(name, in_service=False, healthy=False)
    told = []
    for crash in range(5):
        story.report("web-1", in_service=False, healthy=False, restarts=crash)
        told.append("web-1" in post.due())
        story.passing(10.0)
    assert (told[0], told[-1]) == (False, True), "it may be coming up at first"


def test_the_only_host_of_a_rollout_waits_for_one_that_came_since_and_is_to_serve() -> None:
    story = Story(1, allow_outage=True, examine=0, host_within=100, unreachable_after=30)
    story.deploy()
    story.all_take()
    post = Post(story)
    story.passing(101.0 + GRACE, silent=["web-1"])
    story.passing(101.0 + GRACE, silent=["web-1"])
    assert (story.where("web-1"), story.rollout.end) == (HostState.LOST, e.End.FAILED)
    story.enroll("web-2")
    story.report("web-2", in_service=False, healthy=False)
    story.report("web-1", live=NEW.id, proven=NEW)
    story.settle()
    assert (story.rollout.kind, story.rollout.members) == ("reconcile", ("web-2",))
    assert "web-1" not in post.due()
    story.takes("web-2", in_service=False, healthy=False)
    story.takes("web-2", in_service=True, healthy=True)
    assert story.rollout.end is e.End.DONE
    story.takes("web-2")
    story.hear("web-1")
    assert post.due()["web-1"].release == OLD
