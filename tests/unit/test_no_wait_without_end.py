"""No line of agent, coordinator or what they share waits for something that may never come without saying how long.

Not seen: a socket's own timeout is set elsewhere than where it is read, and `with lock` waits as briefly as it is held.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from support.deadlines import ROOT, SOURCES

BARE = {"wait", "join", "result", "communicate", "acquire", "get"}
"""Of threads, processes, events, futures, locks and queues: without an argument they wait for ever."""
POLLS = {"poll", "select"}
"""The same, of objects that are named so: `poll()` of a process waits for nothing."""
TIMED = {"run", "check_output", "check_call", "call", "urlopen", "create_connection"}
"""Of subprocess, urllib and socket: they take `timeout`."""
MODULES = {"subprocess", "socket", "urls", "request", "urllib"}
BODY = {"body", "json", "form"}
"""Of a request: they wait for all that its client still has to send."""

FOR_EVER = {
    "agent/src/noonday_agent/cli.py: stop.wait()": "the whole life of the agent: a signal ends it",
    "coordinator/src/noonday_coordinator/cli/output.py: capture.get()": "waits for nothing: rich gives what it has",
}


class Waits(ast.NodeVisitor):
    """Finds what may never return, and is not within `asyncio.timeout`."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._in_time = 0

    def visit_AsyncWith(self, node: ast.AsyncWith) -> None:
        timed = any(_is_timeout(item.context_expr) for item in node.items)
        self._in_time += timed
        self.generic_visit(node)
        self._in_time -= timed

    def visit_AsyncFor(self, node: ast.AsyncFor) -> None:
        if not self._in_time:
            self.found.append(f"async for {ast.unparse(node.target)} in {ast.unparse(node.iter)}")
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        if node.is_async and not self._in_time:
            self.found.append(f"async for {ast.unparse(node.target)} in {ast.unparse(node.iter)}")
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        limited = _is_timeout(node)
        if not self._in_time and not limited and _never_ends(node):
            self.found.append(ast.unparse(node))
        self._in_time += limited
        self.generic_visit(node)
        self._in_time -= limited


def _is_timeout(node: ast.expr) -> bool:
    """asyncio's own, with a limit."""
    if not isinstance(node, ast.Call) or ast.unparse(node.func) not in ("asyncio.timeout", "asyncio.wait_for"):
        return False
    return not _is_none([*node.args, *(keyword.value for keyword in node.keywords)][-1])


def _never_ends(node: ast.Call) -> bool:
    if not isinstance(node.func, ast.Attribute):
        return ast.unparse(node.func) == "anext"
    name, of = node.func.attr, ast.unparse(node.func.value)
    given = {keyword.arg: keyword.value for keyword in node.keywords}
    if name in TIMED and of in MODULES:
        return _is_none(given.get("timeout"))
    if name in BODY and of.rpartition(".")[2] == "request":
        return True
    polls = name in POLLS and of != "select" and any(word in of.lower() for word in POLLS)  # select.poll() makes one
    waits = name in BARE or polls
    limits = [*node.args, *given.values()]
    return waits and all(_is_none(limit) or ast.unparse(limit) == "True" for limit in limits)


def _is_none(node: ast.expr | None) -> bool:
    return node is None or (isinstance(node, ast.Constant) and node.value is None)


def waits(source: str) -> list[str]:
    seen = Waits()
    seen.visit(ast.parse(source))
    return seen.found


def _all() -> Iterator[str]:
    for path in SOURCES:
        yield from (f"{path.relative_to(ROOT)}: {call}" for call in waits(path.read_text()))


def test_every_wait_says_how_long() -> None:
    found = set(_all())
    assert found - set(FOR_EVER) == set()
    assert set(FOR_EVER) - found == set(), "no longer there"


@pytest.mark.parametrize(
    "line",
    [
        "event.wait()",
        "thread.join()",
        "thread.join(None)",
        "thread.join(timeout=None)",
        "future.result()",
        "queue.get()",
        "queue.get(True)",
        "queue.get(block=True)",
        "lock.acquire()",
        "self._poll.poll()",
        "selector.select(None)",
        "subprocess.run(['x'], check=True)",
        "subprocess.run(['x'], timeout=None)",
        "urls.urlopen(u)",
        "anext(self._stream, None)",
        "self.request.body()",
    ],
)
def test_a_wait_without_an_end_is_noticed(line: str) -> None:
    assert waits(line) == [line]


@pytest.mark.parametrize(
    ("line", "noticed"),
    [
        ("await anext(stream)", "anext(stream)"),
        ("async for piece in request.stream(): pass", "async for piece in request.stream()"),
        ("whole = [piece async for piece in request.stream()]", "async for piece in request.stream()"),
        ("async with asyncio.timeout(None): await anext(stream)", "anext(stream)"),
        ("async with lock: await request.json()", "request.json()"),
        ("await asyncio.wait_for(anext(stream), None)", "anext(stream)"),
    ],
)
def test_nor_does_one_for_a_client_go_unnoticed(line: str, noticed: str) -> None:
    assert waits(f"async def f():\n    {line}") == [noticed]


@pytest.mark.parametrize(
    "line",
    [
        "event.wait(3.0)",
        "', '.join(words)",
        "subprocess.run(['x'], timeout=1.0)",
        "engine.run()",
        "queue.get(timeout=1.0)",
        "queue.get(True, 1.0)",
        "known.get('key')",
        "known.get('key', None)",
        "lock.acquire(blocking=False)",
        "self._poll.poll(wait)",
        "child.poll()",
        "select.poll()",
        "with lock: pass",
    ],
)
def test_a_wait_with_an_end_is_none_of_these(line: str) -> None:
    assert waits(line) == []


@pytest.mark.parametrize(
    "line",
    [
        "async with asyncio.timeout(30): await anext(stream)",
        "await asyncio.wait_for(anext(stream), 30)",
        "await asyncio.wait_for(request.body(), timeout=WITHIN)",
    ],
)
def test_nor_is_one_for_a_client_that_has_an_end(line: str) -> None:
    assert waits(f"async def f():\n    {line}") == []
