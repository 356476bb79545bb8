"""Time per host that is ours, beside ansible-playbook doing the same on the same hosts."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from bench.figures import Figure, not_measured
from bench.playbook import Playbook, PlaybookRun
from bench.sshd import PrivateSshd
from examples.webshop.server import APP
from examples.webshop.world import World, free_port
from noonday_shared.errors import NoondayError

BAR = 0.3
"""Seconds."""
TIMES_FASTER = 10.0

NOT_OURS = ("wait-idle", "restart", "warm-up", "confirm")
"""Steps of the agent that are the app's own stop and start, its requests under way, and the balancer's checks."""

_BALANCER_IP = "127.0.10.100"


@dataclass(frozen=True, slots=True)
class HostRun:
    """One host of one rollout, in seconds: from the host before it (or the start of its wave) until it serves."""

    host: str
    total: float
    steps: dict[str, float] = field(default_factory=dict)

    @property
    def waits(self) -> float:
        return sum(self.steps.get(step, 0.0) for step in NOT_OURS)

    @property
    def ours(self) -> float:
        return self.total - self.waits


def host_runs(events: Iterable[Any], timings: dict[str, dict[str, float]]) -> list[HostRun]:
    """From a rollout's records, in order, and each host's timings of it."""
    runs: list[HostRun] = []
    before = 0.0
    for event in events:
        if event["kind"] == "StageEntered":
            before = event["at"]
        elif event["kind"] == "HostJudged" and event["data"]["state"] == "serving":
            host = event["host"]
            runs.append(HostRun(host, event["at"] - before, timings.get(host, {})))
            before = event["at"]
    return runs


def measure(world: World) -> list[Figure]:
    """Two rollouts of Noonday, there and back, then two of ansible-playbook."""
    runs = [run for version in ("1.1.0", "1.0.0") for run in _release(world, version)]
    peer = _ansible(world)
    return [_ours(runs), _compared(runs, peer)]


def _release(world: World, version: str) -> list[HostRun]:
    typed = world.coordinator.typed
    lines = [json.loads(line) for line in typed.quiet("deploy", APP, version, "--yes", "--json").splitlines()]
    events = [line["event"] for line in lines if "event" in line]
    end = next(line["end"] for line in lines if "end" in line)
    timings = {host["host"]: host["report"]["timings"] for host in end["hosts"] if host["report"]}
    return host_runs(events, timings)


def _ansible(world: World) -> list[PlaybookRun] | str:
    """The runs, or why there are none."""
    addresses = [*(server.address.ip for server in world.servers), _BALANCER_IP]
    try:
        with ExitStack() as stack:
            sshd = PrivateSshd(world.folder / "sshd", addresses, free_port(addresses))
            stack.callback(sshd.stop)
            sshd.start()
            playbook = Playbook(world.folder / "ansible", world, sshd, _BALANCER_IP)
            return [playbook.release(_release_id(world, version)) for version in ("1.1.0", "1.0.0")]
    except NoondayError as error:
        return not_measured(error.text)


def _release_id(world: World, version: str) -> str:
    found: str = world.coordinator.typed.ask("release", "show", APP, version)["id"]
    return found


def _ours(runs: list[HostRun]) -> Figure:
    ours = [run.ours for run in runs]
    total, waits = _median(run.total for run in runs), _median(run.waits for run in runs)
    return Figure(
        name="time per host that is ours",
        bar=f"{BAR:g} s at most",
        ours=f"{_median(ours):.2f} s (worst {max(ours):.2f} s, {len(ours)} hosts)",
        reached=_median(ours) <= BAR,
        peer=f"of {total:.2f} s in all, {waits:.2f} s are the app's own restart and the balancer's checks",
        raw={"hosts": [{"host": run.host, "total": run.total, "ours": run.ours, "steps": run.steps} for run in runs]},
    )


def _compared(runs: list[HostRun], peer: list[PlaybookRun] | str) -> Figure:
    name, bar = "the same with ansible-playbook", f"{TIMES_FASTER:g} times as long at least"
    if isinstance(peer, str):
        return Figure(name, bar, f"{_median(run.ours for run in runs):.2f} s", None, peer)
    ours, waits = _median(run.ours for run in runs), _median(run.waits for run in runs)
    theirs_total = _median(seconds for run in peer for seconds in run.hosts.values())
    # The app and the balancer take as long under either: what Noonday measured of them is taken off here too.
    theirs = theirs_total - waits
    return Figure(
        name=name,
        bar=bar,
        ours=f"{ours:.2f} s, so {theirs / ours:.0f} times faster",
        reached=theirs / ours >= TIMES_FASTER,
        peer=f"ansible-playbook: {theirs:.2f} s (of {theirs_total:.2f} s in all, less the same {waits:.2f} s)",
        raw={"hosts": [run.hosts for run in peer], "steps": [run.steps for run in peer]},
    )


def _median(values: Iterable[float]) -> float:
    return statistics.median(values)
