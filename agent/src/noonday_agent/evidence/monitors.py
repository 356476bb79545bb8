"""Gauges of an app's process tree and of the host. Sums over the tree; names with their units."""

from __future__ import annotations

import os
from pathlib import Path

import psutil

from noonday_shared.clock import Clock

WITHIN = 0.5
"""Seconds that one reading may take; what is not known by then is left out, never guessed."""
MOST_PROCESSES = 512


def tree_gauges(pid: int, clock: Clock, within: float = WITHIN) -> dict[str, float]:
    """Of the process and all below it; empty when it is gone. A process that ends meanwhile is left out.

    `cpu_seconds` is cumulative and holds what ended children used, as long as their parent waited for them.
    """
    deadline = clock.monotonic() + within
    try:
        main = psutil.Process(pid)
        tree = [main, *main.children(recursive=True)][:MOST_PROCESSES]
    except psutil.Error:
        return {}
    sums = {"cpu_seconds": 0.0, "rss_bytes": 0.0, "fds": 0.0, "threads": 0.0}
    for process in tree:
        if clock.monotonic() > deadline:
            return {"children": float(len(tree) - 1)}
        for name, value in _of(process).items():
            sums[name] += value
    connections = _connections(tree, clock, deadline)
    return {**sums, "children": float(len(tree) - 1), **connections}


def host_gauges(folder: Path) -> dict[str, float]:
    """Of the whole host; the disk is the one that holds `folder`."""
    gauges = {
        "host_load_1m": os.getloadavg()[0],
        "host_cpus": float(os.cpu_count() or 1),
        "host_memory_available_bytes": float(psutil.virtual_memory().available),
    }
    try:
        gauges["host_disk_free_bytes"] = float(psutil.disk_usage(str(folder)).free)
    except OSError:
        return gauges
    return gauges


def _of(process: psutil.Process) -> dict[str, float]:
    try:
        with process.oneshot():
            used = process.cpu_times()
            gauges = {
                "cpu_seconds": used.user + used.system + used.children_user + used.children_system,
                "rss_bytes": float(process.memory_info().rss),
                "threads": float(process.num_threads()),
            }
        try:
            gauges["fds"] = float(process.num_fds())
        except psutil.AccessDenied:
            return gauges
        return gauges
    except psutil.Error:
        return {}


def _connections(tree: list[psutil.Process], clock: Clock, deadline: float) -> dict[str, float]:
    """TCP connections that are open. Left out where one process can't be asked: a part would look like a fall."""
    count = 0
    for process in tree:
        if clock.monotonic() > deadline:
            return {}
        try:
            found = process.net_connections(kind="tcp")
        except psutil.NoSuchProcess:
            continue
        except (psutil.Error, OSError):
            return {}
        count += sum(one.status == psutil.CONN_ESTABLISHED for one in found)
    return {"connections": float(count)}
