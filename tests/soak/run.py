"""Many rollouts in a row of a big release, with faults and load: `make soak`, or less of it with `make soak
ARGS='--rollouts 20 --size 10'`.

Real RabbitMQ, HAProxy, supervisord, agents and coordinator. It says after each rollout how it ended, and at the end
what grew; the exit status is 1 when anything did, when a request failed that no fault explains, or when a rollout
hung.
"""

from __future__ import annotations

import argparse
import logging
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from soak.meter import LIMITS, ends, grown, measured
from soak.mishaps import Mishap, mishap

from examples.parts.rabbitmq import RabbitNode
from noonday_coordinator.api import models as m
from support.eventually import eventually
from support.fleet import Fleet, running_fleet
from support.fleet_release import lay_out

MILLION = 1_000_000
_KEPT = 3
"""Archives that the coordinator keeps, so that their number is soon reached."""


@dataclass(slots=True)
class Told:
    """What happened so far."""

    series: list[dict[str, float]] = field(default_factory=list)
    ended: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    answered: int = 0
    excused: int = 0
    """Requests that failed in a rollout whose fault kills an app."""
    troubles: list[str] = field(default_factory=list)


class Soak:
    """`size`: bytes of each release's archive, about."""

    def __init__(self, fleet: Fleet, *, rollouts: int, size: int, seed: int) -> None:
        self._fleet = fleet
        self._rollouts = rollouts
        self._chance = random.Random(seed)
        self._ballast = self._chance.randbytes(size)
        self.told = Told()

    def run(self) -> Told:
        self._fleet.policy(prepare_within=300, host_within=90)
        for number in range(1, self._rollouts + 1):
            began = time.monotonic()
            chosen = mishap(self._chance, early=number <= self._rollouts // 4)
            end = self._one(number, chosen)
            self._at_rest(number, chosen)
            self.told.series.append(measured(self._fleet))
            self.told.ended[end] += 1
            self.told.faults[chosen.name] += 1
            print(f"{number:4} {chosen.name:24} {end:12} {time.monotonic() - began:6.1f} s  {self._line()}", flush=True)
        return self.told

    def _one(self, number: int, chosen: Mishap) -> str:
        """How it ended."""
        version = f"3.0.{number}"
        self._push(version, chosen.mode)
        with self._fleet.load(clients=2) as load:
            rollout = self._fleet.begin(version)
            time.sleep(self._chance.uniform(0, 6))
            chosen.happen(self._fleet, self._chance)
            info = self._ended(rollout)
        self.told.answered += load.good
        if chosen.costs:
            self.told.excused += len(load.failures)
        elif load.failures:
            self.told.troubles.append(f"{rollout} ({chosen.name}): {len(load.failures)} failed, as {load.failures[0]}")
        if not info.end:
            self.told.troubles.append(f"{rollout} ({chosen.name}) hung: {info.stage}, {info.asked or info.reason}")
            self._fleet.cli("abort", "web")
        return info.end or "hung"

    def _ended(self, rollout: str) -> m.RolloutInfo:
        last: list[m.RolloutInfo] = []

        def look() -> bool:
            last[:] = [self._fleet.rollout(rollout)]
            return bool(last[0].end or last[0].asked)

        try:
            eventually(look, what=f"the end of {rollout}", within=600, every=0.3)
        except AssertionError:
            return self._fleet.rollout(rollout)
        return last[0]

    def _at_rest(self, number: int, chosen: Mishap) -> None:
        """Every host serves the release of record again, whatever it was."""
        try:
            eventually(self._all_serve, what=f"all serve after {chosen.name}", within=120, every=0.3)
        except AssertionError as error:
            self.told.troubles.append(f"rollout {number}: {error}")
            self._fleet.at_rest()
            self._fleet.policy(prepare_within=300, host_within=90)

    def _all_serve(self) -> bool:
        current = self._fleet.app().current
        names = {host.name for host in self._fleet.hosts}
        if current is None or self._fleet.in_service() != names:
            return False
        settled = all(self._fleet.told(name).phase == "settled" for name in names)
        return settled and {host.web.answers for host in self._fleet.hosts} == {current.version}

    def _push(self, version: str, mode: str) -> None:
        source = Path(tempfile.mkdtemp(dir=self._fleet.folder, prefix="source-"))
        lay_out(source, "web", version, mode=mode, toml="", files={})
        (source / "ballast").write_bytes(self._ballast)
        out = self._fleet.folder / "built"
        built = self._fleet.ok("release", "build", str(source), "--version", version, "--out", str(out))
        self._fleet.ok("release", "push", built["archive"])
        shutil.rmtree(source)
        shutil.rmtree(out)

    def _line(self) -> str:
        now = self.told.series[-1]
        return (
            f"agent {now['agent MB']:.0f} MB {now['agent fds']:.0f} fds, coordinator {now['coordinator MB']:.0f} MB "
            f"{now['coordinator fds']:.0f} fds, disk {now['host disk MB']:.0f} + {now['coordinator disk MB']:.0f} MB, "
            f"records {now['records MB']:.1f} MB, {now['queued messages']:.0f} queued"
        )


def verdict(told: Told) -> int:
    """Print what came of it: the exit status."""
    print(f"\n{sum(told.ended.values())} rollouts: {dict(told.ended)}; faults: {dict(told.faults)}")
    print(f"{told.answered} requests answered, {told.excused} failed while an app was killed")
    for name in (*LIMITS, "records MB"):
        before, after = ends(told.series, name)
        print(f"  {name:22} {before:9.1f} -> {after:9.1f}")
    troubles = [*told.troubles, *grown(told.series)]
    for trouble in troubles:
        print(f"TROUBLE {trouble}")
    return 1 if troubles else 0


def main() -> int:
    logging.disable(logging.CRITICAL)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rollouts", type=int, default=200)
    parser.add_argument("--size", type=float, default=100, help="MB of each release's archive")
    parser.add_argument("--hosts", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    node = RabbitNode(Path(tempfile.mkdtemp(prefix="nd-soak-")))
    try:
        node.start()
        with running_fleet(node, hosts=options.hosts, apps=("web",)) as fleet:
            config = fleet.coordinator.made.config
            config.write_text(f"keep_releases = {_KEPT}\n{config.read_text()}")
            fleet.coordinator.stop()
            fleet.coordinator.start()
            fleet.at_rest()
            size = int(options.size * MILLION)
            return verdict(Soak(fleet, rollouts=options.rollouts, size=size, seed=options.seed).run())
    finally:
        node.close()


if __name__ == "__main__":
    sys.exit(main())
