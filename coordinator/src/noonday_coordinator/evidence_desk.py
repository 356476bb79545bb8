"""What hosts say they saw, to what the verdict makes of it: windows are cut and kept, sessions follow them.

What is on disk and what is judged never differ: a window is judged once it is kept. While the disk refuses, hosts go on
counting, and one longer window tells it all later.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from noonday_coordinator.core.events import Stage
from noonday_coordinator.core.state import App, Rollout, State
from noonday_coordinator.core.view import Judgement
from noonday_coordinator.hearing import Hearing
from noonday_coordinator.store.catalogue import CatalogueStore
from noonday_coordinator.store.windows import Arrival, Cut, WindowStore
from noonday_coordinator.verdict.coarser import coarser
from noonday_coordinator.verdict.protocol import Judge, Trial
from noonday_coordinator.verdict.sampler import SOONEST, Sampler
from noonday_coordinator.verdict.window import WINDOW, Window
from noonday_shared.errors import NoondayError, Permanent
from noonday_shared.messages import Evidence

BEFORE = 2 * 3600.0
"""Seconds of windows before a rollout that it is judged with, ..."""
FINE = 600.0
"""... of which so many as they were cut, and the older ones ..."""
COARSE = 120.0
"""... as windows of this length: every kind of record is looked up in each."""
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
        self._told = ""
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
            with self._bearing():
                self._hear(state, rollout)
        for app in self._sampler.apps():
            with self._bearing():
                self._cut(state.app(app), active.get(app), now)
        with self._bearing():
            self._remember()
        judgements = {
            rollout.id: self._judgement(state, rollout, now) for rollout in active.values() if rollout.stage in JUDGED
        }
        return {rollout: judgement for rollout, judgement in judgements.items() if judgement is not None}

    def _cut(self, of: App, rollout: Rollout | None, now: float) -> None:
        app = of.name
        if rollout is not None and rollout.id not in self._hearings:
            return
        if app not in self._waiting:
            longest = _length(rollout, now) if rollout else QUIET_WINDOW
            if not self._sampler.due(app, now, longest, longest - WINDOW + SOONEST if rollout else SOONEST):
                return
            windows = self._sampler.cut(app, now)
            name = rollout.id if rollout else ""
            cut = Cut.of(app, windows, self._sampler.bases(app), rollout=name, at=now)
            self._waiting[app] = (cut, windows, name)
            self._fresh = [one for one in self._fresh if one[1].app != app]
        self._keep(of)

    def _keep(self, app: App) -> None:
        cut, windows, rollout = self._waiting[app.name]
        self._windows.write(cut)
        del self._waiting[app.name]
        if rollout in self._hearings:
            self._hearings[rollout].take(windows)
            self._made.pop(rollout, None)
        for window in windows:
            self._catalogue.note(app.name, window, app.caveats)

    def _remember(self) -> None:
        """Messages that no window holds yet go to disk, but for those of apps whose window waits to be there first."""
        ready = [one for one in self._fresh if one[1].app not in self._waiting]
        if ready:
            self._windows.remember(ready)
            self._fresh = [one for one in self._fresh if one[1].app in self._waiting]

    def _hear(self, state: State, rollout: Rollout) -> None:
        if rollout.id not in self._hearings:
            self._hearings[rollout.id] = Hearing(self._windows, self._judge, self._trial(state, rollout))
        self._hearings[rollout.id].catch_up()

    def _trial(self, state: State, rollout: Rollout) -> Trial:
        """As it was when the rollout began, also after a restart of ours."""
        try:
            trial = self._windows.trial(rollout.id)
        except Permanent as error:
            _log.error("%s The rollout is judged by what is known now.", error)
            trial = None
        if trial is None:
            before = self._before(rollout)
            app = state.app(rollout.app)
            frozen = self._catalogue.frozen(app.name, untrusted(app, rollout))
            trial = Trial(rollout, frozen, app.caveats, before)
            self._windows.keep(trial)
        return trial

    def _before(self, rollout: Rollout) -> tuple[Window, ...]:
        start = rollout.started_at
        older = self._windows.between(rollout.app, start - BEFORE, start - FINE)
        return (*coarser(older, COARSE), *self._windows.between(rollout.app, start - FINE, start))

    def _judgement(self, state: State, rollout: Rollout, now: float) -> Judgement | None:
        hearing = self._hearings.get(rollout.id)
        hosts = {host.name: host.app(rollout.app) for host in state.hosts_with(rollout.policy.hosts)}
        made = self._made.get(rollout.id)
        if made is not None and made[1] == (rollout, hosts) and 0 <= now - made[0] < AGAIN:
            return made[2]
        judgement = hearing.judgement(rollout, hosts, now) if hearing else None
        if judgement is not None:
            self._made[rollout.id] = (now, (rollout, hosts), judgement)
        return judgement

    def _name(self, host: str, app: str, why: str, now: float) -> None:
        if self._refused.get((host, app), (0.0, ""))[1] != why:
            _log.warning("%s: %s", host, why)
        self._refused[host, app] = (now, why)

    def _forget(self, state: State) -> None:
        gone = self._sampler.hosts() - set(state.hosts)
        if gone:
            self._sampler.forget(gone)
            self._refused = {place: one for place, one in self._refused.items() if place[0] not in gone}

    def _resume(self) -> None:
        """Where the last coordinator stood. What can't be read is counted anew: never twice, at worst not at all."""
        with self._bearing():
            for app in self._windows.apps():
                bases, at = self._windows.bases(app)
                self._sampler.resume(app, bases, at)
            for at, evidence in self._windows.arrived():
                self._sampler.add(evidence, at)

    @contextmanager
    def _bearing(self) -> Iterator[None]:
        """What can't be read or written now is tried again at the next turn."""
        try:
            yield
        except NoondayError as error:
            if self._told != str(error):
                _log.error("%s", error)
            self.trouble = self._told = str(error)


def untrusted(app: App, rollout: Rollout) -> frozenset[str]:
    """Releases whose records are not an excuse: this one, and those that never completed a rollout."""
    return unproven(app) | {rollout.release.id}


def unproven(app: App) -> frozenset[str]:
    known = (one for one in app.releases.values() if not one.good)
    return frozenset(one.ref.id for one in known if one.blocked or one.ref != app.current)


def _length(rollout: Rollout, now: float) -> float:
    """Seconds of a window: what goes on for long is told less finely, or a forgotten gate would fill the disk."""
    return min(max((now - rollout.started_at) / 360, WINDOW), LONG_WINDOW)


def _judged(state: State, app: App) -> Rollout | None:
    rollout = state.rollouts.get(app.active)
    return rollout if rollout is not None and rollout.kind == "deploy" and rollout.end is None else None
