"""A clock that moves only when somebody sleeps on it."""

from __future__ import annotations


class VirtualClock:
    """Starts at a fixed instant; `now` and `monotonic` move together unless `jump` moves `now` alone."""

    def __init__(self, start: float = 1_800_000_000.0) -> None:
        self._now = start
        self._monotonic = 0.0

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def sleep(self, seconds: float) -> None:
        self._now += max(seconds, 0.0)
        self._monotonic += max(seconds, 0.0)

    def jump(self, seconds: float) -> None:
        """As somebody who sets the host's clock."""
        self._now += seconds
