"""From `noonday deploy` to the first byte of work on a host that holds the release already."""

from __future__ import annotations

import json
import statistics
import time
import urllib.request
from pathlib import Path

from bench.figures import Figure
from examples.webshop.server import APP
from examples.webshop.world import World
from noonday_shared.clock import SystemClock, wait_until

BAR = 1.0
"""Seconds."""
_WITHIN = 30.0
_ROLLOUT_WITHIN = 120.0


def measure(world: World, times: int = 3) -> Figure:
    """The first byte is what the release's own first hook writes: before the drain, on the canary."""
    versions = ["1.1.0", "1.0.0"] * times
    seconds = [_once(world, version) for version in versions[:times]]
    return Figure(
        name="from deploy to the first byte of work",
        bar=f"under {BAR:g} s",
        ours=f"{statistics.median(seconds):.2f} s (worst {max(seconds):.2f} s of {times}), until a hook has written",
        reached=max(seconds) < BAR,
        raw={"seconds": seconds},
    )


def _once(world: World, version: str) -> float:
    # A host that was out a moment ago, by another's hand, would be waited for first: and rightly so.
    wait_until(lambda: _all_in(world), what="all hosts in service", within=_WITHIN, clock=SystemClock(), every=0.5)
    note = world.servers[0].root / "shared" / "var" / "activations.log"
    size = note.stat().st_size
    started = time.time()
    _post(world, version)
    wait_until(
        lambda: note.stat().st_size > size, what=f"a line in {note}", within=_WITHIN, clock=SystemClock(), every=0.005
    )
    written = _written_at(note)
    wait_until(
        lambda: _ended(world), what="the end of the rollout", within=_ROLLOUT_WITHIN, clock=SystemClock(), every=0.5
    )
    return written - started


def _written_at(note: Path) -> float:
    return note.stat().st_mtime_ns / 1e9


def _post(world: World, version: str) -> None:
    """As `noonday deploy --yes` does, without the time that Python takes to start a command."""
    typed = world.coordinator.typed
    request = urllib.request.Request(
        f"{world.coordinator.url}/api/v1/apps/{APP}/rollouts",
        data=json.dumps({"version": version}).encode(),
        headers={"Authorization": f"Bearer {typed.env['NOONDAY_TOKEN']}", "Content-Type": "application/json"},
        method="POST",
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        answer.read()


def _all_in(world: World) -> bool:
    hosts = world.coordinator.typed.ask("hosts")["hosts"]
    return all(app["in_service"] and app["phase"] == "settled" for host in hosts for app in host["apps"])


def _ended(world: World) -> bool:
    typed = world.coordinator.typed
    return typed.ask("show", typed.ask("findings", APP)["rollout"])["end"] is not None
