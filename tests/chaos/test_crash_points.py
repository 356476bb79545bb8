"""Every point at which a test can let a process die is one at which a test does: the points that are in the code, and
those that are tested, are compared by name."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import get_args

import chaos.test_agent_killed as agent
import chaos.test_agent_killed_at_commands as commands
import chaos.test_coordinator_killed as coordinator
import chaos.test_coordinator_killed_by_persons as persons
import chaos.test_coordinator_killed_rarely as rare

from noonday_agent.balancers import command as drivers
from noonday_agent.balancers.build import build_balancers
from noonday_agent.config import CommandBalancer
from noonday_agent.core.journal import Way
from noonday_agent.core.ways import STAGES
from noonday_agent.underway import RESTART, note_of
from noonday_coordinator.core import events as e
from noonday_coordinator.core.state import HostState
from noonday_shared.clock import SystemClock
from noonday_shared.messages import Goal

ROOT = Path(__file__).parents[2]

IN_CODE = {
    "agent:taken:{assignment.goal}",
    "agent:before:{attempt.way}:{attempt.stage}",
    "agent:after:{attempt.way}:{attempt.stage}",
    "agent:started:{self._kind}",
    "agent:noted:{self._kind}",
    "coordinator:said:{assignment.goal}",
    "coordinator:kept:{_name(record.event)}",
}
"""All of them, as they are written there."""

NOWHERE = {
    "coordinator:kept:LogRestored": "no coordinator keeps it, but noonday restore, before anything is in its place",
    "coordinator:kept:StageEntered:ended": "no stage of its own: RolloutEnded says it",
    "coordinator:kept:HostJudged:waiting": "every host begins so, and nothing is kept of it",
}
"""Names of points at which no coordinator ever is, and why not."""


def test_the_points_in_the_code_are_those_that_are_known_here() -> None:
    sources = [path for part in ("agent", "coordinator", "shared") for path in (ROOT / part / "src").rglob("*.py")]
    found = {name for path in sources for name in re.findall(r'crashpoint\(f?"([^"]+)"\)', path.read_text())}
    assert found == IN_CODE


def test_a_test_kills_an_agent_before_and_after_every_stage_of_every_way() -> None:
    possible = {f"around:{way}:{stage}" for way in Way for stage in STAGES[way]}
    assert {point for point in agent.POINTS if point.startswith("around:")} == possible
    assert {point for point in agent.POINTS if point.startswith("taken:")} == {f"taken:{goal}" for goal in Goal}


def test_a_test_kills_an_agent_around_the_note_of_every_kind_of_command(tmp_path: Path) -> None:
    balancer = CommandBalancer(kind="command", take_out=("a",), put_back=("a",), in_service=("a",), idle=("a",))
    (built,) = build_balancers("web", [balancer], tmp_path, SystemClock())
    assert isinstance(built, drivers.CommandBalancer)
    notes = [built.underway, *(note_of(tmp_path, "web", what) for what in ("hook", RESTART))]
    kinds = {note._kind for note in notes if note is not None}
    assert set(commands.POINTS) == {f"{moment}:{kind}" for moment in ("started", "noted") for kind in kinds}


def test_a_test_kills_the_coordinator_after_every_kind_of_fact_and_order() -> None:
    possible = {f"coordinator:said:{goal}" for goal in Goal} | {f"coordinator:kept:{name}" for name in _facts()}
    tested = {f"coordinator:{point}" for point in (*coordinator.POINTS, *persons.POINTS, *rare.POINTS)}
    assert tested - possible == set()
    assert possible - tested == set(NOWHERE)


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
