"""The agent's service without threads: the real runner, monitor, reporter and envelope, on the virtual clock."""

from __future__ import annotations

from collections import deque
from pathlib import Path

from simulation.host import SimulatedHost

from noonday_agent.reporter import HEARTBEAT, Reporter, app_snapshot
from noonday_shared import topology
from noonday_shared.bus.memory import MemoryBroker, MemoryBus
from noonday_shared.envelope import open_sealed, seal
from noonday_shared.errors import NoondayError
from noonday_shared.keys import PublicKey, SigningKey
from noonday_shared.messages import Assignment
from noonday_shared.messages.assignment import KIND as ASSIGNMENT
from noonday_shared.messages.evidence import KIND as EVIDENCE
from support.fake_host import Died

SOON = 0.2
"""Seconds in which changes are gathered into one snapshot, and the shortest wait between two turns that wait."""
LOOK = 1.0
SEND = 2.0
NEVER = float("inf")


class SimulatedAgent:
    """Lives and dies; its host and its journal stay."""

    def __init__(self, host: SimulatedHost, broker: MemoryBroker, coordinator: PublicKey) -> None:
        self.host = host
        self.key = SigningKey.new()
        self.alive = False
        self.cut_off = False
        self.sent: deque[bytes] = deque(maxlen=5)
        self._broker = broker
        self._trusted = [coordinator]
        self._boot = 0
        self.start()

    def start(self) -> None:
        now = self.host.clock.now()
        self.alive = True
        self._boot = max(self._boot + 1, int(now))
        self._seq = 0
        self._notices: deque[str] = deque(maxlen=5)
        self._turn_at, self._look_at, self._send_at = now, now, now + SEND
        self._report_at = now
        self.bus = MemoryBus(self._broker)
        self._reporter = Reporter(
            host=self.host.name, boot=self._boot, key=self.key, bus=self.bus, clock=self.host.clock, folder=Path("/")
        )
        self.host.changed = self._changed
        self.host.agent()
        self.bus.consume(topology.agent_queue(self.host.name), self._on_assignment, exclusive=True)
        self.bus.start()
        if self.cut_off:
            self.bus.disconnect()

    def kill(self) -> None:
        self.alive = False
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

    @property
    def due(self) -> float:
        return min(self._turn_at, self._look_at, self._report_at, self._send_at) if self.alive else NEVER

    def act(self) -> None:
        """Whatever is due. Raises `Died` where the script wants it killed."""
        now = self.host.clock.now()
        if now >= self._turn_at:
            delay = self.host.runner.turn()
            self._turn_at = now + (max(delay, SOON) if delay else 0.02)
        if now >= self._look_at:
            self._look(now)
        if now >= self._report_at:
            self._report(now)
        if now >= self._send_at:
            self._send(now)

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
            body = seal(EVIDENCE, self.host.evidence(self._boot, self._seq), self.key)
            self.bus.publish(topology.REPORTS, topology.evidence_key(self.host.name), body, slot=f"e{self.host.epoch}")
        self._send_at = now + (SEND if self._observed else 30.0)

    @property
    def _observed(self) -> bool:
        assignment = self.host.runner.journal.assignment
        return assignment is not None and assignment.observe

    def _changed(self) -> None:
        self._report_at = min(self._report_at, self.host.clock.now() + SOON)

    def _on_assignment(self, raw: bytes) -> None:
        self.sent.append(raw)
        try:
            self.host.runner.offer(open_sealed(raw, ASSIGNMENT, Assignment, self._trusted))
        except NoondayError as error:
            self._notices.append(str(error)[:1000])
            self._changed()
        self._turn_at = self.host.clock.now()


__all__ = ["NEVER", "Died", "SimulatedAgent"]
