"""What a host did on this release before the rollout began is no evidence of the rollout."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.verdict.world import NEW, START, Knobs, make_world
from noonday_coordinator.verdict.judge import EvidenceJudge
from noonday_coordinator.verdict.window import HostWindow, Window
from noonday_shared.names import ReleaseRef

WORLD = make_world(Knobs(seed=3, kinds=24, history=300.0, length=120.0, per_minute=120.0))


def _new_hosts(seen: HostWindow, ends: float) -> frozenset[str]:
    session = EvidenceJudge().open(WORLD.trial)
    session.advance(Window(ends, {"web-4": seen}))
    for window in WORLD.windows:
        session.advance(window)
    return session.new_hosts


@pytest.mark.parametrize(
    ("seconds", "age"), [(30.0, 0.0), (2.0, 300.0)], ids=["a window from before", "an app that was started before"]
)
def test_a_host_that_served_the_release_before_the_rollout_is_not_on_its_side(seconds: float, age: float) -> None:
    seen = replace(WORLD.windows[0].hosts["web-4"], release=NEW.id, seconds=seconds, age=age)
    assert _new_hosts(seen, START + 5.0) == {"web-1"}


def test_a_host_that_has_the_release_already_is_heard_after_a_minute() -> None:
    seen = replace(WORLD.windows[0].hosts["web-4"], release=NEW.id, seconds=10.0, age=3000.0)
    assert _new_hosts(seen, START + 70.0) == {"web-1", "web-4"}


def test_the_canary_is_heard_from_its_first_window_on() -> None:
    session = EvidenceJudge().open(WORLD.trial)
    session.advance(WORLD.windows[0])
    assert session.new_hosts == {"web-1"}


def test_a_host_on_what_a_superseded_rollout_left_there_is_no_control_and_is_not_missed() -> None:
    half = ReleaseRef(version="1.0.5", digest="e" * 64)
    rollout = replace(WORLD.trial.rollout, half_rolled={"web-4": half})
    session = EvidenceJudge().open(replace(WORLD.trial, rollout=rollout))
    for window in WORLD.windows:
        seen = replace(window.hosts["web-4"], release=half.id)
        session.advance(replace(window, hosts={**window.hosts, "web-4": seen}))
    assert "web-4" not in session.old_hosts | session.new_hosts
    assert {"web-2", "web-3"} <= session.old_hosts
    assert session.coverage.trouble() == ""
