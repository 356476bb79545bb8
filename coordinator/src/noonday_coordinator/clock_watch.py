"""Whether the time of day was set, told by a clock that nobody sets."""

from __future__ import annotations

from noonday_coordinator.core.clock_set import NOTICED
from noonday_shared.clock import Clock


class ClockWatch:
    """Used by one thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._between = self._now()

    def set_by(self) -> float:
        """Seconds since the last `accept`; 0 when it was not set."""
        by = self._now() - self._between
        return by if abs(by) >= NOTICED else 0.0

    def accept(self, by: float) -> None:
        self._between += by

    def _now(self) -> float:
        return self._clock.now() - self._clock.monotonic()
