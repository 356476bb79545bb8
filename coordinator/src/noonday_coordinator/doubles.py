"""Agents that go by one host's name: told from one agent whose own lost connection keeps it out for a moment."""

from __future__ import annotations

from noonday_shared.messages import Claim, Snapshot

LASTS = 90.0
"""Seconds after its last sign in which a second agent is shown; one that is kept out says so far more often."""


class Doubles:
    """Used by one thread. Instants are seconds since the epoch."""

    def __init__(self) -> None:
        self._claims: dict[str, tuple[float, Claim]] = {}
        self._found: dict[str, tuple[float, str]] = {}

    def claimed(self, claim: Claim, now: float) -> None:
        """It is kept out. By whom shows when the host is heard next."""
        self._claims[claim.host] = (now, claim)

    def heard(self, snapshot: Snapshot, now: float) -> None:
        """The newest of its host. One with the claim's own number got in after all: it was kept out by itself."""
        at, claim = self._claims.get(snapshot.host, (0.0, None))
        if claim is None:
            return
        if claim.boot == snapshot.boot or now - at > LASTS:
            del self._claims[snapshot.host]
            return
        who = claim.machine or "which does not say where it runs"
        text = f"A second agent ({who}) says that it is {claim.host} too; it is kept out, and {claim.host} goes on"
        self._found[snapshot.host] = (at, text)

    def outdated(self, snapshot: Snapshot, newest: Snapshot, now: float) -> None:
        """It was begun before the agent that is heard, and said something after it: both live."""
        if snapshot.boot < newest.boot and snapshot.sent_at > newest.sent_at:
            text = f"An agent of {snapshot.host} that was begun earlier speaks again, and is not listened to"
            self._found[snapshot.host] = (now, f"{text}: a later one spoke in its place")

    def words(self, now: float) -> dict[str, str]:
        """By host, of those that have a second agent now."""
        self._found = {host: one for host, one in self._found.items() if now - one[0] <= LASTS}
        return {host: text for host, (_, text) in self._found.items()}
