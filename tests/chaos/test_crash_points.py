"""Every point at which a test can let a process die is one at which a test does: the points that are in the code, and
those that are tested, are compared by name."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import get_args

import chaos.test_agent_killed as agent
import chaos.test_coordinator_killed as coordinator
import chaos.test_coordinator_killed_by_persons as persons

from noonday_agent.core.journal import Way
from noonday_agent.core.ways import STAGES
from noonday_coordinator.core import events as e
from noonday_coordinator.core.state import HostState
from noonday_shared.messages import Goal

ROOT = Path(__file__).parents[2]

IN_CODE = {
    "agent:taken:{assignment.goal}",
    "agent:before:{attempt.way}:{attempt.stage}",
    "agent:after:{attempt.way}:{attempt.stage}",
    "coordinator:said:{assignment.goal}",
    "coordinator:kept:{_name(record.event)}",
}
"""All of them, as they are written there."""

SIMULATED = {
    "coordinator:kept:HostJudged:lost": "a host that can't be brought back, with a coordinator that dies then",
    "coordinator:kept:ClockSet": "a clock that was set: the next coordinator sees it again where it went back",
    "coordinator:kept:LogRestored": "a start on a log that was put back: the next start finds the same",
    "coordinator:kept:HostJudged:skipped": "a host that is left out before anything was done to it",
    "coordinator:kept:ReleasePruned": "an old archive that goes, kept in one piece with the push that makes it go",
    "coordinator:kept:StageEntered:ended": "no stage of its own: RolloutEnded says it",
    "coordinator:kept:HostJudged:waiting": "every host begins so, and nothing is kept of it",
}
"""Not killed for real, and why not. The simulation lets coordinators die in any append, before and after it is kept."""

NOT_ASKED_FOR = {Way.STRANDED}
"""Ways that no assignment asks for: the simulation kills agents there."""


def test_the_points_in_the_code_are_those_that_are_known_here() -> None:
    sources = [path for part in ("agent", "coordinator", "shared") for path in (ROOT / part / "src").rglob("*.py")]
    found = {name for path in sources for name in re.findall(r'crashpoint\(f?"([^"]+)"\)', path.read_text())}
    assert found == IN_CODE


def test_a_test_kills_an_agent_before_and_after_every_stage_of_the_ways_that_assignments_ask_for() -> None:
    possible = {f"around:{way}:{stage}" for way in set(Way) - NOT_ASKED_FOR for stage in STAGES[way]}
    assert {point for point in agent.POINTS if point.startswith("around:")} == possible
    assert {point for point in agent.POINTS if point.startswith("taken:")} == {f"taken:{goal}" for goal in Goal}


def test_a_test_kills_the_coordinator_after_every_kind_of_fact_and_order() -> None:
    possible = {f"coordinator:said:{goal}" for goal in Goal} | {f"coordinator:kept:{name}" for name in _facts()}
    tested = {f"coordinator:{point}" for point in (*coordinator.POINTS, *persons.POINTS)}
    assert tested - possible == set()
    assert possible - tested == set(SIMULATED)


def _facts() -> set[str]:
    """The names that the engine gives to the facts that it keeps."""
    several: dict[type[object], type[StrEnum]] = {e.StageEntered: e.Stage, e.Assigned: Goal, e.HostJudged: HostState}
    return {
        f"{kind.__name__}:{value}" if kind in several else kind.__name__
        for kind in get_args(e.Event)
        for value in several.get(kind, _Once)
    }


class _Once(StrEnum):
    """Of facts that have one name."""

    ONCE = ""
