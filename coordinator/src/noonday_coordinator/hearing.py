"""One rollout's session, in step with the windows on disk: after a restart of ours it hears them all again."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

from noonday_coordinator.core.state import AppOnHost, Rollout
from noonday_coordinator.core.view import Judgement
from noonday_coordinator.store.windows import WindowStore
from noonday_coordinator.verdict.protocol import Judge, Session, Trial
from noonday_coordinator.verdict.window import Window

AT_ONCE = 100
"""Windows that are heard again in one turn: hosts must not wait for a long rollout's past."""

_log = logging.getLogger(__name__)


class Hearing:
    """Used by one thread. An error of the verdict's own ends the hearing, never the coordinator: a person decides."""

    def __init__(self, windows: WindowStore, judge: Judge, trial: Trial) -> None:
        self._windows = windows
        self._rollout = trial.rollout.id
        self._heard = 0
        """Number of the newest window that was heard again."""
        self.caught_up = False
        self._session: Session | None = None
        try:
            self._session = judge.open(trial)
        except Exception:  # whatever a trial holds, other rollouts go on
            self._fail()

    def catch_up(self) -> None:
        """Hear some of what is on disk. Raises a `NoondayError` when the disk does not give it back."""
        if self.caught_up:
            return
        part = self._windows.part_of(self._rollout, self._heard, AT_ONCE)
        self._hear(window for _, window in part)
        self._heard = part[-1][0] if part else self._heard
        self.caught_up = len(part) < AT_ONCE

    def take(self, windows: Iterable[Window]) -> None:
        """New ones, which are on disk. While old ones are still heard again, these wait there for their turn."""
        if self.caught_up:
            self._hear(windows)

    def judgement(self, rollout: Rollout, hosts: Mapping[str, AppOnHost], now: float) -> Judgement | None:
        """None while not all windows were heard: half of the evidence is no verdict."""
        if not self.caught_up:
            return None
        try:
            return self._session.judgement(rollout, hosts, now) if self._session else _failed(now)
        except Exception:  # as in `__init__`
            self._fail()
            return _failed(now)

    def _hear(self, windows: Iterable[Window]) -> None:
        for window in windows:
            if self._session is None:
                return
            try:
                self._session.advance(window)
            except Exception:  # as in `__init__`
                self._fail()

    def _fail(self) -> None:
        _log.exception("The verdict on rollout %s met an error of its own.", self._rollout)
        self._session = None


def _failed(now: float) -> Judgement:
    words = "the verdict met an error of its own and says nothing more of this rollout; see the coordinator's log"
    return Judgement("hold", words, at=now)
