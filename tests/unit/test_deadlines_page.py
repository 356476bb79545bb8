"""The list of waits in the documentation: their seconds are those of the code, and a test lets each of them run out."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pkgutil import resolve_name

import pytest
from pydantic import BaseModel

from noonday_agent import config as agent
from noonday_agent.config import Seconds as AgentSeconds
from noonday_coordinator.core.policy import Policy
from noonday_coordinator.core.policy import Seconds as PolicySeconds
from support.deadlines import CONSTANTS, DERIVED, ROOT, TESTS, rows

KINDS = {"balancers": "Balancer", "process": "Process"}
ROWS = rows()


def test_every_wait_of_the_page_is_known_here_and_once() -> None:
    assert sorted(what for what, _, _ in ROWS) == sorted(TESTS)


@pytest.mark.parametrize(("what", "seconds", "source"), ROWS, ids=[what for what, _, _ in ROWS])
def test_its_seconds_are_those_of_the_code(what: str, seconds: float, source: str) -> None:
    if what in CONSTANTS:
        assert seconds == resolve_name(CONSTANTS[what])
    else:
        assert seconds == (DERIVED[what] if what in DERIVED else _default(source))


@pytest.mark.parametrize("test", sorted(set(TESTS.values())))
def test_a_test_lets_it_run_out(test: str) -> None:
    file, _, name = test.partition("::")
    module = ast.parse((ROOT / "tests" / file).read_text())
    assert name in {node.name for node in module.body if isinstance(node, ast.FunctionDef)}


def test_every_setting_in_seconds_stands_on_the_page() -> None:
    told = {source for _, _, source in ROWS if source != "fixed"}
    policy = {f"`{name}` (policy)" for name in _seconds(Policy, PolicySeconds)}
    assert policy - told == set()
    assert {f"`{name}`" for name in _of_agent()} - told == set()


def _default(source: str) -> float:
    key = source.split("`")[1]
    if source.endswith("(policy)"):
        return float(Policy.model_fields[key].default)
    return _of_agent()[key]


def _of_agent() -> dict[str, float]:
    """Key below [apps.APP], with the kind of a balancer or process manager in it, and its seconds."""
    found = {}
    for path, model in _tables():
        for name, default in _seconds(model, AgentSeconds).items():
            found[f"{path}{name}"] = default
    return found


def _tables() -> Iterator[tuple[str, type[BaseModel]]]:
    yield "", agent.App
    yield "health.", agent.Health
    yield "drain.", agent.Drain
    yield "hooks.", agent.Hooks
    yield "metrics.", agent.Metrics
    for folder, ending in KINDS.items():
        for name, model in vars(agent).items():
            if re.fullmatch(f"[A-Z][a-z]+{ending}", name):
                yield f"{folder}.{name.removesuffix(ending).lower()}.", model


def _seconds(model: type[BaseModel], kind: object) -> dict[str, float]:
    """Fields of that kind: its marks are those of the annotation."""
    marks = [str(mark) for mark in kind.__metadata__[0].metadata]  # type: ignore[attr-defined]
    return {
        name: float(field.default)
        for name, field in model.model_fields.items()
        if field.annotation is float and [str(mark) for mark in field.metadata] == marks
    }
