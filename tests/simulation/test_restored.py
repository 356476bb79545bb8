"""The coordinator's disk is lost at any moment of two rollouts, and its log put back as of some seconds before."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace

import pytest
from simulation.host import Nature
from simulation.run import breaks, play
from simulation.script import Candidate, Mishap, Script, Wish
from simulation.test_simulation import STORY

from noonday_coordinator.core import restored
from noonday_shared.release.manifest import HookFiles
from support.story import NEW, OTHER

MOMENTS = tuple(range(26, 62, 4))
"""The first rollout begins at 5 s and ends at 37, the second ends at 55."""
LASTS = 4.0
"""Seconds without a coordinator."""
AGES = (2, 9, 28)
"""Seconds that the backup is older than its restore."""


@pytest.fixture(autouse=True)
def _quietly() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def story(at: int, age: int) -> Script:
    candidates = [Candidate(ref, "good", Nature(), HookFiles(), "", (), ()) for ref in (NEW, OTHER)]
    lost = Mishap(float(at), "coordinator-restored", "web-1", lasts=LASTS, size=age)
    return replace(STORY, candidates=tuple(candidates), mishaps=(lost,), wishes=(Wish(at + 50.0, "deploy"),))


@pytest.mark.parametrize("age", AGES)
def test_every_rule_holds_whatever_the_backup_does_not_know(age: int) -> None:
    given_up = 0
    for at in MOMENTS:
        world = play(story(at, age))
        ended = [one for one in world.coordinator.engine.state.rollouts.values() if "put back" in one.reason]
        given_up += len(ended)
        assert all(one.end is not None for one in world.coordinator.engine.state.rollouts.values())
    assert bool(given_up) == (age > LASTS), "hosts were told more since just where the backup is older than the loss"


def test_it_is_noticed_when_what_the_backup_says_is_said_again(monkeypatch: pytest.MonkeyPatch) -> None:
    stories = [story(at, 28) for at in MOMENTS]
    for name in ("is_stale", "is_awaited"):
        monkeypatch.setattr(restored, name, lambda *_: False)
    monkeypatch.setattr(restored, "give_up", lambda *_: [])
    monkeypatch.setattr("noonday_coordinator.core.lost.is_stale", lambda *_: False)
    assert any(breaks(one) == "rule 1" for one in stories)
