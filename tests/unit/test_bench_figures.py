"""The bench's arithmetic: what counts as ours, and what stands where nothing was measured."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from bench.figures import Figure, not_measured, show
from bench.hosts import HostRun, host_runs


def event(at: float, kind: str, host: str = "", **data: Any) -> dict[str, Any]:
    return {"at": at, "kind": kind, "host": host, "data": data}


def judged(at: float, host: str, state: str = "serving") -> dict[str, Any]:
    return event(at, "host-judged", host, state=state)


def reported(at: float, host: str, phase: str) -> dict[str, Any]:
    return event(at, "host-reported", host, report={"phase": phase})


TIMINGS = {"web-1": {"wait-idle": 0.2, "confirm": 0.5}, "web-2": {"wait-idle": 0.0, "confirm": 0.4}}


def test_a_host_counts_from_the_host_before_it_until_it_serves() -> None:
    records = [
        event(100.0, "stage-entered"),
        judged(100.0, "web-1", "working"),
        reported(100.3, "web-1", "restarting"),
        reported(100.9, "web-1", "proving"),
        judged(102.0, "web-1"),
        reported(102.1, "web-2", "restarting"),
        judged(104.0, "web-2"),
    ]
    first, second = host_runs(records, TIMINGS, {"web-1": 101.1, "web-2": 103.3}.__getitem__)
    assert first.total == pytest.approx(2.0)
    assert first.app == pytest.approx(0.8)
    assert first.ours == pytest.approx(2.0 - 0.8 - 0.2 - 0.5)
    assert second.total == pytest.approx(2.0)
    assert second.ours == pytest.approx(2.0 - 1.2 - 0.4)


def test_hosts_that_do_not_serve_are_not_counted() -> None:
    records = [
        event(100.0, "stage-entered"),
        reported(100.3, "web-1", "restarting"),
        judged(101.0, "web-1", "reverted"),
    ]
    assert host_runs(records, TIMINGS, lambda _: 0.0) == []


def test_waits_and_ours_are_the_whole() -> None:
    run = HostRun("web-1", total=3.0, app=1.5, busy=0.25, balancer=0.5)
    assert run.ours + run.waits == run.total


def shown(figure: Figure) -> str:
    out = io.StringIO()
    show([figure], Console(file=out, width=160))
    return out.getvalue()


def test_what_nobody_measured_is_no_number() -> None:
    text = shown(Figure("idle", "45 MB", "33 MB", True, peer=not_measured("pip install salt failed")))
    assert "not measured: pip install salt failed" in text


@pytest.mark.parametrize(("reached", "word"), [(True, "reached"), (False, "MISSED"), (None, "?")])
def test_the_table_says_whether_the_bar_was_reached(reached: bool | None, word: str) -> None:
    assert word in shown(Figure("a", "b", "c", reached))
