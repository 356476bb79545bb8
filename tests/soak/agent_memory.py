"""What a long life costs an agent: `make agent-memory`, or less of it with `make agent-memory ARGS='--releases 10'`.

Two real agents take one release of 100 MB after the other, unharmed: nothing restarts them, so that what they keep
shows. Printed are their memory, file descriptors and threads; the exit status is 1 when the memory at the end is not
within 5 % of what it was at the start.
"""

from __future__ import annotations

import argparse
import logging
import random
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from examples.parts.rabbitmq import RabbitNode
from support.eventually import eventually
from support.fleet import Fleet, running_fleet
from support.fleet_release import lay_out

MB = 1e6
SHARE = 0.05
_KEPT = 3
"""Archives that the coordinator keeps."""
_SETTLE = 5.0
_WITHIN = 600.0
"""Seconds for one rollout, also where others work on the same machine."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one agent. Memory in MB: RSS; USS, its own alone, without pages of files that others have too; and PSS, in
    which what processes share counts in parts."""

    rss: float
    uss: float
    pss: float
    fds: int
    threads: int

    @classmethod
    def of(cls, pid: int) -> Cost:
        process = psutil.Process(pid)
        found = process.memory_full_info()
        return cls(found.rss / MB, found.uss / MB, found.pss / MB, process.num_fds(), process.num_threads())

    def __str__(self) -> str:
        memory = f"RSS {self.rss:.1f} MB, USS {self.uss:.1f} MB, PSS {self.pss:.1f} MB"
        return f"{memory}, {self.fds} fds, {self.threads} threads"


def measure(fleet: Fleet, releases: int, size: int, say_every: int = 10) -> bool:
    """Prints; whether every agent ended as small as it began. `size`: bytes of each release, incompressible."""
    ballast = random.Random(1).randbytes(size)
    pids = {host.name: host.agent_pid for host in fleet.hosts}
    fleet.policy(prepare_within=300, host_within=90)
    costs = [_costs(pids, "at the start, after one small release")]
    for number in range(1, releases + 1):
        began = time.monotonic()
        _release(fleet, f"4.0.{number}", ballast)
        if number % say_every == 0 or number == releases:
            costs.append(_costs(pids, f"after {number} releases, the last in {time.monotonic() - began:.1f} s"))
    assert pids == {host.name: host.agent_pid for host in fleet.hosts}, "an agent was started again"
    return all(costs[-1][name].rss <= costs[0][name].rss * (1 + SHARE) for name in pids)


def _release(fleet: Fleet, version: str, ballast: bytes) -> None:
    source = Path(tempfile.mkdtemp(dir=fleet.folder, prefix="source-"))
    lay_out(source, "web", version, mode="healthy", toml="", files={})
    (source / "ballast").write_bytes(ballast)
    out = fleet.folder / "built"
    built = fleet.ok("release", "build", str(source), "--version", version, "--out", str(out))
    fleet.ok("release", "push", built["archive"])
    shutil.rmtree(source)
    shutil.rmtree(out)
    rollout = fleet.begin(version)
    eventually(lambda: fleet.rollout(rollout).end, what=f"the end of {rollout}", within=_WITHIN, every=0.3)
    end = fleet.rollout(rollout)
    assert end.end == "done", end


def _costs(pids: dict[str, int], when: str) -> dict[str, Cost]:
    time.sleep(_SETTLE)
    found = {name: Cost.of(pid) for name, pid in pids.items()}
    for name, cost in found.items():
        print(f"{name} {cost}: {when}", flush=True)
    return found


def main() -> int:
    logging.disable(logging.CRITICAL)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--releases", type=int, default=100)
    parser.add_argument("--size", type=float, default=100, help="MB of each release's archive")
    options = parser.parse_args()
    node = RabbitNode(Path(tempfile.mkdtemp(prefix="nd-memory-")))
    try:
        node.start()
        with running_fleet(node, hosts=2, apps=("web",)) as fleet:
            config = fleet.coordinator.made.config
            config.write_text(f"keep_releases = {_KEPT}\n{config.read_text()}")
            fleet.coordinator.stop()
            fleet.coordinator.start()
            fleet.at_rest()
            return 0 if measure(fleet, options.releases, int(options.size * MB)) else 1
    finally:
        node.close()


if __name__ == "__main__":
    sys.exit(main())
