"""One machine's clock: it may be set at any moment, and whoever sleeps on it lets the world go on."""

from __future__ import annotations

from collections.abc import Callable

from support.virtual_clock import VirtualClock


class LocalClock:
    """`offset`: seconds that this machine's time of day is ahead of the world's."""

    def __init__(self, true: VirtualClock) -> None:
        self._true = true
        self.offset = 0.0
        self.wait: Callable[[float], None] = true.sleep

    def now(self) -> float:
        return self._true.now() + self.offset

    def monotonic(self) -> float:
        return self._true.monotonic()

    def sleep(self, seconds: float) -> None:
        self.wait(seconds)
