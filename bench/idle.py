"""What an agent costs while nothing is released, beside salt-minion in the same minute."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench import peers
from bench.figures import Figure, not_measured
from examples.webshop.child import Child
from examples.webshop.world import World, free_port
from noonday_shared.clock import SystemClock, wait_until
from noonday_shared.errors import NoondayError

MEGABYTES = 45.0
CPU_PERCENT = 0.5
_SETTLE = 20.0
_SALT_WITHIN = 120.0


@dataclass(frozen=True, slots=True)
class Cost:
    """Of a process and its children: memory in MB (PSS), CPU in percent of one core."""

    megabytes: float
    cpu: float

    def __str__(self) -> str:
        return f"{self.megabytes:.0f} MB PSS, {self.cpu:.2f} % CPU"


def measure(world: World, seconds: float = 60.0) -> Figure:
    """Blocks for `seconds`, and as long as the other tool takes to come up."""
    with ExitStack() as stack:
        pids = {f"agent of {server.name}": server.agent_pid for server in world.servers}
        peer = ""
        try:
            pids["salt-minion"] = _salt_minion(world.folder / "salt", stack)
        except NoondayError as error:
            peer = not_measured(error.text)
        time.sleep(_SETTLE)
        costs = _costs(pids, seconds)
    worst = Cost(
        max(cost.megabytes for name, cost in costs.items() if name != "salt-minion"),
        max(cost.cpu for name, cost in costs.items() if name != "salt-minion"),
    )
    return Figure(
        name=f"an idle agent, {seconds:g} s",
        bar=f"{MEGABYTES:g} MB PSS at most, under {CPU_PERCENT:g} % CPU",
        ours=f"{worst} (the worst of {len(world.servers)})",
        reached=worst.megabytes <= MEGABYTES and worst.cpu < CPU_PERCENT,
        peer=peer or f"salt-minion, joined to a master: {costs['salt-minion']}",
        raw={name: {"megabytes": cost.megabytes, "cpu_percent": cost.cpu} for name, cost in costs.items()},
    )


def _costs(pids: dict[str, int], seconds: float) -> dict[str, Cost]:
    before = {name: _cpu_seconds(pid) for name, pid in pids.items()}
    started = time.monotonic()
    time.sleep(seconds)
    passed = time.monotonic() - started
    return {
        name: Cost(_megabytes(pid), (_cpu_seconds(pid) - before[name]) / passed * 100) for name, pid in pids.items()
    }


def _tree(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def _cpu_seconds(pid: int) -> float:
    """With what children used that have ended."""
    return sum(sum(process.cpu_times()[:2]) for process in _tree(pid)) + sum(psutil.Process(pid).cpu_times()[2:4])


def _megabytes(pid: int) -> float:
    # PSS: memory shared by several processes counts in parts, so a fleet on one machine isn't counted many times over.
    texts = [Path(f"/proc/{process.pid}/smaps_rollup").read_text() for process in _tree(pid)]
    return sum(int(kb) for text in texts for kb in re.findall(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)) / 1024


def _salt_minion(folder: Path, stack: ExitStack) -> int:
    """The pid of a minion that has joined its master. Raises `NoondayError`."""
    tools = peers.salt()
    folder.mkdir()
    publish, ret = free_port(["127.0.0.1"]), free_port(["127.0.0.1"])
    (folder / "master").write_text(
        f"interface: 127.0.0.1\npublish_port: {publish}\nret_port: {ret}\nauto_accept: true\nroot_dir: {folder}/m\n"
    )
    (folder / "minion").write_text(f"master: 127.0.0.1\nmaster_port: {ret}\nid: web-1\nroot_dir: {folder}/w\n")
    started = []
    for name in ("salt-master", "salt-minion"):
        child = Child(name, [str(tools / name), "-c", str(folder)], output=folder / f"{name}.out")
        stack.callback(child.stop)
        started.append(child)
    ping = [str(tools / "salt"), "-c", str(folder), "web-1", "test.ping", "-t", "5"]
    wait_until(_answers(ping, started), what="an answer of salt-minion", within=_SALT_WITHIN, clock=SystemClock())
    return started[-1].pid


def _answers(ping: list[str], started: list[Child]) -> Callable[[], bool]:
    def answers() -> bool:
        for child in started:
            child.must_run()
        return "True" in subprocess.run(ping, capture_output=True, text=True, timeout=60, check=False).stdout

    return answers
