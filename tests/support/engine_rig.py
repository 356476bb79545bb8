"""A real engine on a real log, turned by hand, and hosts that say what the test says."""

from __future__ import annotations

from dataclasses import dataclass, field

from noonday_coordinator.core.commands import Command, Enroll, Push
from noonday_coordinator.core.events import LogsWatched
from noonday_coordinator.core.evolve import fold
from noonday_coordinator.core.policy import Policy
from noonday_coordinator.engine import Engine
from noonday_coordinator.store.catalogue import CatalogueStore
from noonday_coordinator.store.event_log import EventLog
from noonday_coordinator.store.lines import LineBuffer
from noonday_coordinator.store.windows import WindowStore
from noonday_shared import topology
from noonday_shared.bus.memory import MemoryBroker, MemoryBus
from noonday_shared.envelope import seal
from noonday_shared.errors import NoondayError, Temporary
from noonday_shared.keys import SigningKey
from noonday_shared.messages import AppSnapshot, Goal, Outcome, Phase, Snapshot
from noonday_shared.messages.snapshot import KIND
from noonday_shared.names import ReleaseRef
from noonday_shared.release.manifest import ReleaseManifest
from support.virtual_clock import VirtualClock

HOSTS = ("web-1", "web-2")
NEW = ReleaseRef(version="1.0.0", digest="a" * 64)
POLICY = Policy(app="web", hosts={"role": "web"}, prepare_within=60, host_within=60, examine=0)


@dataclass
class EngineRig:
    """Two hosts are enrolled and heard, and a first release of `web` is pushed."""

    log: EventLog
    windows: WindowStore
    catalogue: CatalogueStore
    clock: VirtualClock = field(default_factory=VirtualClock)
    seq: int = 0

    def __post_init__(self) -> None:
        self.broker = MemoryBroker(clock=self.clock)
        self.keys = {host: SigningKey.new() for host in HOSTS}
        self.bus = MemoryBus(self.broker)
        self.agents = MemoryBus(self.broker)
        self.engine = Engine(
            log=self.log, windows=self.windows, catalogue=self.catalogue, bus=self.bus, key=SigningKey.new(),
            artifact_url=lambda app, release: "http://here/x", clock=self.clock, lines=LineBuffer(),
        )  # fmt: skip
        self.engine.begin()
        for bus in (self.bus, self.agents):
            bus.start()
        for host in HOSTS:
            self.do(Enroll(host, {"role": "web"}, str(self.keys[host].public)))
        self.do(Push("web", NEW, 9, ReleaseManifest(app="web", version=NEW.version)))
        for host in HOSTS:
            self.say(host)

    def do(self, command: Command) -> None:
        answer = self.engine.ask(command, "alice")
        self.turn()
        answer.result(0)

    def turn(self) -> None:
        """As the engine's thread does."""
        self.broker.deliver()
        try:
            self.engine.turn()
        except NoondayError as error:
            self.engine.trouble = str(error)

    def say(self, host: str, outcome: Outcome = Outcome.NONE, phase: Phase = Phase.SETTLED) -> None:
        """The host reports of the assignment that it was given last."""
        self.seq += 1
        assigned = self.engine.state.hosts[host].app("web").assigned
        done = assigned is not None and assigned.goal is Goal.SERVING and outcome is Outcome.DONE
        serves = assigned.release if assigned and done else None
        app = AppSnapshot(
            app="web", term=self.engine.state.term if assigned else 0, in_service=True, healthy=True,
            generation=assigned.generation if assigned else 0, outcome=outcome, phase=phase,
            live=serves.id if serves else "", proven=serves,
        )  # fmt: skip
        snapshot = Snapshot(host=host, boot=1, seq=self.seq, sent_at=self.clock.now(), agent_version="1", apps=(app,))
        body = seal(KIND, snapshot, self.keys[host])
        self.agents.publish(topology.REPORTS, topology.state_key(host), body, slot=f"{host}/{self.seq}")
        self.turn()

    def fill(self) -> None:
        """The file may not grow any more."""
        pages = self.log._writer.execute("PRAGMA page_count").fetchone()[0]
        self.log._writer.execute(f"PRAGMA max_page_count = {pages}")
        for size in (20, 1):
            while self._fits(size):
                pass

    def make_room(self) -> None:
        self.log._writer.execute("PRAGMA max_page_count = 1000000")

    def kept(self) -> None:
        """What is known is what is on disk, and not a thing more."""
        fillers = [record for record in self.log.read() if record.by == "filler"]
        assert fold([record for record in self.log.read() if record not in fillers]) == self.engine.state

    def _fits(self, records: int) -> bool:
        try:
            self.log.append([LogsWatched("x", 0.0)] * records, at=self.clock.now(), by="filler")
        except Temporary:
            return False
        return True
