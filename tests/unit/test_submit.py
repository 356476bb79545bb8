"""What a person or a program may ask, and what is refused, with the rule that it breaks."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from noonday_coordinator.core import commands as c
from noonday_coordinator.core import events as e
from noonday_shared.errors import BadInput
from noonday_shared.messages import Goal, Outcome
from noonday_shared.names import ReleaseRef
from noonday_shared.release.manifest import ReleaseManifest
from support.story import NEW, OLD, OTHER, Story, only


def quiet(_story: Story) -> None:
    """Nothing is under way."""


def preparing(story: Story) -> None:
    story.deploy()


def going_back(story: Story) -> None:
    story.deploy()
    story.all_take()
    story.ask(c.Abort("web"))
    story.settle()


def paused(story: Story) -> None:
    story.deploy()
    story.ask(c.Pause("web"))


def rolling_back_a_done_one(story: Story) -> None:
    story.policy = story.policy.model_copy(update={"examine": 0})
    story.deploy()
    story.all_take()
    story.all_take()
    for name in story.names:
        story.takes(name, prepared=(OLD.id, NEW.id))
    story.rollback()


def drained(story: Story) -> None:
    story.ask(c.DrainHost("web-2"))
    story.settle()


def blocked(story: Story) -> None:
    story.deploy()
    story.rollback()


REFUSED: list[tuple[str, Callable[[Story], None], c.Command, str]] = [
    ("no-rollout", quiet, c.Promote("web"), "no rollout of web is under way"),
    ("no-rollout", quiet, c.Abort("web"), "no rollout of web is under way"),
    ("no-rollout", quiet, c.Pause("web"), "no rollout of web is under way"),
    ("no-rollout", quiet, c.Resume("web"), "no rollout of web is under way"),
    ("nothing-to-promote", preparing, c.Promote("web"), "r2 is preparing: there is nothing to promote"),
    ("going-back", going_back, c.Abort("web"), "r2 is going back already"),
    ("going-back", going_back, c.Pause("web"), "r2 is going back already"),
    ("going-back", rolling_back_a_done_one, c.Abort("web"), "r3 is going back already"),
    ("paused", paused, c.Pause("web"), "r2 is paused by alice already"),
    ("not-paused", preparing, c.Resume("web"), "r2 is not paused"),
    ("not-enrolled", quiet, c.DrainHost("db-1"), "db-1 is not enrolled"),
    ("not-enrolled", quiet, c.Remove("db-1"), "db-1 is not enrolled"),
    ("drained", drained, c.DrainHost("web-2"), "web-2 is drained by alice already"),
    ("not-drained", quiet, c.UndrainHost("web-2"), "web-2 is not drained"),
    ("rollout-under-way", preparing, c.DrainHost("web-2"), "web-2 is part of r2"),
    ("rollout-under-way", preparing, c.Remove("web-2"), "web-2 is part of r2"),
    ("not-pushed", quiet, c.Unblock("web", "7"), "web 7 was not pushed"),
    ("not-blocked", quiet, c.Unblock("web", NEW.version), "web 1.1.0 is not blocked"),
]


@pytest.mark.parametrize(("rule", "make", "command", "words"), REFUSED)
def test_a_command_is_refused_by_its_rule_and_changes_nothing(
    rule: str, make: Callable[[Story], None], command: c.Command, words: str
) -> None:
    story = Story()
    make(story)
    before = story.state
    with pytest.raises(BadInput, match=words) as refused:
        story.ask(command)
    assert refused.value.rule == rule
    assert refused.value.next_action
    assert story.state == before


def test_a_second_rollout_of_the_app_is_refused_and_names_the_first() -> None:
    story = Story()
    story.deploy()
    with pytest.raises(BadInput, match=r"r2 \(web 1\.1\.0, by alice\) is under way: preparing"):
        story.deploy(OTHER.version)


def test_the_same_version_again_is_nothing_to_do() -> None:
    story = Story()
    assert story.deploy(OLD.version) == []
    assert story.rollout.id == "r1"


def test_a_release_that_was_rolled_back_is_refused_until_a_person_unblocks_it() -> None:
    story = Story()
    blocked(story)
    with pytest.raises(BadInput, match=r"web 1\.1\.0 was rolled back in r2"):
        story.deploy()
    story.ask(c.Unblock("web", NEW.version, "it was the database"))
    assert story.deploy()


def test_an_outage_that_was_allowed_in_words_is_kept_with_the_rollout() -> None:
    story = Story(hosts=1)
    with pytest.raises(BadInput, match="means an outage"):
        story.deploy()
    story.deploy(allow_outage=True)
    assert story.rollout.policy.allow_outage


def test_the_same_archive_again_is_nothing_and_another_under_its_version_is_refused() -> None:
    story = Story()
    manifest = ReleaseManifest(app="web", version=NEW.version)
    assert story.ask(c.Push("web", NEW, 1, manifest)) == ()
    with pytest.raises(BadInput, match="pushed with other content"):
        story.ask(c.Push("web", ReleaseRef(version=NEW.version, digest="f" * 64), 1, manifest))


def test_who_pushes_it_again_and_says_why_is_kept_with_that_and_nothing_is_pruned_for_it() -> None:
    story = Story()
    again = c.Push("web", NEW, 1, ReleaseManifest(app="web", version=NEW.version), keep=1, why="build 4711")
    (event,) = story.ask(again)
    assert (type(event), story.state.app("web").releases[NEW.version].why) == (e.ReleasePushed, "build 4711")
    assert story.ask(again) == (), "it says nothing new"
    assert story.ask(c.Push("web", NEW, 1, ReleaseManifest(app="web", version=NEW.version))) == ()
    assert story.state.app("web").releases[NEW.version].why == "build 4711"


def test_the_last_host_in_service_is_not_drained() -> None:
    story = Story()
    story.report("web-2", in_service=False)
    story.report("web-3", in_service=False)
    with pytest.raises(BadInput, match="web-1 is the last host of web in service"):
        story.ask(c.DrainHost("web-1"))


def test_a_host_that_was_just_drained_does_not_count_as_in_service() -> None:
    story = Story(hosts=2)
    story.ask(c.DrainHost("web-1"))
    with pytest.raises(BadInput, match="web-2 is the last host"):
        story.ask(c.DrainHost("web-2"))


def test_a_silent_host_does_not_count_as_in_service() -> None:
    story = Story(hosts=2)
    story.passing(31.0, silent=["web-2"])
    with pytest.raises(BadInput, match="web-1 is the last host"):
        story.ask(c.DrainHost("web-1"))


def test_a_host_that_is_out_already_may_be_kept_out() -> None:
    story = Story(hosts=1)
    story.report("web-1", in_service=False)
    assert story.ask(c.DrainHost("web-1"))


def test_a_rollback_while_a_rollout_is_under_way_turns_that_one_back() -> None:
    story = Story()
    story.deploy()
    events = story.ask(c.Rollback("web", story.policy, "wrong prices"))
    assert [event.why for event in only(events, e.RollbackRequested)] == ["wrong prices"]
    assert only(events, e.StageEntered)[0].stage is e.Stage.ROLLING_BACK


def test_an_answer_at_a_question_is_a_promotion() -> None:
    story = Story(on_regression="ask")
    story.deploy()
    story.all_take()
    story.takes("web-1", Outcome.REVERTED)
    assert story.ask(c.Promote("web")) == (e.Promoted("r2"),)


def test_a_host_may_be_enrolled_again_with_other_labels_and_keeps_what_it_said() -> None:
    story = Story()
    before = story.on("web-1")
    story.ask(c.Enroll("web-1", {"role": "db"}, "another key"))
    assert story.on("web-1") == before
    assert story.state.hosts_with({"role": "web"}) == tuple(story.state.hosts[name] for name in ("web-2", "web-3"))


def test_a_removed_host_is_told_nothing_more() -> None:
    story = Story()
    story.ask(c.Remove("web-3"))
    story.deploy()
    assert set(story.rollout.members) == {"web-1", "web-2"}
    assert story.assigned("web-1").goal is Goal.PREPARED


def test_who_watches_logs_is_noted_with_the_end_of_it() -> None:
    story = Story()
    story.ask(c.WatchLogs("web", story.now + 60.0))
    assert story.state.app("web").watch_until == story.now + 60.0
