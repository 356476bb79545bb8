"""Gauges of a real process tree, and starts that nobody asked for."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from noonday_agent.evidence.monitors import host_gauges, tree_gauges
from noonday_shared.clock import SystemClock
from support.eventually import eventually
from support.fake_clock import FakeClock

PARENT = """
import socket, subprocess, sys, threading
child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
listener = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=sys.stdin.read).start()
print(listener.getsockname()[1], flush=True)
kept = [listener.accept() for _ in range(2)]
print("accepted", flush=True)
sum(n * n for n in range(3_000_000))
sys.stdin.read()
"""


def start(code: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def stop(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.communicate(timeout=10)


@pytest.fixture
def parent() -> Iterator[subprocess.Popen[bytes]]:
    process = start(PARENT)
    yield process
    stop(process)


def busy_gauges(pid: int) -> dict[str, float]:
    gauges = tree_gauges(pid, SystemClock(), 5.0)
    return gauges if gauges.get("cpu_seconds", 0.0) > 0.05 else {}


def test_the_gauges_of_a_tree_cover_its_children(parent: subprocess.Popen[bytes]) -> None:
    assert parent.stdout is not None
    port = int(parent.stdout.readline())
    with socket.create_connection(("127.0.0.1", port)), socket.create_connection(("127.0.0.1", port)):
        parent.stdout.readline()
        gauges = eventually(lambda: busy_gauges(parent.pid), what="some processor time")
        assert gauges["connections"] == 2
    assert gauges["children"] == 1
    assert gauges["threads"] >= 3
    assert gauges["fds"] >= 6
    assert gauges["rss_bytes"] > 8 << 20


def test_processor_time_never_falls_when_a_child_ends() -> None:
    code = """
import subprocess, sys
busy = [sys.executable, "-c", "sum(n * n for n in range(2_000_000)); print(1, flush=True); input()"]
child = subprocess.Popen(busy, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdout.readline()
print("busy", flush=True)
sys.stdin.readline()
child.communicate(b"\\n")
print("reaped", flush=True)
sys.stdin.read()
"""
    process = start(code)
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        before = tree_gauges(process.pid, SystemClock(), 5.0)
        process.stdin.write(b"\n")
        process.stdin.flush()
        process.stdout.readline()
        after = tree_gauges(process.pid, SystemClock(), 5.0)
    finally:
        stop(process)
    assert (before["children"], after["children"]) == (1, 0)
    assert after["cpu_seconds"] >= before["cpu_seconds"] > 0.05


def test_a_process_that_is_gone_has_no_gauges() -> None:
    process = start("")
    process.communicate()
    assert tree_gauges(process.pid, SystemClock()) == {}


def test_what_takes_too_long_is_left_out_rather_than_guessed() -> None:
    class Racing(FakeClock):
        def monotonic(self) -> float:
            self.move(1.0)
            return super().monotonic()

    gauges = tree_gauges(os.getpid(), Racing(), within=0.5)
    assert set(gauges) == {"children"}


def test_the_host_has_gauges_and_a_missing_folder_only_costs_the_disk(tmp_path: Path) -> None:
    gauges = host_gauges(tmp_path)
    assert gauges["host_memory_available_bytes"] > 0
    assert gauges["host_disk_free_bytes"] > 0
    assert "host_disk_free_bytes" not in host_gauges(tmp_path / "missing")
