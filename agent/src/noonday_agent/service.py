"""The agent's service: wires apps, bus and reports together, and lives until it is told to stop."""

from __future__ import annotations

import logging
import threading

from noonday_agent.app import HostedApp
from noonday_agent.config import AgentConfig
from noonday_agent.evidence.wake import Wake
from noonday_agent.evidence_sender import EvidenceSender
from noonday_agent.identity import OnlyOne, next_boot
from noonday_agent.notices import Notices
from noonday_agent.reporter import HEARTBEAT, Reporter
from noonday_shared import topology
from noonday_shared.bus.protocol import Bus
from noonday_shared.clock import Clock
from noonday_shared.envelope import open_sealed
from noonday_shared.errors import BadInput, NoondayError, Permanent
from noonday_shared.keys import PublicKey, SigningKey
from noonday_shared.messages import Assignment
from noonday_shared.messages.assignment import KIND

CLOSE_WITHIN = 10.0
SOON = 0.1
"""Seconds between two reads of a log that more waits in."""
EVERY = 1.0
"""Seconds between two reads of logs: as often for all, since seconds that have a record are counted."""

_log = logging.getLogger(__name__)


class Service:
    """`start` and `close` once each. Everything else runs in its own threads."""

    def __init__(self, config: AgentConfig, bus: Bus, clock: Clock) -> None:
        """Raises a `NoondayError` naming what has to be mended before this agent can do anything."""
        self._config = config
        self._bus = bus
        self._clock = clock
        self._only = OnlyOne(config.state_dir)
        key = SigningKey.load(config.trust.host_key_file)
        boot = next_boot(config.state_dir, clock.now())
        self._trusted = [PublicKey.parse(config.trust.coordinator)]
        self._changed = threading.Event()
        self._leaving = threading.Event()
        self._wake = Wake()
        self._notices = Notices(clock)
        self._reporter = Reporter(host=config.host, boot=boot, key=key, bus=bus, clock=clock, folder=config.state_dir)
        self._evidence = EvidenceSender(host=config.host, boot=boot, key=key, bus=bus, clock=clock)
        self._apps = {
            name: HostedApp(name, config, boot=boot, clock=clock, changed=self._changed.set) for name in config.apps
        }
        self._threads = [
            threading.Thread(target=self._report, name="reports", daemon=True),
            threading.Thread(target=self._gather, name="evidence", daemon=True),
        ]

    def start(self) -> None:
        """Refuses to start with a balancer or process manager that can never work; one that is down may come up."""
        for app in self._apps.values():
            app.start()
            self._check(app)
        queue = topology.agent_queue(self._config.host)
        self._bus.consume(queue, self._on_assignment, exclusive=True, refused=self._on_refused)
        self._bus.start()
        for thread in self._threads:
            thread.start()
        _log.info("%s runs %s", self._config.host, ", ".join(self._apps))

    def close(self) -> None:
        """Stop each app's runner after its present step, all at the same time. Until the last one has stopped, this
        host is heard, and what balancers poll here answers. Safe also when `start` failed half way."""
        for app in self._apps.values():
            app.leave(CLOSE_WITHIN)
        for app in self._apps.values():
            app.end_step()
        self._leaving.set()
        self._changed.set()
        self._wake.wake()
        for app in self._apps.values():
            app.close(CLOSE_WITHIN)
        self._bus.close()
        self._only.release()

    def _check(self, app: HostedApp) -> None:
        for check in (app.parts.pool.check, app.parts.process.check):
            try:
                check()
            except Permanent as error:
                raise Permanent(
                    f"[apps.{app.name}] {error.text}", rule=error.rule, next_action=error.next_action
                ) from error
            except NoondayError as error:
                _log.warning("[apps.%s] %s", app.name, error)
                self._notice(f"{app.name}: {error}")

    def _on_assignment(self, raw: bytes) -> None:
        """On the bus thread: journal it and return, so that it is acknowledged before any work begins."""
        try:
            assignment = open_sealed(raw, KIND, Assignment, self._trusted)
            app = self._apps.get(assignment.app)
            if app is None:
                raise BadInput(
                    f"Assignment refused: this host has no app {assignment.app!r}.",
                    rule="unknown-app",
                    next_action=f"add [apps.{assignment.app}] to agent.toml",
                )
            self._offer(app, assignment)
        except NoondayError as error:
            _log.warning("%s", error)
            self._notice(str(error))

    def _offer(self, app: HostedApp, assignment: Assignment) -> None:
        try:
            app.runner.offer(assignment)
        except BadInput as error:
            self._notices.add(str(error), rule=error.rule, app=app.name)
            self._changed.set()
            _log.warning("%s", error)
        else:
            # One that came in time: what had lain in the queue while this agent was away is no trouble of its clock.
            self._notices.over("expired", app.name)

    def _on_refused(self) -> None:
        """On the bus thread: somebody else has our queue. What waits to be sent is not; this alone is."""
        _log.error("%s is kept out: another agent is connected under this name.", self._config.host)
        self._reporter.claim()

    def _notice(self, text: str) -> None:
        self._notices.add(text)
        self._changed.set()

    def _report(self) -> None:
        while not self._leaving.is_set():
            self._changed.wait(HEARTBEAT)
            self._changed.clear()
            try:
                self._reporter.send(tuple(app.snapshot() for app in self._apps.values()), self._notices.words)
            except Exception:
                # A host that falls silent looks dead: whatever this one met, the next snapshot may go out.
                _log.exception("A snapshot could not be made.")
                self._leaving.wait(1.0)

    def _gather(self) -> None:
        self._wake.start()
        while not self._leaving.is_set():
            more = False
            for app in self._apps.values():
                try:
                    more |= self._evidence.send_due(app)
                except Exception:
                    # A log line of any shape must not end the evidence of all apps.
                    _log.exception("%s: evidence could not be gathered", app.name)
            self._wake.follow(path for app in self._apps.values() for path in app.collector.paths)
            self._wake.wait(SOON if more else EVERY)
        self._wake.close()
