"""A load balancer that forgets what it was told while nobody looks. Each story was made for one such moment, and breaks
a rule when what mended it is taken away."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from simulation.balancer import SimulatedBalancer
from simulation.excuses import Excuses
from simulation.run import breaks
from simulation.script import Mishap, Script, Wish
from simulation.test_simulation import STORY

from noonday_agent.balancers.pool import Pool
from noonday_agent.core import reconcile, ways
from noonday_agent.core.journal import Stage, Way

Break = Callable[[pytest.MonkeyPatch], None]


@pytest.fixture(autouse=True)
def _quietly() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def nobody_looks_again(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Pool, "hold_out", lambda _self: False)


def the_journal_is_believed(patch: pytest.MonkeyPatch) -> None:
    nobody_looks_again(patch)
    patch.setattr(reconcile, "drained_anew", lambda journal, _now: journal)


def a_stranded_host_waits_for_no_request(patch: pytest.MonkeyPatch) -> None:
    stages = tuple(one for one in ways.STAGES[Way.STRANDED] if one is not Stage.WAIT_IDLE)
    patch.setitem(ways.STAGES, Way.STRANDED, stages)


def only_one_that_sends_requests_is_told_again(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(SimulatedBalancer, "is_out", lambda self: not self.in_service())


def the_dead_are_to_tell(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Excuses, "beyond_telling", lambda _self, _host: False)


BLIND = replace(STORY, checked=False, calm_after=200.0)
"""The load balancer has no health check of its own. web-1 goes first, and is out from 0.3 s on."""

NEW_AND_ILL = replace(STORY, late=("web-3",), serving_before=False, calm_after=250.0)
"""web-3 comes new to the release of record, and is not let in since it is not well."""

STORIES = [
    (
        "rule 2",
        nobody_looks_again,
        replace(
            BLIND,
            mishaps=(
                Mishap(0.5, "app-ill", "web-1", lasts=600.0),
                Mishap(60.0, "balancer-forgets", "web-1"),
            ),
        ),
    ),
    (
        "rule 2",
        the_journal_is_believed,
        replace(
            BLIND,
            mishaps=(
                Mishap(0.0, "manager-gone", "web-1", lasts=20.0),
                Mishap(0.25, "host-cut-off", "web-1", lasts=100.0),
                Mishap(30.0, "power-cut", "web-1", lasts=20.0, late=True, size=2),
            ),
        ),
    ),
    (
        "rule 9",
        a_stranded_host_waits_for_no_request,
        replace(
            BLIND,
            longest_request=9.0,
            mishaps=(
                Mishap(6.0, "app-ill", "web-1", lasts=50.0),
                Mishap(8.0, "balancer-gone", "web-1", lasts=160.0),
                Mishap(80.0, "balancer-forgets", "web-1"),
            ),
        ),
    ),
    (
        "rule 2",
        only_one_that_sends_requests_is_told_again,
        replace(
            NEW_AND_ILL,
            mishaps=(
                Mishap(50.0, "app-ill", "web-3", lasts=150.75),
                Mishap(100.0, "balancer-forgets", "web-3"),
            ),
            wishes=(Wish(60.0, "enroll", "web-3"),),
        ),
    ),
    (
        "rule 2",
        the_dead_are_to_tell,
        replace(
            BLIND,
            mishaps=(
                Mishap(0.5, "agent-dies", "web-1", lasts=150.0),
                Mishap(10.0, "balancer-forgets", "web-1"),
            ),
        ),
    ),
]


@pytest.mark.parametrize(("words", "away", "story"), STORIES, ids=[away.__name__ for _, away, _ in STORIES])
def test_it_is_told_again_before_anybody_is_hurt(
    words: str, away: Break, story: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert breaks(story) == ""
    away(monkeypatch)
    assert breaks(story) == words
