"""The agent's service without threads: the real runner, monitor, reporter and envelope, on its host's own clock."""

from __future__ import annotations

from collections import deque
from pathlib import Path

from simulation.crashes import Crashes, Mortal
from simulation.host import Died, SimulatedHost
from simulation.strand import Strand

from noonday_agent.reporter import HEARTBEAT, Reporter, app_snapshot
from noonday_shared import topology
from noonday_shared.bus.memory import MemoryBroker, MemoryBus
from noonday_shared.envelope import open_sealed, seal
from noonday_shared.errors import NoondayError
from noonday_shared.keys import PublicKey, SigningKey
from noonday_shared.messages import Assignment
from noonday_shared.messages.assignment import KIND as ASSIGNMENT
from noonday_shared.messages.evidence import KIND as EVIDENCE
from support.virtual_clock import VirtualClock

SOON = 0.2
"""Seconds in which changes are gathered into one snapshot, and the shortest wait between two turns that wait."""
LOOK = 1.0
YOUNG = 60.0
"""Seconds after a start of the app in which its evidence is sent every SEND seconds, and OBSERVED later."""
SEND, OBSERVED, QUIET = 2.0, 6.0, 30.0
NEVER = float("inf")


class SimulatedAgent(Mortal):
    """Lives and dies; its host and its journal stay."""

    def __init__(
        self, host: SimulatedHost, broker: MemoryBroker, coordinator: PublicKey, clock: VirtualClock, crashes: Crashes
    ) -> None:
        super().__init__()
        self.host = host
        self.key = SigningKey.new()
        self.alive = False
        self.cut_off = False
        self.sent: deque[bytes] = deque(maxlen=5)
        self._runner = Strand()
        self._delay = 0.0
        self._broker = broker
        self._trusted = [coordinator]
        self._clock = clock
        self._crashes = crashes
        host.file.reached = crashes.reached
        host.local.wait = self._wait
        self.start()

    def start(self) -> None:
        """Raises a `NoondayError` when its disk refuses, or `Died`."""
        now = self._clock.now()
        self.host.changed = self._changed
        self._notices: deque[str] = deque(maxlen=5)
        self._report_at = now
        self.host.doing = None
        self.host.agent()
        self.host.boot = max(self.host.boot + 1, int(self.host.local.now()))
        self.alive = self.host.tended = True
        self._seq = 0
        self._turn_at, self._look_at, self._send_at = now, now, now + SEND
        self.bus = MemoryBus(self._broker)
        self._reporter = Reporter(
            host=self.host.name, boot=self.host.boot, key=self.key, bus=self.bus, clock=self.host.local,
            folder=Path("/"),
        )  # fmt: skip
        self.bus.consume(topology.agent_queue(self.host.name), self._on_assignment, exclusive=True)
        self.bus.start()
        if self.cut_off:
            self.bus.disconnect()

    def kill(self) -> None:
        self.alive = self.host.tended = False
        self._runner.abandon()
        self.doom = None
        self.host.changed = lambda: None
        self.bus.disconnect()

    def cut(self, *, off: bool) -> None:
        """The network between this host and the broker."""
        self.cut_off = off
        if not self.alive:
            return
        if off:
            self.bus.disconnect()
        else:
            self.bus.reconnect()

    def close(self) -> None:
        self._runner.close()

    @property
    def due(self) -> float:
        """By the world's clock. In the middle of a step, `_turn_at` is when it goes on."""
        if not self.alive:
            return NEVER
        due = self._look_at if self._look_at < self._turn_at else self._turn_at
        due = min(due, self._report_at)
        return self._send_at if self._send_at < due else due

    def act(self) -> None:
        """Whatever is due. Raises `Died` where the script wants it killed."""
        now = self._clock.now()
        if now >= self._turn_at:
            self._turn()
        if now >= self._look_at:
            self._look(now)
        if now >= self._report_at:
            self._report(now)
        if now >= self._send_at:
            self._send(now)

    def _turn(self) -> None:
        try:
            ended = self._runner.go_on() if self._runner.under_way else self._runner.run(self._one_turn)
        except NoondayError:
            self._delay, ended = 1.0, True  # as the thread of the real one does
        if ended:
            self._turn_at = self._clock.now() + (max(self._delay, SOON) if self._delay else 0.02)

    def _one_turn(self) -> None:
        self._delay = self.host.runner.turn()

    def _wait(self, seconds: float) -> None:
        """A step takes its time, in the runner's own thread."""
        if self._runner.under_way and self._runner.inside:
            self._turn_at = self._clock.now() + seconds
            self._runner.wait()

    def _look(self, now: float) -> None:
        before = self.host.monitor.seen
        if self.host.monitor.look() != before:
            self._changed()
        soon = self._observed or self.host.runner.journal.attempt is not None or self.host.monitor.seen.healthy is False
        self._look_at = now + (LOOK if soon else 5.0)

    def _report(self, now: float) -> None:
        journal, releases = self.host.runner.journal, self.host.releases
        shown = app_snapshot(journal, self.host.monitor.seen, releases.live(), releases.prepared())
        self._reporter.send((shown,), tuple(self._notices))
        self._report_at = now + HEARTBEAT

    def _send(self, now: float) -> None:
        self._seq += 1
        if not self.cut_off:
            body = seal(EVIDENCE, self.host.evidence(self.host.boot, self._seq), self.key)
            self.bus.publish(topology.REPORTS, topology.evidence_key(self.host.name), body, slot=f"e{self.host.epoch}")
        young = now - self.host.started_at < YOUNG
        self._send_at = now + (QUIET if not self._observed else SEND if young else OBSERVED)

    @property
    def _observed(self) -> bool:
        assignment = self.host.runner.journal.assignment
        return assignment is not None and assignment.observe

    def _changed(self) -> None:
        self._report_at = min(self._report_at, self._clock.now() + SOON)

    def _on_assignment(self, raw: bytes) -> None:
        self.sent.append(raw)
        self._crashes.begin(self)
        try:
            self.host.runner.offer(open_sealed(raw, ASSIGNMENT, Assignment, self._trusted))
            self.host.took(self.host)
        except NoondayError as error:
            self._notices.append(str(error)[:1000])
            self._changed()
        finally:
            self._crashes.end()
        if not self._runner.under_way:
            self._turn_at = self._clock.now()


__all__ = ["NEVER", "Died", "SimulatedAgent"]
