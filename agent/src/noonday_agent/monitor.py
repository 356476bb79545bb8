"""What is looked at while nothing changes: is the app well, in the load balancer, and did it restart by itself."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace

from noonday_agent.balancers.traffic import Traffic
from noonday_agent.config import App
from noonday_agent.evidence.monitors import host_gauges, tree_gauges
from noonday_agent.evidence.restarts import Restarts
from noonday_agent.evidence.scraper import Scraper
from noonday_agent.parts import Parts
from noonday_shared.clock import Clock
from noonday_shared.errors import NoondayError
from noonday_shared.logs.counter import Process

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

    def __init__(self, settings: App, parts: Parts, scraper: Scraper | None = None) -> None:
        self._settings = settings
        self._parts = parts
        self._scraper = scraper
        self._traffic = Traffic()
        self._failures = 0
        self._restarts = Restarts()
        self._lock = threading.Lock()
        self.seen = Seen()

    def restarting(self) -> None:
        """The agent is about to restart the app: the next start is its own."""
        with self._lock:
            self._restarts.asked()

    def restarted(self) -> None:
        """The app was restarted: what the balancers have counted by now is still the old release's."""
        self._traffic.add(self._parts.pool.traffic())

    def begin(self) -> dict[str, int]:
        """What the balancers count from now on belongs to the release that was started; returns what they counted for
        the one that ended."""
        return self._traffic.begin()

    def arrived(self) -> None:
        """The app was just seen healthy and in service: nobody has to wait for the next look to know it."""
        main = self._main()
        with self._lock:
            restarts = self._restarts.look(main)
            self._restarts.settled()
        self._failures = 0
        self.seen = replace(self.seen, healthy=True, in_service=True, restarts=restarts)

    def look(self) -> Seen:
        """Ask everything once; blocks as long as the parts' own timeouts. Never raises a `NoondayError`."""
        main = self._main()
        with self._lock:
            restarts = self._restarts.look(main)
        self.seen = Seen(self._healthy(), self._in_service(), self._parts.pool.states(), restarts)
        self._traffic.add(self._parts.pool.traffic())
        if self._scraper is not None:
            self._scraper.look()
        return self.seen

    def process(self, clock: Clock) -> Process:
        """The app beside its logs. Gauges: the process tree's, the host's and the app's own; what can't be told now is
        left out."""
        main = self._main()
        with self._lock:
            # The newest look may be older than the restart that began the count anew.
            restarts = self._restarts.count
        tree = tree_gauges(main[0], clock) if main else {}
        own = self._scraper.gauges if self._scraper is not None else {}
        return Process(
            started_at=clock.now() - (time.clock_gettime(time.CLOCK_BOOTTIME) - main[1]) if main else 0.0,
            restarts=restarts,
            balancer=self._traffic.sums(),
            gauges={**own, **tree, **host_gauges(self._settings.root)},
        )

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

    def _main(self) -> tuple[int, float] | None:
        """The main process and its start, seconds since boot: a clock that is set starts nothing."""
        try:
            pid = self._parts.process.pid()
        except NoondayError:
            return None
        since = self._parts.prover.started(pid) if pid else None
        return (pid, since) if pid and since is not None else None
