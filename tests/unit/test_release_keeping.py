"""How many archives the coordinator keeps, and which never go."""

from __future__ import annotations

import pytest

from noonday_coordinator.core import commands as c
from noonday_coordinator.core import events as e
from noonday_coordinator.core.keeping import prunable
from noonday_shared.errors import BadInput
from noonday_shared.messages import Goal
from noonday_shared.names import ReleaseRef
from noonday_shared.release.manifest import ReleaseManifest
from support.story import NEW, OLD, OTHER, Story


def push(story: Story, number: int, *, keep: int) -> tuple[e.Event, ...]:
    story.now += 1.0
    ref = ReleaseRef(version=f"2.{number}", digest=f"{number:064x}")
    return story.ask(c.Push("web", ref, 1, ReleaseManifest(app="web", version=ref.version), keep))


def pruned(story: Story) -> set[str]:
    return {version for version, release in story.state.app("web").releases.items() if release.pruned}


def test_the_oldest_archives_go_and_the_newest_stay() -> None:
    story = Story(first=None)
    for number in range(4):
        push(story, number, keep=3)
    assert pruned(story) == {OLD.version, NEW.version, OTHER.version, "2.0"}
    assert prunable(story.state, "web", 3) == ()


def test_by_default_every_archive_stays() -> None:
    story = Story(first=None)
    for number in range(4):
        push(story, number, keep=0)
    assert pruned(story) == set()


def test_what_a_host_may_still_have_to_fetch_stays_however_old() -> None:
    story = Story()
    story.deploy(NEW.version)
    for number in range(4):
        push(story, number, keep=2)
    assert pruned(story) == {OTHER.version, "2.0", "2.1"}


def test_what_a_rollback_leads_to_stays_when_no_host_was_told_of_it_for_long_and_the_rollback_goes() -> None:
    story = Story(examine=0)
    story.deploy(NEW.version)
    for name in (*story.names, *story.names, *story.names):
        story.takes(name)
    held = [(story.assigned(name).release, story.assigned(name).previous) for name in story.names]
    assert held == [(NEW, None)] * 3, "nothing but the record of the app names 1.0.0"
    for number in range(4):
        push(story, number, keep=2)
    assert pruned(story) == {OTHER.version, "2.0", "2.1"}
    for name in story.names:
        story.report(name, prepared=(NEW.id,))
    story.rollback("slow")
    assert {story.assigned(name).goal for name in story.names} == {Goal.PREPARED}
    assert {story.assigned(name).release for name in story.names} == {OLD}
    story.all_take()
    while story.rollout.end is None:
        story.takes(story.moving()[0])
    assert (story.rollout.end, story.state.app("web").current) == (e.End.DONE, OLD)


def test_what_a_rollout_under_way_brings_and_what_it_goes_back_to_stays_before_any_host_is_told() -> None:
    """Its own word keeps both: it needs neither the record of the app nor an assignment for that."""
    story = Story(first=None)
    story.keep(e.RolloutStarted("r1", "web", "deploy", NEW, OLD, story.policy, (story.names,)))
    assert story.state.app("web").current is None
    for number in range(4):
        push(story, number, keep=2)
    assert pruned(story) == {OTHER.version, "2.0", "2.1"}
    story.keep(e.RolloutEnded("r1", e.End.ABORTED, "nothing began"))
    push(story, 4, keep=2)
    assert {OLD.version, NEW.version} <= pruned(story), "over, it needs neither"


def test_a_rollout_of_another_app_keeps_nothing_of_this_one() -> None:
    story = Story(first=None)
    story.keep(e.RolloutStarted("r1", "api", "deploy", NEW, OLD, story.policy, (story.names,)))
    for number in range(3):
        push(story, number, keep=2)
    assert {OLD.version, NEW.version} <= pruned(story)


def test_a_release_that_one_host_still_serves_stays() -> None:
    story = Story()
    story.report("web-2", live=OTHER.id, proven=OTHER, in_service=True)
    for number in range(3):
        push(story, number, keep=2)
    assert pruned(story) == {NEW.version, "2.0"}


def test_a_pruned_release_is_refused_naming_who_lacks_it_until_it_is_pushed_again() -> None:
    story = Story()
    for number in range(3):
        push(story, number, keep=2)
    assert NEW.version in pruned(story)
    with pytest.raises(BadInput, match=r"is no longer kept, and it is not on web-1, web-2, web-3") as refused:
        story.deploy(NEW.version)
    assert refused.value.rule == "archive-pruned"
    story.ask(c.Push("web", NEW, 1, ReleaseManifest(app="web", version=NEW.version), 2))
    assert NEW.version not in pruned(story)
    assert story.deploy(NEW.version)


def test_a_pruned_release_that_every_host_still_holds_may_be_rolled_out() -> None:
    story = Story()
    for number in range(3):
        push(story, number, keep=2)
    for name in story.names:
        story.report(name, live=OLD.id, proven=OLD, in_service=True, prepared=(OLD.id, NEW.id))
    assert story.deploy(NEW.version)


def test_pushed_again_it_is_still_blocked_if_it_was() -> None:
    story = Story()
    story.deploy()
    story.rollback()
    assert story.state.app("web").releases[NEW.version].blocked
    story.keep(e.RolloutEnded("r2", e.End.ROLLED_BACK, "by hand"), e.ReleasePruned("web", NEW))
    story.ask(c.Push("web", NEW, 1, ReleaseManifest(app="web", version=NEW.version), 2))
    release = story.state.app("web").releases[NEW.version]
    assert (release.pruned, bool(release.blocked)) == (False, True)
