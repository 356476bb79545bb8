"""The service files can be read, and they start commands that exist with options that exist."""

from __future__ import annotations

import configparser
import shlex
from pathlib import Path

import pytest

from noonday_agent import app
from noonday_agent.config import Hooks
from noonday_agent.service import CLOSE_WITHIN
from noonday_agent.underway import GRACE
from support.command_lines import trouble

PACKAGING = Path(__file__).parents[2] / "packaging"
UNITS = sorted(PACKAGING.glob("*.service"))
PROGRAMS = sorted(PACKAGING.glob("supervisor/*.conf"))


def test_both_parts_have_a_unit_and_a_program() -> None:
    names = {"noonday-agent", "noonday-coordinator"}
    assert {unit.stem for unit in UNITS} == {program.stem for program in PROGRAMS} == names


@pytest.mark.parametrize("file", UNITS, ids=lambda file: file.name)
def test_a_unit_starts_a_command_that_exists_when_the_machine_is_up(file: Path) -> None:
    unit = _read(file)
    assert not trouble(shlex.split(unit["Service"]["ExecStart"]))
    assert unit["Install"]["WantedBy"] == "multi-user.target"
    assert "network-online.target" in unit["Unit"]["After"].split()


@pytest.mark.parametrize("file", PROGRAMS, ids=lambda file: file.name)
def test_a_program_starts_the_same_command_as_the_unit(file: Path) -> None:
    command = _read(file)[f"program:{file.stem}"]["command"]
    assert command == _read(PACKAGING / f"{file.stem}.service")["Service"]["ExecStart"]


def test_stopping_the_agent_leaves_alone_what_a_restart_command_started() -> None:
    assert _read(PACKAGING / "noonday-agent.service")["Service"]["KillMode"] == "process"
    program = _read(PACKAGING / "supervisor" / "noonday-agent.conf")["program:noonday-agent"]
    assert (program["stopasgroup"], program["killasgroup"]) == ("false", "false")


def test_an_agent_that_is_stopped_has_more_time_than_it_gives_to_a_hook() -> None:
    needed = app.HOOK_WITHIN + GRACE + 2 * CLOSE_WITHIN
    unit = float(_read(PACKAGING / "noonday-agent.service")["Service"]["TimeoutStopSec"])
    program = _read(PACKAGING / "supervisor" / "noonday-agent.conf")["program:noonday-agent"]
    assert unit > needed
    assert float(program["stopwaitsecs"].split()[0]) > needed
    assert Hooks().within + GRACE < app.HOOK_WITHIN


def test_the_agents_unit_hides_nothing_that_it_works_on() -> None:
    service = _read(PACKAGING / "noonday-agent.service")["Service"]
    hidden = {"PrivateTmp", "ProtectHome", "PrivateUsers", "ProtectProc", "User", "NoNewPrivileges", "PrivateNetwork"}
    assert not hidden & set(service)


def _read(file: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=True)
    # Names of keys are told apart by case in units.
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(file.read_text(encoding="utf-8"))
    return parser
