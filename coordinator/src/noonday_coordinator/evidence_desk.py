"""What hosts say they saw, to what the verdict makes of it: windows are cut and kept, sessions follow them.

What is on disk and what is judged never differ: a window is judged once it is kept. While the disk refuses, hosts go on
counting, and one longer window tells it all later.
"""

from __future__ import annotations

import logging

from noonday_coordinator.core.events import Stage
from noonday_coordinator.core.state import App, Rollout, State
from noonday_coordinator.core.view import Judgement
from noonday_coordinator.hearing import Hearing
from noonday_coordinator.store.catalogue import CatalogueStore
from noonday_coordinator.store.windows import Arrival, Cut, WindowStore
from noonday_coordinator.verdict.protocol import Judge, Trial
from noonday_coordinator.verdict.sampler import SOONEST, Sampler
from noonday_coordinator.verdict.window import WINDOW, Window
from noonday_shared.errors import NoondayError
from noonday_shared.messages import Evidence

BEFORE = 2 * 3600.0
"""Seconds of windows before a rollout that it is judged with."""
QUIET_WINDOW = 30.0
"""Seconds of a window while no rollout is under way, ..."""
LONG_WINDOW = 60.0
"""... and of one that goes on for six hours or more, as when it waits at a gate."""
AGAIN = 1.0
"""Seconds after which a judgement is made anew although no window came: hard limits go by the clock."""
JUDGED = (Stage.ROLLING, Stage.EXAMINING, Stage.GATE)
NAMED_FOR = 600.0
"""Seconds for which a refused message is shown beside its host."""
MOST_FRESH = 1000
"""Messages that wait for the disk; only a restart would miss what is more."""

_log = logging.getLogger(__name__)


class EvidenceDesk:
    """Used by the engine's thread. Nothing that a host says, and nothing that the disk does, makes a call raise."""

    def __init__(self, windows: WindowStore, catalogue: CatalogueStore, judge: Judge, since: float) -> None:
        self._windows = windows
        self._catalogue = catalogue
        self._judge = judge
        self._sampler = Sampler(since)
        self._hearings: dict[str, Hearing] = {}
        self._made: dict[str, tuple[float, object, Judgement]] = {}
        self._waiting: dict[str, tuple[Cut, tuple[Window, ...], str]] = {}
        """By app: what was cut and is not on disk yet, and the rollout that it belongs to."""
        self._fresh: list[Arrival] = []
        """Messages that are neither in a window nor on disk."""
        self._refused: dict[tuple[str, str], tuple[float, str]] = {}
        """By host and app."""
        self.trouble = ""
        """What the disk refuses now, in words."""
        self._resume()

    def add(self, evidence: Evidence, now: float) -> bool:
        """Whether it says something newer than what was here."""
        if self._sampler.add(evidence, now):
            self._refused.pop((evidence.host, evidence.app), None)
            if len(self._fresh) < MOST_FRESH:
                self._fresh.append((now, evidence))
            return True
        why = self._sampler.refused(evidence.app, evidence.host)
        if why:
            self._name(evidence.host, evidence.app, why, now)
        return False

    def refuse(self, host: str, app: str, why: str, now: float) -> None:
        """A message of an enrolled host is of no use. `app`: the one it tells of; empty when that is not known."""
        if app:
            self._sampler.refuse(app, host, why, now)
        self._name(host, app, why, now)

    def refusals(self, now: float) -> dict[str, tuple[str, ...]]:
        """By host: why what it says of its apps is not taken in, as it was lately."""
        found: dict[str, tuple[str, ...]] = {}
        for (host, _), (at, why) in sorted(self._refused.items()):
            if abs(now - at) < NAMED_FOR and why not in found.get(host, ()):
                found[host] = (*found.get(host, ()), why)
        return found

    def turn(self, state: State, now: float) -> dict[str, Judgement]:
        """Cut what is due, and judge each rollout that is under way."""
        self.trouble = ""
        self._forget(state)
        active = {app.name: rollout for app in state.apps.values() if (rollout := _judged(state, app))}
        for gone in set(self._hearings) - {rollout.id for rollout in active.values()}:
            del self._hearings[gone]
            self._made.pop(gone, None)
        for rollout in active.values():
            # Before anything is cut: what a window belongs to must be known.
            self._bear(lambda rollout=rollout: self._hear(state, rollout))  # type: ignore[misc]
        for app in self._sampler.apps():
            self._bear(lambda app=app: self._cut(app, active.get(app), now))  # type: ignore[misc]
        self._bear(self._remember)
        found = {}
        for rollout in active.values():
            judgement = self._judgement(state, rollout, now) if rollout.stage in JUDGED else None
            if judgement is not None:
                found[rollout.id] = judgement
        return found
