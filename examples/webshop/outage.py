"""The database goes away for every server while a release is being examined: what the verdict said meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from noonday_coordinator.api.models import RolloutInfo
from noonday_shared.errors import NoondayError

_LOOK_EVERY = 0.2
_BEGIN_WITHIN = 120.0
_AFTER = 2.0
"""Seconds of examine before it begins."""


class Outage:
    """`with Outage(...)`: in a thread of its own, from the examine on.

    `ask`: what is said of the rollout, if it has begun. `said`: each once, what the rollout was said to wait for, and
    the reasons of the verdict so far, as they were seen from the outage's begin on.
    """

    def __init__(
        self,
        *,
        ask: Callable[[], RolloutInfo | None],
        stop: Callable[[], None],
        start: Callable[[], None],
        seconds: float,
    ) -> None:
        self.said: list[str] = []
        self.began = False
        self._ask = ask
        self._stop = stop
        self._start = start
        self._seconds = seconds
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="outage", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        if not self._examined():
            return
        self.began = True
        self._stop()
        try:
            self._look(self._seconds)
        finally:
            self._start()
        self._look(_BEGIN_WITHIN)

    def _examined(self) -> bool:
        """Wait until the canary is examined for a moment. False when the rollout is over before."""
        deadline = time.monotonic() + _BEGIN_WITHIN
        while time.monotonic() < deadline and not self._over.wait(_LOOK_EVERY):
            rollout = self._rollout()
            if rollout and rollout.stage == "examining":
                return not self._over.wait(_AFTER)
        return False

    def _look(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self._over.wait(_LOOK_EVERY):
            rollout = self._rollout()
            told = (rollout.verdict_reason, rollout.waiting_for) if rollout else ()
            self.said += [words for words in told if words and words not in self.said]

    def _rollout(self) -> RolloutInfo | None:
        try:
            return self._ask()
        except NoondayError:
            return None  # asked again at once; the deploy beside it tells of a coordinator that is gone
