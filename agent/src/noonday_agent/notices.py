"""Sentences for a person that go up with each snapshot: the newest few, for as long as they are true."""

from __future__ import annotations

import threading
import time

from noonday_shared.clock import Clock

MOST = 5
LONGEST = 1000


class Notices:
    """Safe to use from any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: list[tuple[str, str, str]] = []

    def add(self, text: str, *, rule: str = "", app: str = "") -> None:
        stamp = time.strftime("%H:%M:%S", time.gmtime(self._clock.now()))
        with self._lock:
            self._kept = [*self._kept, (rule, app, f"{stamp} UTC {text}"[:LONGEST])][-MOST:]

    def over(self, rule: str, app: str) -> None:
        """What was said of this app under that rule is true no longer."""
        with self._lock:
            self._kept = [one for one in self._kept if one[:2] != (rule, app)]

    @property
    def words(self) -> tuple[str, ...]:
        """Newest last."""
        return tuple(text for _, _, text in self._kept)
