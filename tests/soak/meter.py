"""What may grow over a long run: memory, file descriptors, threads, disk, queues."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from support.fleet import Fleet

MB = 1e6


@dataclass(frozen=True, slots=True)
class Limit:
    """How much a series may grow from the calm after its start to its end: a share, and something for its grain."""

    share: float
    grain: float


LIMITS = {
    "coordinator MB": Limit(0.05, 2.0),
    "coordinator fds": Limit(0.05, 3.0),
    "coordinator threads": Limit(0.05, 3.0),
    "agent MB": Limit(0.05, 1.0),
    "agent fds": Limit(0.05, 2.0),
    "agent threads": Limit(0.05, 2.0),
    "host disk MB": Limit(0.05, 2.0),
    "coordinator disk MB": Limit(0.05, 2.0),
    "queued messages": Limit(0.05, 20.0),
}
"""The agent is the last host's, which nothing kills; the coordinator is killed in the first quarter only."""


def measured(fleet: Fleet) -> dict[str, float]:
    """Now, with nothing under way. Disk is without the event log and the windows of evidence, which are records."""
    last = fleet.hosts[-1]
    assert fleet.coordinator.process is not None
    coordinator, agent = psutil.Process(fleet.coordinator.process.pid), psutil.Process(last.agent_pid)
    data = fleet.folder / "noonday" / "data"
    return {
        **_of_process("coordinator", coordinator),
        **_of_process("agent", agent),
        "host disk MB": _size(last.folder) / MB,
        "coordinator disk MB": _size(data / "artifacts") / MB,
        "queued messages": float(_queued(fleet)),
        "records MB": sum(path.stat().st_size for path in data.glob("*.sqlite*")) / MB,
    }


def grown(series: Sequence[dict[str, float]]) -> list[str]:
    """A sentence for each figure that is not flat: the end against the calm after the first quarter, by medians."""
    found = []
    for name, limit in LIMITS.items():
        before, after = ends(series, name)
        if after > before * (1 + limit.share) + limit.grain:
            found.append(f"{name} grew from {before:.1f} to {after:.1f}")
    return found


def ends(series: Sequence[dict[str, float]], name: str) -> tuple[float, float]:
    """Medians of the second quarter's first half, and of the last eighth."""
    eighth = max(len(series) // 8, 1)
    early, late = series[2 * eighth : 3 * eighth] or series[:1], series[-eighth:]
    return statistics.median(one[name] for one in early), statistics.median(one[name] for one in late)


def _of_process(name: str, process: psutil.Process) -> dict[str, float]:
    with process.oneshot():
        return {
            f"{name} MB": process.memory_full_info().uss / MB,
            f"{name} fds": float(process.num_fds()),
            f"{name} threads": float(process.num_threads()),
        }


def _size(folder: Path) -> int:
    """Bytes on disk; what is removed meanwhile counts as nothing."""
    total = 0
    for path in folder.rglob("*"):
        try:
            found = path.lstat()
        except OSError:
            continue
        total += found.st_blocks * 512
    return total


def _queued(fleet: Fleet) -> int:
    lines = fleet.rabbitmq.ctl("list_queues", "--no-table-headers", "-p", fleet.vhost, "messages").splitlines()
    return sum(int(line) for line in lines if line.strip().isdigit())
