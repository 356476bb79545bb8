"""When evidence goes up: often while a rollout observes the host, more so while the app is young, seldom otherwise."""

from __future__ import annotations

from noonday_agent.app import HostedApp
from noonday_shared import topology
from noonday_shared.bus.protocol import Bus
from noonday_shared.clock import Clock
from noonday_shared.envelope import seal
from noonday_shared.keys import SigningKey
from noonday_shared.messages import Evidence
from noonday_shared.messages.evidence import KIND

SOON = 2.0
OBSERVED = 10.0
UNOBSERVED = 30.0
"""Seconds between two messages of one app."""
SLOTS = 8
"""Messages of one app that may wait unsent: what one tells is not told again soon, so the next must not replace it."""


class EvidenceSender:
    """Used by one thread."""

    def __init__(self, *, host: str, boot: int, key: SigningKey, bus: Bus, clock: Clock) -> None:
        self._host = host
        self._boot = boot
        self._key = key
        self._bus = bus
        self._clock = clock
        self._seq = 0
        self._sent_at: dict[str, float] = {}

    def send_due(self, app: HostedApp) -> bool:
        """Read what the app logged, and send its evidence if that is due. Without a connection it waits, counted.

        True when more waits to be read: call again soon.
        """
        more = app.collector.pump(self._clock.now())
        now = self._clock.monotonic()
        if self._bus.connected and now >= self._sent_at.get(app.name, -UNOBSERVED) + _every(app):
            self._send(app, now)
        return more

    def _send(self, app: HostedApp, now: float) -> None:
        self._sent_at[app.name] = now
        while (last := app.last_word(self._host, self._boot, self._seq + 1)) is not None:
            self._publish(last)
        self._publish(app.evidence(self._host, self._boot, self._seq + 1))

    def _publish(self, evidence: Evidence) -> None:
        self._seq = evidence.seq
        # Lines are not cumulative, so a message that carries some has a slot of its own.
        slot = f"lines/{self._seq}" if evidence.lines else f"evidence/{evidence.app}/{self._seq % SLOTS}"
        self._bus.publish(
            topology.REPORTS, topology.evidence_key(self._host), seal(KIND, evidence, self._key), slot=slot
        )


def _every(app: HostedApp) -> float:
    if app.watched or (app.observed and app.young):
        return SOON
    return OBSERVED if app.observed else UNOBSERVED
