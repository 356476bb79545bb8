"""No line of agent, coordinator or what they share waits for something that may never come without saying how long."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = [path for part in ("agent", "coordinator", "shared") for path in sorted((ROOT / part / "src").rglob("*.py"))]

BARE = {"wait", "join", "result", "communicate", "acquire"}
"""Of threads, processes, events, futures and locks: without an argument they wait for ever."""
TIMED = {"run", "check_output", "check_call", "call", "urlopen", "create_connection"}
"""Of subprocess, urllib and socket: they take `timeout`."""
MODULES = {"subprocess", "socket", "urls", "request", "urllib"}

FOR_EVER = {"agent/src/noonday_agent/cli.py: stop.wait()": "the whole life of the agent: a signal ends it"}


def waits(source: str) -> Iterator[str]:
    """Calls in it that may never return."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        name, of = node.func.attr, ast.unparse(node.func.value)
        given = {keyword.arg for keyword in node.keywords}
        bare = name in BARE and not node.args and not given
        untimed = name in TIMED and of in MODULES and "timeout" not in given
        if bare or untimed:
            yield ast.unparse(node)


def test_every_wait_says_how_long() -> None:
    found = {f"{path.relative_to(ROOT)}: {call}" for path in SOURCES for call in waits(path.read_text())}
    assert found - set(FOR_EVER) == set()
    assert set(FOR_EVER) - found == set(), "no longer there"


@pytest.mark.parametrize(
    "line",
    ["event.wait()", "thread.join()", "future.result()", "subprocess.run(['x'], check=True)", "urls.urlopen(u)"],
)
def test_a_wait_without_an_end_is_noticed(line: str) -> None:
    assert list(waits(line)) == [line]


@pytest.mark.parametrize(
    "line", ["event.wait(3.0)", "', '.join(words)", "subprocess.run(['x'], timeout=1.0)", "engine.run()"]
)
def test_a_wait_with_an_end_is_none_of_these(line: str) -> None:
    assert list(waits(line)) == []
