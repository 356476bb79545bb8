"""The plan of a rollout, and every reason why there can't be one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from noonday_coordinator.core import commands as c
from noonday_coordinator.core import events as e
from noonday_coordinator.core.plan import drain_limit, plan_deploy, plan_rollback
from noonday_coordinator.core.policy import share_of
from noonday_coordinator.core.state import Host
from noonday_coordinator.core.view import View
from noonday_coordinator.core.waves import waves_of
from noonday_shared.errors import BadInput
from support.story import NEW, OLD, OLDER, Story, policy

SIX = [f"web-{n}" for n in range(1, 7)]


@pytest.mark.parametrize(
    ("canary", "waves", "sizes"),
    [
        (1, ["100%"], [1, 5]),
        (2, [1, "100%"], [2, 1, 3]),
        ("50%", ["100%"], [3, 3]),
        (1, [1], [1, 1, 4]),
        (1, ["25%", "50%"], [1, 2, 3]),
        (6, ["100%"], [6]),
        (9, ["100%"], [6]),
        ("1%", ["1%", "1%"], [1, 1, 1, 3]),
    ],
)
def test_waves_follow_the_policy_and_the_last_takes_who_is_left(
    canary: Any, waves: list[Any], sizes: list[int]
) -> None:
    planned = waves_of(policy(canary=canary, waves=waves), [Host(name, {}, "key") for name in SIX])
    assert [len(wave) for wave in planned] == sizes
    assert [host for wave in planned for host in wave] == SIX


@pytest.mark.parametrize(
    ("share", "total", "down", "up"),
    [(1, 3, 1, 1), (5, 3, 3, 3), ("50%", 3, 1, 2), ("1%", 3, 1, 1), ("100%", 3, 3, 3), ("0%", 3, 0, 0), (0, 3, 0, 0)],
)
def test_a_share_is_rounded_in_the_safe_direction_that_is_asked_for(share: Any, total: int, down: int, up: int) -> None:
    assert (share_of(share, total), share_of(share, total, up=True)) == (down, up)


@pytest.mark.parametrize(
    ("total", "changes", "limit"),
    [
        (3, {}, 1),
        (4, {"max_unavailable": "50%"}, 2),
        (4, {"max_unavailable": 4}, 3),
        (4, {"max_unavailable": 3, "min_healthy": 3}, 1),
        (4, {"max_unavailable": 3, "min_healthy": "50%"}, 2),
        (1, {"allow_outage": True}, 1),
    ],
)
def test_the_stricter_limit_wins_and_one_host_always_stays(total: int, changes: dict[str, Any], limit: int) -> None:
    assert drain_limit(policy(**changes), total, allow_outage=False) == limit


def test_a_limit_that_lets_no_host_be_drained_is_refused_with_the_sum() -> None:
    with pytest.raises(BadInput, match=r"3 hosts - min_healthy 3 \(3 hosts\) = 0 that may be drained"):
        drain_limit(policy(min_healthy=3), 3, allow_outage=False)


def test_the_only_host_is_taken_out_only_by_somebody_who_says_so() -> None:
    with pytest.raises(BadInput, match="means an outage"):
        drain_limit(policy(), 1, allow_outage=False)
    assert drain_limit(policy(), 1, allow_outage=True) == 1


def test_a_plan_names_hosts_waves_limit_checks_and_an_estimate() -> None:
    story = Story(hosts=4, max_unavailable=2, gates=("canary",), waves=(1, "100%"), wave_pause=30)
    plan = plan_deploy(story.state, story.view, story.policy, NEW.version, now=story.now)
    assert (plan.release, plan.previous, plan.limit, plan.nothing_to_do) == (NEW, OLD, 2, False)
    assert plan.waves == (("web-1",), ("web-2",), ("web-3", "web-4"))
    assert any("web-1 examined for 60 s and 10 requests" in check for check in plan.checks)
    assert any("a person says yes after canary" in check for check in plan.checks)
    assert plan.seconds >= 60 + 30


def test_a_first_release_has_nothing_to_compare_with_and_says_so() -> None:
    story = Story(first=None)
    plan = plan_deploy(story.state, story.view, story.policy, NEW.version, now=story.now)
    assert plan.previous is None
    assert any("nothing to compare" in check for check in plan.checks)


def test_what_every_host_serves_already_is_nothing_to_do() -> None:
    story = Story()
    plan = plan_deploy(story.state, story.view, story.policy, OLD.version, now=story.now)
    assert (plan.nothing_to_do, plan.waves) == (True, ())


def test_what_one_host_does_not_serve_is_something_to_do() -> None:
    story = Story()
    story.report("web-2", in_service=False)
    assert not plan_deploy(story.state, story.view, story.policy, OLD.version, now=story.now).nothing_to_do


def test_a_coordinator_that_has_just_begun_calls_nobody_unreachable() -> None:
    story = Story()
    story.now += 3600.0
    story.view = View(since=story.now - 5.0)
    plan = plan_deploy(story.state, story.view, story.policy, NEW.version, now=story.now)
    assert [host for wave in plan.waves for host in wave] == list(story.names)


def test_a_coordinator_that_has_just_begun_without_a_broker_begins_no_rollout() -> None:
    story = Story()
    story.view = View(since=story.now - 5.0, deaf=True)
    with pytest.raises(BadInput, match=r"no report from web-1 \(last seen never\)") as refused:
        plan_deploy(story.state, story.view, story.policy, NEW.version, now=story.now)
    assert refused.value.rule == "unreachable"


def silent(story: Story) -> None:
    story.now += 31.0
    for name in ("web-1", "web-3"):
        story.hear(name)


def block(story: Story) -> None:
    story.deploy()
    story.rollback()


REFUSALS: list[tuple[str, str, Callable[[Story], object]]] = [
    ("unreachable", r"no report from web-2 \(last seen 31 s ago\)", silent),
    ("no-hosts", "no enrolled host carries role=web; that never means all", lambda story: relabel(story, "db")),
    ("unknown-app", "web-9 has no app 'web'", lambda story: story.enroll("web-9")),
    ("drained", r"drained by an operator: web-2 \(by alice\)", lambda story: story.ask(c.DrainHost("web-2"))),
    ("blocked", "1.1.0 was rolled back in r2", block),
    ("rollout-under-way", "r2 .*1.1.0, by alice.* is under way", lambda story: story.deploy()),
]


def relabel(story: Story, role: str) -> None:
    for name in story.names:
        story.enroll(name, role)


@pytest.mark.parametrize(("rule", "words", "make"), REFUSALS, ids=[rule for rule, _, _ in REFUSALS])
def test_a_plan_is_refused_naming_the_rule(rule: str, words: str, make: Callable[[Story], object]) -> None:
    story = Story()
    make(story)
    with pytest.raises(BadInput, match=words) as refused:
        plan_deploy(story.state, story.view, story.policy, NEW.version, now=story.now)
    assert refused.value.rule == rule
    assert refused.value.next_action


def test_where_all_hosts_are_drained_that_is_said_and_not_that_they_are_silent() -> None:
    story = Story(offline="skip")
    for name in story.names:
        story.keep(e.HostDrained(name), by="alice")
    with pytest.raises(BadInput, match=r"drained by an operator: web-1 \(by alice\), web-2") as refused:
        plan_deploy(story.state, story.view, story.policy, NEW.version, now=story.now)
    assert refused.value.rule == "drained"


def test_a_version_that_was_not_pushed_is_refused_with_those_that_were() -> None:
    story = Story()
    with pytest.raises(BadInput, match=r"web 7 was not pushed \(pushed: 1.0.0, 1.1.0, 1.2.0\)"):
        plan_deploy(story.state, story.view, story.policy, "7", now=story.now)


def rolled_out(hosts: int = 3) -> Story:
    """A fleet that went from 1.0.0 to 1.1.0."""
    story = Story(hosts=hosts, examine=0)
    story.deploy()
    story.all_take()
    story.all_take()
    assert story.rollout.end is e.End.DONE
    story.all_take()
    return story


def test_a_rollback_goes_straight_to_the_previous_release_newest_host_first() -> None:
    story = rolled_out()
    for name in story.names:
        story.report(name, prepared=(NEW.id, OLD.id))
    plan = plan_rollback(story.state, story.view, story.policy, now=story.now)
    assert (plan.release, plan.previous, plan.waves) == (OLD, NEW, (("web-3", "web-2", "web-1"),))


def test_a_rollback_says_which_host_must_fetch_the_release_again() -> None:
    story = rolled_out()
    for name in story.names:
        story.report(name, prepared=(NEW.id, OLD.id) if name != "web-2" else (NEW.id,))
    plan = plan_rollback(story.state, story.view, story.policy, now=story.now)
    assert plan.checks[-1] == "web-2 fetches 1.0.0 again, before any host is drained"


def test_a_rollback_to_what_lies_nowhere_any_more_is_refused_naming_the_host() -> None:
    story = rolled_out()
    for name in story.names:
        story.report(name, prepared=(NEW.id, OLD.id) if name != "web-2" else (NEW.id,))
    story.keep(e.ReleasePruned("web", OLD))
    with pytest.raises(BadInput, match=r"the archive of web 1.0.0 is no longer kept, and it is not on web-2"):
        plan_rollback(story.state, story.view, story.policy, now=story.now)


def test_a_rollback_without_a_previous_release_is_refused() -> None:
    story = Story(first=OLDER)
    with pytest.raises(BadInput, match="no previous release"):
        plan_rollback(story.state, story.view, story.policy, now=story.now)
