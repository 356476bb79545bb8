"""What agents count, told over a bus that loses four messages in ten: a new ERROR is blamed all the same, in time."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from bench.verdict.world import NEW, OLD, START, Knobs, make_world
from noonday_coordinator.replay.catalogue_of import catalogue_of
from noonday_coordinator.verdict.judge import replay
from noonday_coordinator.verdict.protocol import Trial
from noonday_coordinator.verdict.sampler import Sampler
from noonday_coordinator.verdict.window import Window
from noonday_shared import topology
from noonday_shared.bus.memory import Faults, MemoryBroker, MemoryBus
from noonday_shared.envelope import open_sealed, seal
from noonday_shared.keys import SigningKey
from noonday_shared.logs.counter import ReleaseCounter
from noonday_shared.logs.redact import Redactor
from noonday_shared.logs.request_ids import RequestIds
from noonday_shared.logs.signature import Signer
from noonday_shared.messages import Evidence
from noonday_shared.messages.evidence import KIND

HOSTS = ("web-1", "web-2", "web-3", "web-4")
CANARY = HOSTS[0]
HISTORY, ONSET, LENGTH = 300, 60, 240
EVERY = 10
PER_SECOND = 4
KEY = SigningKey.new()
# So many that it takes an hour until each was told again in its turn.
KINDS = [f"the {word} of the {other} is there" for word in "abcdefghijklmno" for other in "pqrstuvwxyz"]


@dataclass
class Agent:
    """Counts and tells as a real one does."""

    host: str
    bus: MemoryBus
    chance: random.Random
    signer: Signer = field(default_factory=Signer)
    seq: int = 0

    def start(self, release: str, epoch: int, now: float) -> None:
        self.counter = ReleaseCounter("web", release, epoch, now, Redactor())
        self.ids = RequestIds()

    def second(self, now: float, wrong: float) -> None:
        """`wrong`: the share of requests that fail, each with an ERROR."""
        lines = []
        for _ in range(PER_SECOND):
            one = f"request_id={self.chance.getrandbits(64):016x}"
            lines.append(f"2026-01-01 12:00:00,123 INFO shop: {self.chance.choice(KINDS)} {one}".encode())
            if self.chance.random() < wrong:
                lines.append(f"2026-01-01 12:00:00,123 ERROR shop: no price is known {one}".encode())
        self.counter.count(lines, self.signer, now, self.ids)
        self.counter.count_requests([b'- - - [01/Jan/2026:12:00:00 +0000] "GET / HTTP/1.1" 200 5'] * PER_SECOND)

    def tell(self, now: float) -> None:
        self.seq += 1
        sent = self.counter.to_evidence(host=self.host, boot=1, seq=self.seq, now=now)
        key = topology.evidence_key(self.host)
        self.bus.publish(topology.REPORTS, key, seal(KIND, sent, KEY), slot=f"{self.seq}")


@dataclass
class Bus:
    """With a coordinator at its end. What is lost is as `chance` has it."""

    chance: random.Random
    now: float = 0.0

    def __post_init__(self) -> None:
        self.sampler = Sampler(since=START - HISTORY - 1)
        self.broker = MemoryBroker(random=self.chance)
        self.coordinator = MemoryBus(self.broker)
        self.coordinator.declare_reports()
        self.coordinator.consume(topology.EVIDENCE_QUEUE, self._heard)
        self.coordinator.start()

    def _heard(self, raw: bytes) -> None:
        self.sampler.add(open_sealed(raw, KIND, Evidence, [KEY.public]), self.now)

    def agent(self, host: str) -> Agent:
        bus = MemoryBus(self.broker)
        bus.start()
        return Agent(host, bus, random.Random(f"{host} {self.chance.random()}"))


def windows_of(seed: int) -> Iterator[Window]:
    bus = Bus(random.Random(seed))
    agents = [bus.agent(host) for host in HOSTS]
    for agent in agents:
        agent.start(OLD.id, 1, START - HISTORY)
    for second in range(1 - HISTORY, LENGTH + 1):
        bus.now = START + second
        if second == 1:
            agents[0].start(NEW.id, 2, START)
            bus.broker.faults = Faults(lose=0.4)
        for agent in agents:
            agent.second(bus.now, 0.1 if agent.host == CANARY and second > ONSET else 0.0)
            if second % EVERY == 0:
                agent.tell(bus.now)
        bus.broker.deliver()
        if second % EVERY == 0:
            yield from bus.sampler.cut("web", bus.now)


@pytest.mark.parametrize("seed", range(4, 8))
def test_a_new_error_is_blamed_in_time_though_four_messages_in_ten_are_lost(seed: int) -> None:
    windows = list(windows_of(seed))
    before = tuple(window for window in windows if window.ends <= START)
    rollout = make_world(Knobs(hosts=len(HOSTS), kinds=1, history=60.0, length=10.0)).rollout
    trial = Trial(rollout, catalogue_of(before), before=before)
    story = replay(trial, windows[len(before) :])
    backs = [at - START - ONSET for at, judgement in story if judgement.verdict == "roll back"]
    assert min(backs, default=math.inf) <= 120.0
