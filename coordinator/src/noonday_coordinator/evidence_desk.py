"""What hosts say they saw, to what the verdict makes of it: windows are cut and kept, sessions follow them."""

from __future__ import annotations

import logging

from noonday_coordinator.core.events import Stage
from noonday_coordinator.core.state import App, Rollout, State
from noonday_coordinator.core.view import Judgement
from noonday_coordinator.store.catalogue import CatalogueStore
from noonday_coordinator.store.windows import WindowStore
from noonday_coordinator.verdict.protocol import Judge, Session, Trial
from noonday_coordinator.verdict.sampler import Sampler
from noonday_coordinator.verdict.window import WINDOW
from noonday_shared.errors import NoondayError
from noonday_shared.messages import Evidence

BEFORE = 2 * 3600.0
"""Seconds of windows before a rollout that it is judged with."""
QUIET_WINDOW = 30.0
"""Seconds of a window while no rollout is under way."""
AGAIN = 1.0
"""Seconds after which a judgement is made anew although no window came: hard limits go by the clock."""
JUDGED = (Stage.ROLLING, Stage.EXAMINING, Stage.GATE)

_log = logging.getLogger(__name__)


class EvidenceDesk:
    """Used by the engine's thread."""

    def __init__(self, windows: WindowStore, catalogue: CatalogueStore, judge: Judge, since: float) -> None:
        self._windows = windows
        self._catalogue = catalogue
        self._judge = judge
        self._sampler = Sampler(since)
        self._sessions: dict[str, Session] = {}
        self._made: dict[str, tuple[float, object, Judgement]] = {}
        for app in windows.apps():
            bases, at = windows.bases(app)
            self._sampler.resume(app, bases, at)

    def add(self, evidence: Evidence, now: float) -> bool:
        """Whether it says something newer than what was here."""
        return self._sampler.add(evidence, now)

    def turn(self, state: State, now: float) -> dict[str, Judgement]:
        """Cut what is due, and judge each rollout that is under way. Raises `Temporary` when the disk refuses."""
        found = {}
        active = {app.name: rollout for app in state.apps.values() if (rollout := _judged(state, app))}
        for rollout in active.values():
            # Before anything is cut: what a window belongs to must be known.
            self._session(state, rollout)
        for app in self._sampler.apps():
            self._cut(app, active.get(app), now)
        for rollout in active.values():
            if rollout.stage in JUDGED:
                found[rollout.id] = self._judgement(state, rollout, now)
        for gone in set(self._sessions) - {rollout.id for rollout in active.values()}:
            del self._sessions[gone]
            self._made.pop(gone, None)
        return found

    def _cut(self, app: str, rollout: Rollout | None, now: float) -> None:
        if not self._sampler.due(app, now, WINDOW if rollout else QUIET_WINDOW):
            return
        windows = self._sampler.cut(app, now)
        name = rollout.id if rollout else ""
        self._windows.append(app, windows, self._sampler.bases(app), rollout=name, at=now)
        for window in windows:
            if rollout is not None:
                self._sessions[rollout.id].advance(window)
                self._made.pop(rollout.id, None)
            self._catalogue.note(app, window)

    def _session(self, state: State, rollout: Rollout) -> Session:
        session = self._sessions.get(rollout.id)
        if session is None:
            session = self._sessions[rollout.id] = self._open(state, rollout)
        return session

    def _open(self, state: State, rollout: Rollout) -> Session:
        """A new one, or after a restart of ours the same one again: from its trial, over all its windows."""
        try:
            trial = self._windows.trial(rollout.id)
        except NoondayError as error:
            _log.error("%s The rollout is judged by what comes from now on.", error)
            trial = None
        if trial is None:
            before = self._windows.between(rollout.app, rollout.started_at - BEFORE, rollout.started_at)
            frozen = self._catalogue.frozen(rollout.app, untrusted(state.app(rollout.app), rollout))
            trial = Trial(rollout, frozen, self._catalogue.marks(rollout.app), before)
            self._windows.keep(trial)
        session = self._judge.open(trial)
        for window in self._windows.of_rollout(rollout.id):
            session.advance(window)
        return session

    def _judgement(self, state: State, rollout: Rollout, now: float) -> Judgement:
        hosts = {host.name: host.app(rollout.app) for host in state.hosts_with(rollout.policy.hosts)}
        made = self._made.get(rollout.id)
        if made is not None and made[1] == (rollout, hosts) and now < made[0] + AGAIN:
            return made[2]
        judgement = self._sessions[rollout.id].judgement(rollout, hosts, now)
        self._made[rollout.id] = (now, (rollout, hosts), judgement)
        return judgement


def untrusted(app: App, rollout: Rollout) -> frozenset[str]:
    """Releases whose records are not an excuse: this one, and those that never completed a rollout."""
    never_good = {one.ref.id for one in app.releases.values() if not one.good and one.ref != app.current}
    return frozenset(never_good | {rollout.release.id})


def _judged(state: State, app: App) -> Rollout | None:
    rollout = state.rollouts.get(app.active)
    return rollout if rollout is not None and rollout.kind == "deploy" and rollout.end is None else None
