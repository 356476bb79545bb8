"""A clock that stands still until it is moved."""

from __future__ import annotations


class FakeClock:
    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self._now = now

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        self._now += seconds

    def move(self, seconds: float) -> None:
        """Also back, as when a host's clock is set."""
        self._now += seconds
