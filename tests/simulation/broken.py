"""Code that is broken on purpose, one rule each: whether the simulation notices, and how soon.

`make simulate BROKEN=name` plays seeds until one does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest import mock

import noonday_agent.runner
from noonday_agent.core import after, reconcile
from noonday_agent.core import take as taking
from noonday_agent.core.journal import Attempt, Journal, Stage
from noonday_agent.core.result import Again, Done, Result
from noonday_agent.core.ways import next_stage
from noonday_agent.runner import AppRunner
from noonday_agent.steps import Steps
from noonday_coordinator import inbox
from noonday_coordinator.core import absorb, decide, evolve, room, submit
from noonday_coordinator.core.events import HostJudged
from noonday_coordinator.core.state import HostState, InRollout, Rollout, State
from noonday_coordinator.core.view import View
from noonday_shared import envelope
from noonday_shared.messages import Assignment
from noonday_shared.names import ReleaseRef

Patch = tuple[object, str, object]


def too_many_at_once() -> list[Patch]:
    """Rule 1: the limit is forgotten, and every host of a wave is taken out at once."""
    return [(decide, "may_move", lambda _state, _view, _rollout, waiting, _now: list(waiting))]


def no_health_check() -> list[Patch]:
    """Rule 2: an app that was restarted counts as healthy unasked."""
    return [(Steps, "_warm_up", lambda _self, _attempt: Again(0.02, good=True))]


def nothing_is_blocked() -> list[Patch]:
    """Rule 3: a release that was rolled back may be rolled out again."""
    return [(evolve, "_blocked", lambda app, _rollout, _reason: app)]


def a_rollback_blocks_nothing() -> list[Patch]:
    """Rule 3: what a person rolled back may be rolled out again, and hosts are brought to it."""
    return [(evolve, "_left", lambda app, _rollout: app)]


def who_is_let_in_serves_what_was_blocked() -> list[Patch]:
    """Rule 3: a host that an operator lets in serves what it served, though that was rolled back meanwhile."""

    def returns_to(state: State, host: str, app: str) -> ReleaseRef | None:
        report = state.hosts[host].app(app).report
        return (report.proven if report else None) or state.app(app).current

    return [(State, "returns_to", returns_to)]


def no_end_of_a_step_is_seen() -> list[Patch]:
    """Rule 4: what hosts report of their steps is not looked at, nor how long they take."""
    seen = absorb._judge

    def judge(view: View, rollout: Rollout, name: str, member: InRollout, *rest: Any) -> HostJudged | None:
        return seen(view, rollout, name, member, *rest) if member.state is HostState.WAITING else None

    return [(absorb, "_judge", judge)]


def no_signature_is_checked() -> list[Patch]:
    """Rule 6: whoever signed a message, it counts."""
    return [(module, "verified", lambda _envelope, _keys: True) for module in (inbox, envelope)]


def an_older_term_counts() -> list[Patch]:
    """Rule 6: an agent does what was said last, whoever is the coordinator."""

    def newest(journal: Journal, assignment: Assignment, *, host: str, now: float) -> Journal:
        seen = journal.assignment
        return journal if seen and seen.order == assignment.order else taking._taken(journal, seen, assignment, now)

    return [(noonday_agent.runner, "take", newest)]


def a_restart_done_again() -> list[Patch]:
    """Rule 8: after a crash the app is restarted without a look whether it was already."""

    def restart(self: Any, _attempt: object) -> Result:
        self._parts.process.restart(10.0)
        return Done()

    return [(Steps, "_restart", restart)]


def hooks_run_again() -> list[Patch]:
    """Rule 8: an agent that died in a hook runs it once more."""
    return [(noonday_agent.runner, "recover", lambda journal, _now, *, has_hook: journal)]


def what_the_disk_refused_is_done_again() -> list[Patch]:
    """Rule 8: a step whose end could not be journalled is executed once more."""
    executed = AppRunner._executed

    def forget(self: Any, attempt: Attempt, result: Result) -> float:
        try:
            return executed(self, attempt, result)
        finally:
            self._unsaved = None

    return [(AppRunner, "_executed", forget)]


def nobody_waits_for_requests() -> list[Patch]:
    """Rule 9: the app is restarted as soon as the balancer was told."""
    return [(Steps, "_wait_idle", lambda _self: Done())]


def a_stranded_host_is_forgotten() -> list[Patch]:
    """Rule 10: a host that stays out because its app is not well is not looked at any more."""
    return [(reconcile, "_watched", lambda journal, *_rest: journal)]


def a_drained_host_is_let_in() -> list[Patch]:
    """Rule 11: the way out of the load balancer ends back in it."""

    def onward(attempt: Any) -> Stage | None:
        leaves = attempt.way == "leave" and attempt.stage is Stage.WAIT_IDLE
        return Stage.RETURN if leaves else next_stage(attempt)

    return [(after, "next_stage", onward)]


def the_last_one_may_go() -> list[Patch]:
    """Rule 1: nobody looks whether others are in service before one is taken out."""
    return [(room, "serves", lambda *_rest: True), (submit, "SILENT", 1e9), *an_ill_one_serves()]


def an_ill_one_serves() -> list[Patch]:
    """Rule 1: whoever is in service counts as one that serves, though its app fails its own health check."""
    return [(room, "_is_last", lambda *_rest: False)]


def racks_all_at_once() -> list[Patch]:
    """Rule 14: the next rack is begun while hosts of the one before are still on their way."""
    may_move = room.may_move

    def of_any_wave(state: Any, view: View, rollout: Rollout, waiting: list[str], now: float) -> list[str]:
        others = rollout.in_state(HostState.PREPARED) if rollout.wave > 0 else ()
        return may_move(state, view, rollout, dict.fromkeys((*waiting, *others)), now)

    return [(decide, "may_move", of_any_wave)]


def a_rack_has_no_limit() -> list[Patch]:
    """Rule 14: nobody looks how many of a rack are out."""
    return [(room, "group_has_room", lambda *_rest: True)]


def failures_are_forgotten() -> list[Patch]:
    """Rule 15: hosts after the canary that fail are left out, however many they are."""
    too_many = decide._too_many

    def canary(rollout: Rollout, failed: tuple[str, ...]) -> bool:
        return too_many(replace(rollout, failures=0), failed)

    return [(decide, "_too_many", canary)]


BROKEN: dict[str, Callable[[], list[Patch]]] = {
    one.__name__.replace("_", "-"): one
    for one in (
        too_many_at_once,
        the_last_one_may_go,
        an_ill_one_serves,
        no_health_check,
        nothing_is_blocked,
        a_rollback_blocks_nothing,
        who_is_let_in_serves_what_was_blocked,
        no_end_of_a_step_is_seen,
        no_signature_is_checked,
        an_older_term_counts,
        a_restart_done_again,
        hooks_run_again,
        what_the_disk_refused_is_done_again,
        nobody_waits_for_requests,
        a_stranded_host_is_forgotten,
        a_drained_host_is_let_in,
        racks_all_at_once,
        a_rack_has_no_limit,
        failures_are_forgotten,
    )
}


@contextmanager
def broken(name: str) -> Iterator[None]:
    """The code is so meanwhile. Raises `KeyError` for a name that is not in `BROKEN`."""
    patches = [mock.patch.object(*patch) for patch in BROKEN[name]()]
    for patch in patches:
        patch.start()
    try:
        yield
    finally:
        for patch in reversed(patches):
            patch.stop()
