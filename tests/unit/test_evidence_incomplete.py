"""Missing, late and refused evidence, and what only a load balancer saw, as the verdict takes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache, reduce

import pytest

from bench.verdict.world import NEW, START, Fault, Knobs, World, make_world
from noonday_coordinator.core.view import Judgement
from noonday_coordinator.verdict.increase import joined
from noonday_coordinator.verdict.judge import replay
from noonday_coordinator.verdict.window import HostWindow, Window

KNOBS = Knobs(seed=3, kinds=12, history=900.0, length=300.0, per_minute=120.0)
Change = Callable[[str, HostWindow], HostWindow | None]


@cache
def world() -> World:
    return make_world(KNOBS, Fault())


def changed(windows: list[Window], change: Change) -> list[Window]:
    """`change` makes another window of a host's, or none."""
    return [
        replace(one, hosts={host: new for host, seen in one.hosts.items() if (new := change(host, seen)) is not None})
        for one in windows
    ]


def told(windows: list[Window], before: tuple[Window, ...] | None = None) -> list[Judgement]:
    trial = world().trial if before is None else replace(world().trial, before=before)
    return [judgement for _, judgement in replay(trial, windows)]


def after(seconds: float, story: list[Judgement]) -> list[Judgement]:
    return [one for one in story if one.at - START > seconds]


@pytest.mark.parametrize("silent", ["web-1", "web-4"])
def test_a_host_that_says_nothing_is_named_and_never_promoted_over(silent: str) -> None:
    story = told(changed(world().windows, lambda host, seen: None if host == silent else seen))
    assert {one.verdict for one in after(30, story)} == {"hold"}
    assert silent in story[-1].reason or silent == "web-1"


def test_a_host_that_falls_silent_makes_the_evidence_incomplete_until_it_speaks() -> None:
    windows = world().windows
    gap = changed(windows[10:20], lambda host, seen: None if host == "web-3" else seen)
    story = told([*windows[:10], *gap])
    assert story[-1].verdict == "hold"
    assert "the evidence is incomplete" in story[-1].reason
    assert "web-3" in story[-1].reason


def test_what_came_late_covers_the_gap_and_is_no_spike() -> None:
    """Of the canary: 100 s of everything in one window."""
    windows = world().windows
    late = reduce(joined, [one.hosts["web-1"] for one in windows[8:18]])
    gap = changed(windows[8:17], lambda host, seen: None if host == "web-1" else seen)
    burst = replace(windows[17], hosts={**windows[17].hosts, "web-1": late})
    story = told([*windows[:8], *gap, burst, *windows[18:]])
    assert "roll back" not in {one.verdict for one in story}
    assert story[-1].verdict == "promote"


def test_a_host_of_another_identity_holds_and_is_named_at_once() -> None:
    words = "web-2 counts by rules of identity 9"
    silent = changed(world().windows, lambda host, seen: None if host == "web-2" else seen)
    story = told([replace(one, refused={"web-2": words}) for one in silent])
    assert {one.verdict for one in story} == {"hold"}
    assert words in story[-1].reason


def test_a_refused_host_outside_the_rollout_changes_nothing() -> None:
    story = told([replace(one, refused={"other-9": "rubbish"}) for one in world().windows])
    assert story[-1].verdict == "promote"


def by_balancer(errors: int) -> Change:
    """The log tells no requests; the balancer does, and how many got no whole answer."""

    def change(host: str, seen: HostWindow) -> HostWindow:
        counted = {
            "requests": seen.requests,
            "response_ms": 80 * seen.requests,
            "errors": errors if seen.release == NEW.id else 0,
            "5xx": seen.statuses.get("5xx", 0),
        }
        return replace(seen, requests=0, statuses={}, latency=(), balancer=counted)

    return change


def test_without_requests_in_the_log_the_balancers_are_the_exposure() -> None:
    before = tuple(changed(list(world().trial.before), by_balancer(0)))
    story = told(changed(world().windows, by_balancer(0)), before)
    assert "roll back" not in {one.verdict for one in story}
    assert (story[-1].verdict, story[-1].requests > 200, story[-1].control_requests > 800) == ("promote", True, True)


def test_answers_that_break_off_turn_back_though_no_log_tells_of_them() -> None:
    before = tuple(changed(list(world().trial.before), by_balancer(0)))
    story = told(changed(world().windows, by_balancer(2)), before)
    blamed = next(one for judgement in story for one in judgement.findings if one.blames)
    assert (blamed.unit, blamed.kind) == ("status:errors", "statuses")
    assert "without a whole answer, as the load balancer sees them" in blamed.words


def test_slower_answers_as_only_the_balancer_sees_them_hold() -> None:
    def slower(host: str, seen: HostWindow) -> HostWindow:
        found = by_balancer(0)(host, seen)
        assert found is not None
        took = found.balancer["response_ms"] * (3 if seen.release == NEW.id else 1)
        return replace(found, balancer={**found.balancer, "response_ms": took})

    before = tuple(changed(list(world().trial.before), by_balancer(0)))
    story = told(changed(world().windows, slower), before)
    assert story[-1].verdict == "hold"
    assert "response_ms_of_balancer rose" in story[-1].reason
