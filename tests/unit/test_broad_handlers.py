"""Where anything at all is caught, the code says why, and nothing is swallowed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BROAD = {"Exception", "BaseException"}


def handlers() -> Iterator[tuple[str, ast.ExceptHandler, list[str]]]:
    """Each of them with its place, and the lines of its file."""
    for part in ("agent", "coordinator", "shared"):
        for path in sorted((ROOT / part / "src").rglob("*.py")):
            text = path.read_text()
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.ExceptHandler) and _is_broad(node):
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", node, text.splitlines()


def _is_broad(node: ast.ExceptHandler) -> bool:
    named = [node.type] if not isinstance(node.type, ast.Tuple) else node.type.elts
    return node.type is None or any(isinstance(one, ast.Name) and one.id in BROAD for one in named)


FOUND = list(handlers())


def test_there_are_some() -> None:
    assert FOUND


@pytest.mark.parametrize(("node", "lines"), [one[1:] for one in FOUND], ids=[one[0] for one in FOUND])
def test_a_broad_handler_has_its_reason_beside_it_and_swallows_nothing(
    node: ast.ExceptHandler, lines: list[str]
) -> None:
    assert any("#" in line for line in lines[node.lineno - 1 : node.lineno + 1])
    raised = any(isinstance(one, ast.Raise) for one in ast.walk(node))
    called = {
        one.func.attr for one in ast.walk(node) if isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute)
    }
    assert raised or called & {"exception", "set_exception", "_fail"}


def test_nothing_is_suppressed_broadly() -> None:
    texts = (path for part in ("agent", "coordinator", "shared") for path in (ROOT / part / "src").rglob("*.py"))
    assert [path for path in texts if "suppress(Exception" in path.read_text()] == []
