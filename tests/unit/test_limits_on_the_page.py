"""Every number that the code gives to a wait is on the page of waits, or is too small to be met by anybody."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.deadlines import CONSTANTS, ROOT, SOURCES

LIMITS = {"timeout", "within"}
POSITIONAL = {"join", "result", "communicate"}
"""Of threads, futures and processes: their first argument is a limit. That of `wait` most often is a pause."""

MET_BY_NOBODY = {
    "noonday_agent.commands:_LAST_WORDS": "for what a process had written when it ended",
    "agent/src/noonday_agent/commands.py: 0.5": "for a process that was killed",
    "shared/src/noonday_shared/bus/rabbit.py: 2.0": "for a thread whose own deadline is over",
}
"""By constant, or file and number, why it is on no row."""


def limits(source: str, module: str, shown: str) -> Iterator[str]:
    """Constants and numbers in it that limit a wait; what is computed or handed over is no such."""
    tree = ast.parse(source)
    imported = {
        alias.asname or alias.name: f"{node.module}:{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    for part in (part for call in calls for value in _given(call) for part in _parts(value)):
        if isinstance(part, ast.Constant) and isinstance(part.value, int | float) and part.value > 0:
            yield f"{shown}: {part.value}"
        elif isinstance(part, ast.Name) and part.id.isupper():
            yield imported.get(part.id, f"{module}:{part.id}")
        elif isinstance(part, ast.Attribute) and part.attr.isupper() and isinstance(part.value, ast.Name):
            yield f"{imported.get(part.value.id, part.value.id).replace(':', '.')}:{part.attr}"


def _given(call: ast.Call) -> list[ast.expr]:
    given = [keyword.value for keyword in call.keywords if keyword.arg in LIMITS]
    function = call.func
    if (
        isinstance(function, ast.Attribute)
        and function.attr in POSITIONAL
        and not isinstance(function.value, ast.Constant)
    ):
        given += call.args[:1]
    return given


def _parts(value: ast.expr) -> Iterator[ast.expr]:
    """It, or what it is the sum, the choice or, as with `max(…)` and `httpx.Timeout(…)`, the outcome of."""
    match value:
        case ast.BinOp(left, _, right):
            parts = [left, right]
        case ast.IfExp(_, body, orelse):
            parts = [body, orelse]
        case ast.Call(_, args, keywords):
            parts = [*args, *(keyword.value for keyword in keywords)]
        case _:
            yield value
            return
    for part in parts:
        yield from _parts(part)


def _module(path: Path) -> str:
    return ".".join(path.with_suffix("").parts[path.parts.index("src") + 1 :])


def test_every_limit_of_a_wait_is_on_the_page() -> None:
    found = {
        limit for path in SOURCES for limit in limits(path.read_text(), _module(path), str(path.relative_to(ROOT)))
    }
    assert found - set(CONSTANTS.values()) - set(MET_BY_NOBODY) == set()
    assert set(MET_BY_NOBODY) - found == set(), "no longer there"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("ask(x, within=WITHIN)", ["here:WITHIN"]),
        ("ask(x, timeout=3)", ["here.py: 3"]),
        ("from there import LONG\nask(x, timeout=LONG)", ["there:LONG"]),
        ("from over import there\nask(x, within=there.LONG)", ["over.there:LONG"]),
        ("ask(x, timeout=Timeout(A, read=within))", ["here:A"]),
        ("thread.join(WITHIN)", ["here:WITHIN"]),
        ("future.result(2.5)", ["here.py: 2.5"]),
        ("ask(x, timeout=max(left, 0.0) if A else B)", ["here:B"]),
        ("', '.join(LEVELS)", []),
        ("ask(x, within=within)\nthread.join(within)\nevent.wait(PAUSE)", []),
    ],
)
def test_a_limit_is_found_wherever_it_comes_from(source: str, found: list[str]) -> None:
    assert list(limits(source, "here", "here.py")) == found
