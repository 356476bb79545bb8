"""What is looked at while nothing changes: is the app well, in the load balancer, and did it restart by itself."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from noonday_agent.config import App
from noonday_agent.parts import Parts
from noonday_shared.errors import NoondayError

SICK_AFTER = 2
"""Failed answers in a row before an app counts as not well: one may be a hiccup."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One look. None where it could not be told."""

    healthy: bool | None = None
    in_service: bool | None = None
    balancers: dict[str, str] = field(default_factory=dict)
    restarts: int = 0
    """Starts of the main process that the agent did not ask for, since the last one that it did."""


class Monitor:
    """One app. `look` is called by one thread, the rest by any."""

    def __init__(self, settings: App, parts: Parts) -> None:
        self._settings = settings
        self._parts = parts
        self._failures = 0
        self._running: frozenset[tuple[int, float]] | None = None
        self._restarts = 0
        self._forgiven = False
        self.seen = Seen()

    def forgive(self) -> None:
        """The agent restarts the app: what runs at the next look is what should run."""
        self._forgiven = True

    def arrived(self) -> None:
        """The app was just seen healthy and in service: nobody has to wait for the next look to know it."""
        self._failures = 0
        self.seen = replace(self.seen, healthy=True, in_service=True)

    def look(self) -> Seen:
        """Ask everything once; blocks as long as the parts' own timeouts. Never raises a `NoondayError`."""
        self._count_restarts()
        self.seen = Seen(self._healthy(), self._in_service(), self._parts.pool.states(), self._restarts)
        return self.seen

    def _healthy(self) -> bool | None:
        answer = self._parts.probe.health(self._path(), self._settings.health.timeout)
        self._failures = 0 if answer.ok else self._failures + 1
        if answer.ok:
            return True
        return False if self._failures >= SICK_AFTER else self.seen.healthy

    def _path(self) -> str:
        try:
            live = self._parts.releases.live().id
            named = self._parts.releases.manifest(live).manifest.health if live else None
        except NoondayError:
            named = None
        return named or self._settings.health.path

    def _in_service(self) -> bool | None:
        try:
            return self._parts.pool.in_service()
        except NoondayError:
            return None

    def _count_restarts(self) -> None:
        try:
            main = self._parts.process.pid()
        except NoondayError:
            return
        running = frozenset(one for one in self._parts.prover.seen(main) if one[0] == main)
        if self._forgiven:
            self._forgiven, self._restarts = False, 0
        elif running and self._running and running != self._running:
            self._restarts += 1
        self._running = running or self._running
