"""What history at the coordinator costs: bytes on disk and milliseconds, for a day of a fleet and for its rollouts.

`python -m bench.evidence_size` prints a table. Hosts write kinds of record with frequencies that fall as 1 / rank.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.verdict.world import NEW, OLD, START, Knobs, make_world, template
from noonday_coordinator.core.state import App, Host, State
from noonday_coordinator.evidence_desk import EvidenceDesk
from noonday_coordinator.store.catalogue import CatalogueStore
from noonday_coordinator.store.windows import WindowStore
from noonday_coordinator.verdict.judge import EvidenceJudge
from noonday_shared.messages import Evidence, Template
from noonday_shared.messages.latency import BUCKETS

QUIET, OBSERVED = 30.0, 10.0
"""Seconds between two messages of a host."""


@dataclass
class Fleet:
    hosts: int
    keys: int
    requests: float
    """A second and host."""
    seed: int = 1
    totals: dict[str, list[int]] = field(default_factory=dict)
    templates: list[Template] = field(default_factory=list)
    seq: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        words = ["order", "cart", "stock", "user", "mail", "page", "cache", "queue", "price", "ship"]
        self.templates = [
            template(f"{self.random.choice(words)} {self.random.choice(words)} number {n} is <*> of <*>", "INFO")
            for n in range(self.keys)
        ]
        self.untold = self.templates
        self.requested = dict.fromkeys(self.names, 0)
        self.totals = {name: [0] * self.keys for name in self.names}

    @property
    def names(self) -> list[str]:
        return [f"web-{n}" for n in range(1, self.hosts + 1)]

    def messages(self, now: float, every: float) -> Iterator[Evidence]:
        fresh, self.untold = self.untold[:400], self.untold[400:]
        for host in self.names:
            self.seq += 1
            total = self.totals[host]
            self.requested[host] += round(self.requests * every)
            changed = {}
            for rank in range(self.keys):
                more = self.random.random() + self.requests * every / (rank + 1)
                if more >= 1:
                    total[rank] += int(more)
                    changed[self.templates[rank].key] = (total[rank], total[rank])
            latency = tuple(round(self.requested[host] / BUCKETS) for _ in range(BUCKETS))
            yield Evidence(
                host=host, app="web", boot=1, epoch=1, seq=self.seq, release=OLD.id, since=START, sent_at=now,
                counted_for=now - START, requests=self.requested[host], statuses={"2xx": self.requested[host]},
                counts=changed, templates=tuple(fresh), latency=latency,
                gauges={"cpu_seconds": now / 7, "rss_bytes": 2e8, "fds": 40.0, "threads": 9.0}, started_at=START - 9e4,
            )  # fmt: skip


@dataclass
class Cost:
    folder: Path
    windows: int = 0
    worst: float = 0.0
    spent: float = 0.0

    def turn(self, desk: EvidenceDesk, state: State, now: float) -> None:
        began = time.process_time()
        desk.turn(state, now)
        passed = time.process_time() - began
        self.windows += 1
        self.spent += passed
        self.worst = max(self.worst, passed)

    def size(self, name: str) -> int:
        return sum(path.stat().st_size for path in self.folder.glob(f"{name}.sqlite*"))

    def line(self, what: str) -> str:
        kept = f"windows {self.size('windows') / 1e6:6.2f} MB, catalogue {self.size('catalogue') / 1e6:5.2f} MB"
        mean = 1000 * self.spent / max(self.windows, 1)
        return (
            f"{what:<34} n={self.windows:<6} {kept}, CPU a window {mean:5.1f} ms, at most {1000 * self.worst:5.0f} ms"
        )


def measure(fleet: Fleet, hours: float, rollouts: int, minutes: float) -> Iterator[str]:
    world = make_world(Knobs(hosts=fleet.hosts, history=60.0, length=10.0))
    hosts = {name: Host(name, {"role": "web"}, "") for name in fleet.names}
    quiet = State(hosts=hosts, apps={"web": App("web", current=OLD)})
    with (
        TemporaryDirectory() as name,
        closing(WindowStore.open(Path(name) / "windows.sqlite")) as windows,
        closing(CatalogueStore.open(Path(name) / "catalogue.sqlite")) as catalogue,
    ):
        desk = EvidenceDesk(windows, catalogue, EvidenceJudge(), START)
        now = START
        cost = Cost(Path(name))
        for _ in range(round(hours * 3600 / QUIET)):
            now += QUIET
            for message in fleet.messages(now, QUIET):
                desk.add(message, now)
            cost.turn(desk, quiet, now)
        yield cost.line(f"{hours:g} h without a rollout")
        cost = Cost(Path(name))
        for turn in range(rollouts):
            rollout = replace(world.rollout, id=f"web-{turn}", started_at=now, release=NEW)
            state = replace(
                quiet, apps={"web": App("web", current=OLD, active=rollout.id)}, rollouts={rollout.id: rollout}
            )
            for _ in range(round(minutes * 60 / OBSERVED)):
                now += OBSERVED
                for message in fleet.messages(now, OBSERVED):
                    desk.add(message, now)
                cost.turn(desk, state, now)
        yield cost.line(f"and {rollouts} rollouts of {minutes:g} min")
        began = time.process_time()
        again = EvidenceDesk(windows, catalogue, EvidenceJudge(), now)
        turns = 0
        while not again.turn(state, now):
            turns += 1
        yield f"a restart of the coordinator hears the last one again in {time.process_time() - began:.2f} s of CPU"


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--hosts", type=int, default=5)
    ask.add_argument("--keys", type=int, default=200)
    ask.add_argument("--requests", type=float, default=5.0, help="a second and host")
    ask.add_argument("--hours", type=float, default=24.0)
    ask.add_argument("--rollouts", type=int, default=3)
    ask.add_argument("--minutes", type=float, default=20.0)
    told = ask.parse_args()
    fleet = Fleet(told.hosts, told.keys, told.requests)
    for line in measure(fleet, told.hours, told.rollouts, told.minutes):
        sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
