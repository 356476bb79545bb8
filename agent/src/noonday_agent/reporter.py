"""What goes up: state snapshots on every change and as a heartbeat, each whole and signed with the host's key."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

import noonday_agent
from noonday_agent.core.journal import Journal, Way
from noonday_agent.monitor import Seen
from noonday_agent.releases.layout import LiveTarget
from noonday_shared import topology
from noonday_shared.bus.protocol import Bus
from noonday_shared.clock import Clock
from noonday_shared.envelope import seal
from noonday_shared.errors import Trouble
from noonday_shared.keys import SigningKey
from noonday_shared.messages import AppSnapshot, Claim, Goal, Snapshot, TroubleReport
from noonday_shared.messages.claim import KIND as CLAIM
from noonday_shared.messages.snapshot import KIND

HEARTBEAT = 10.0


class Reporter:
    """Used by one thread. `boot` is greater than at any earlier start of this agent."""

    def __init__(self, *, host: str, boot: int, key: SigningKey, bus: Bus, clock: Clock, folder: Path) -> None:
        self._host = host
        self._boot = boot
        self._key = key
        self._bus = bus
        self._clock = clock
        self._folder = folder
        self._seq = 0

    def send(self, apps: tuple[AppSnapshot, ...], notices: tuple[str, ...]) -> Snapshot:
        """Hand the present snapshot to the bus; it replaces one that is still unsent."""
        self._seq += 1
        snapshot = Snapshot(
            host=self._host,
            boot=self._boot,
            seq=self._seq,
            sent_at=self._clock.now(),
            agent_version=noonday_agent.__version__,
            apps=apps,
            load_1m=os.getloadavg()[0],
            disk_free=shutil.disk_usage(self._folder).free,
            notices=notices,
        )
        body = seal(KIND, snapshot, self._key)
        self._bus.publish(topology.REPORTS, topology.state_key(self._host), body, slot="state")
        return snapshot

    def claim(self) -> None:
        """Say that another agent is in our place, and that we are kept out."""
        claim = Claim(
            host=self._host,
            boot=self._boot,
            sent_at=self._clock.now(),
            machine=f"on {socket.gethostname()[:150]}, pid {os.getpid()}",
        )
        body = seal(CLAIM, claim, self._key)
        self._bus.publish(topology.REPORTS, topology.state_key(self._host), body, slot="claim", aside=True)


def app_snapshot(journal: Journal, seen: Seen, live: LiveTarget, prepared: tuple[str, ...]) -> AppSnapshot:
    """One app as it is now. Pure."""
    attempt, assignment = journal.attempt, journal.assignment
    # Out and looked at for ever: only what changes in the end is news, or every look would fill the event log.
    stranded = attempt is not None and attempt.way is Way.STRANDED
    now = attempt.trouble if attempt and not stranded else None
    shown = now or journal.trouble or (attempt.why if attempt else None) or _held_out(journal, seen)
    return AppSnapshot(
        app=journal.app,
        term=assignment.term if assignment else 0,
        generation=assignment.generation if assignment else 0,
        goal=assignment.goal if assignment else None,
        outcome=journal.outcome,
        going_back=attempt is not None and attempt.way in (Way.BACK, Way.STRANDED),
        phase=journal.phase,
        step=attempt.stage if attempt and not stranded else "",
        step_since=attempt.stage_since if attempt and not stranded else 0.0,
        live=live.id or (str(live.path) if live.path else ""),
        proven=journal.proven,
        prepared=prepared,
        in_service=False if journal.out_by_us else seen.in_service,
        balancers=seen.balancers,
        healthy=seen.healthy,
        restarts=seen.restarts,
        trouble=TroubleReport.of(shown) if shown else None,
        timings=dict(journal.timings),
        seconds_out=round(journal.seconds_out, 3),
    )


def _held_out(journal: Journal, seen: Seen) -> Trouble | None:
    """Why a healthy app that should serve is out although this agent has nothing left to do about it."""
    assignment = journal.assignment
    idle = journal.attempt is None and not journal.out_by_us
    if not idle or assignment is None or assignment.goal is not Goal.SERVING or seen.in_service is not False:
        return None
    if not seen.healthy:
        return None
    words = ", ".join(f"{name}: {state}" for name, state in seen.balancers.items())
    text = f"The app is well and gets no requests ({words}), and this agent did not take it out."
    host = assignment.host
    fix = f"let it in at the load balancer; or noonday drain {host}, then noonday undrain {host}"
    return Trouble("held-out", "confirm", text, fix)
