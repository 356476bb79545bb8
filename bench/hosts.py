"""Time per host that is ours, beside ansible-playbook doing the same on the same hosts."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from typing import Any

from bench.figures import Figure, not_measured
from bench.playbook import Playbook, PlaybookRun
from bench.sshd import PrivateSshd
from examples.webshop.server import APP
from examples.webshop.world import World, free_port
from noonday_shared.errors import NoondayError, Temporary

BAR = 0.3
"""Seconds."""
TIMES_FASTER = 10.0

ROUNDS = ("1.1.0", "1.0.0")

_BALANCER_IP = "127.0.10.100"


@dataclass(frozen=True, slots=True)
class HostRun:
    """One host of one rollout, in seconds.

    `total`: from the host before it, or the start of its wave, until it serves. `app`: from the word to restart until
    the app itself says that it answers. `busy`: until the requests under way were over. `balancer`: from the word to
    take it back until the load balancer's own checks had seen it well.
    """

    host: str
    total: float
    app: float
    busy: float
    balancer: float
    steps: dict[str, float] = field(default_factory=dict)
    """As the agent timed them."""

    @property
    def waits(self) -> float:
        return self.app + self.busy + self.balancer

    @property
    def ours(self) -> float:
        return self.total - self.waits


def host_runs(
    events: Iterable[Any], timings: dict[str, dict[str, float]], ready_at: Callable[[str], float]
) -> list[HostRun]:
    """From a rollout's records in order, each host's timings of it, and when each host's app was ready (epoch)."""
    runs: list[HostRun] = []
    before, restarts = 0.0, dict[str, float]()
    for event in events:
        data, host = event["data"], event["host"]
        match event["kind"]:
            case "stage-entered":
                before = event["at"]
            case "host-reported" if data["report"]["phase"] in ("restarting", "proving"):
                restarts.setdefault(host, event["at"])
            case "host-judged" if data["state"] == "serving":
                steps = timings[host]
                app = ready_at(host) - restarts[host]
                runs.append(HostRun(host, event["at"] - before, app, steps["wait-idle"], steps["confirm"], steps))
                before = event["at"]
    return runs


def measure(world: World) -> list[Figure]:
    """Two rollouts of Noonday, there and back, then two of ansible-playbook."""
    runs = [run for version in ROUNDS for run in _release(world, version)]
    peer = _ansible(world)
    return [_ours(runs), _compared(runs, peer)]


def _release(world: World, version: str) -> list[HostRun]:
    typed = world.coordinator.typed
    lines = [json.loads(line) for line in typed.quiet("deploy", APP, version, "--yes", "--json").splitlines()]
    events = [line["event"] for line in lines if "event" in line]
    end = next(line["end"] for line in lines if "end" in line)
    timings = {host["host"]: host["report"]["timings"] for host in end["hosts"] if host["report"]}
    logs = {server.name: server.log for server in world.servers}
    runs = host_runs(events, timings, lambda host: (logs[host] / "ready").stat().st_mtime_ns / 1e9)
    if len(runs) != len(world.servers):
        raise Temporary(f"{len(runs)} of {len(world.servers)} hosts served {version}, so nothing can be measured.")
    return runs


def _ansible(world: World) -> list[PlaybookRun] | str:
    """The runs, or why there are none."""
    addresses = [*(server.address.ip for server in world.servers), _BALANCER_IP]
    try:
        with ExitStack() as stack:
            sshd = PrivateSshd(world.folder / "sshd", addresses, free_port(addresses))
            stack.callback(sshd.stop)
            sshd.start()
            playbook = Playbook(world.folder / "ansible", world, sshd, _BALANCER_IP)
            return [playbook.release(_release_id(world, version)) for version in ROUNDS]
    except NoondayError as error:
        return not_measured(error.text)


def _release_id(world: World, version: str) -> str:
    found: str = world.coordinator.typed.ask("release", "show", APP, version)["id"]
    return found


def _ours(runs: list[HostRun]) -> Figure:
    ours = [run.ours for run in runs]
    total, app = statistics.median(run.total for run in runs), statistics.median(run.app for run in runs)
    balancer = statistics.median(run.balancer for run in runs)
    return Figure(
        name="time per host that is ours",
        bar=f"{BAR:g} s at most",
        ours=f"{statistics.median(ours):.2f} s (worst {max(ours):.2f} s of {len(ours)} hosts)",
        reached=statistics.median(ours) <= BAR,
        peer=f"of {total:.2f} s in all: the app's stop and start {app:.2f} s, the balancer's checks {balancer:.2f} s",
        raw={"hosts": [asdict(run) | {"ours": run.ours} for run in runs]},
    )


def _compared(runs: list[HostRun], peer: list[PlaybookRun] | str) -> Figure:
    ours, waits = statistics.median(run.ours for run in runs), statistics.median(run.waits for run in runs)
    name, bar = "the same with ansible-playbook", f"{TIMES_FASTER:g} times as long at least"
    if isinstance(peer, str):
        return Figure(name, bar, f"{ours:.2f} s", None, peer)
    theirs_total = statistics.median(seconds for run in peer for seconds in run.hosts.values())
    # The app and the balancer take as long under either: what Noonday's own run showed of them is taken off here too.
    theirs = theirs_total - waits
    return Figure(
        name=name,
        bar=bar,
        ours=f"{ours:.2f} s, so {theirs / ours:.0f} times faster",
        reached=theirs / ours >= TIMES_FASTER,
        peer=f"ansible-playbook: {theirs:.2f} s (of {theirs_total:.2f} s in all, less the same {waits:.2f} s)",
        raw={"hosts": [run.hosts for run in peer], "steps": [run.steps for run in peer]},
    )
