"""A stand-in for the coordinator: says assignments with its key and under its term, one at a time, while it is down."""

from __future__ import annotations

import time
from pathlib import Path

from noonday_agent.core.journal import Journal
from noonday_agent.journal_file import JournalFile
from noonday_shared import topology
from noonday_shared.bus.rabbit import RabbitBus
from noonday_shared.envelope import seal
from noonday_shared.keys import SigningKey
from noonday_shared.messages import Assignment, Goal, Outcome
from noonday_shared.messages.assignment import KIND
from noonday_shared.names import ReleaseRef
from support.eventually import eventually
from support.fleet import Fleet
from support.fleet_commands import WITHIN
from support.fleet_host import FleetHost


class StandIn:
    """Says each assignment once: what an agent loses of it in its death, it has to get back from the broker.

    When the real coordinator starts again its term is greater, so it rules at once.
    """

    def __init__(self, fleet: Fleet) -> None:
        self._key = SigningKey.load(fleet.folder / "noonday" / "coordinator.key")
        self._bus = RabbitBus(fleet.broker_url, name="stand-in")
        known = [journal.assignment for host in fleet.hosts if (journal := journal_of(host)).assignment]
        self._term = max((one.term for one in known if one), default=1)
        self._generation = max((one.generation for one in known if one), default=0)

    def __enter__(self) -> StandIn:
        self._bus.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bus.close()

    def say(
        self, host: FleetHost, goal: Goal, release: ReleaseRef, archive: Path | None = None, *, restart_for: str = ""
    ) -> int:
        """The generation under which it was said. `restart_for`: as in an assignment."""
        self._generation += 1
        now = time.time()
        assignment = Assignment(
            app="web",
            host=host.name,
            term=self._term,
            generation=self._generation,
            goal=goal,
            release=release,
            source=str(archive or ""),
            previous=journal_of(host).proven,
            rollout="r0",
            restart_for=restart_for,
            deadline=600.0,
            issued_at=now,
            expires_at=now + 600.0,
        )
        body = seal(KIND, assignment, self._key)
        self._bus.publish("", topology.agent_queue(host.name), body, slot=str(self._generation))
        return self._generation


def journal_of(host: FleetHost) -> Journal:
    return JournalFile(host.state_dir / "apps" / "web.json", "web").load()


def settled(host: FleetHost, generation: int) -> Journal:
    """The host's journal once that assignment has come to its end."""
    last: list[Journal] = []

    def look() -> bool:
        last[:] = [journal_of(host)]
        assignment = last[0].assignment
        ended = last[0].attempt is None and last[0].outcome is not Outcome.WORKING
        return ended and assignment is not None and assignment.generation == generation

    eventually(look, what=f"the end of generation {generation} on {host.name}", within=WITHIN, every=0.05)
    return last[0]
