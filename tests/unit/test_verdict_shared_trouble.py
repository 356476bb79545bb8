"""What is usual on the old servers is no shared trouble, however little of the past is known."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from bench.verdict.world import START, Fault, Knobs, error_kind, make_world
from noonday_coordinator.core.view import Judgement
from noonday_coordinator.verdict.judge import replay
from noonday_coordinator.verdict.window import HostWindow

SHORT = Knobs(seed=5, kinds=24, history=20.0, coarse=10.0, length=300.0, per_minute=600.0)
NOISE = error_kind(0.05, "TimeoutError in shop/pay.py ask")
AWAY = error_kind(0.3, "ConnectionRefusedError in shop/db.py connect")


def _told(fault: Fault, knobs: Knobs = SHORT) -> dict[float, Judgement]:
    """By seconds since the start."""
    world = make_world(knobs, fault)
    return {at - START: judgement for at, judgement in replay(world.trial, world.windows)}


def _shared(told: dict[float, Judgement]) -> list[float]:
    return [at for at, judgement in told.items() if any(f.kind == "shared-trouble" for f in judgement.findings)]


@pytest.mark.parametrize("history", [20.0, 600.0])
def test_what_every_server_logs_from_the_start_on_is_no_shared_trouble(history: float) -> None:
    knobs = Knobs(seed=5, kinds=24, history=history, coarse=10.0, length=300.0, per_minute=600.0)
    assert _shared(_told(Fault("noise", everywhere=(NOISE,), onset=-1e9), knobs)) == []


def test_an_outage_holds_while_it_lasts_and_for_a_minute_after_it() -> None:
    told = _told(Fault("outage", everywhere=(AWAY,), onset=60.0, until=90.0))
    shared = _shared(told)
    assert 60 < min(shared) <= 90
    assert 90 < max(shared) <= 160
    assert not any(judgement.verdict == "roll back" for judgement in told.values())
    assert told[max(told)].verdict == "promote"


def test_a_long_outage_does_not_become_usual() -> None:
    shared = _shared(_told(Fault("outage", everywhere=(AWAY,), onset=60.0, until=280.0)))
    assert max(shared) > 280
    assert all(after - before <= 10 for before, after in pairwise(shared))


def test_a_known_noise_does_not_hide_what_is_new_on_all_servers() -> None:
    """As many errors as ever, and half as many more of another kind."""
    knobs = Knobs(seed=5, kinds=24, history=600.0, coarse=10.0, length=120.0, per_minute=600.0)
    slight = error_kind(0.02, "ConnectionRefusedError in shop/db.py connect")
    told = _told(Fault("outage", everywhere=(slight,), everywhere_errors=0.0, onset=60.0), knobs)
    held = [judgement.reason for judgement in told.values() if judgement.verdict == "hold"]
    assert any("'ConnectionRefusedError in shop/db.py connect' rises on web-" in reason for reason in held)


def test_servers_that_nobody_used_before_are_no_past_to_compare_with() -> None:
    world = make_world(SHORT, Fault("noise", everywhere=(NOISE,), onset=-1e9))
    unused = [
        replace(window, hosts={name: _unused(seen) for name, seen in window.hosts.items()})
        for window in world.trial.before
    ]
    told = {
        at - START: judgement for at, judgement in replay(replace(world.trial, before=tuple(unused)), world.windows)
    }
    assert _shared(told) == []
    assert all(finding.per == "request" for finding in told[max(told)].findings if finding.rate_here)


def _unused(seen: HostWindow) -> HostWindow:
    return replace(seen, requests=0, statuses={}, counts={}, latency=(), balancer={})
