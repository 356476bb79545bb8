"""Time as an argument, and the one way to wait: with a deadline that ends in a sentence."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from noonday_shared.errors import Deadline


class Clock(Protocol):
    """`now`: seconds since the epoch. `monotonic`: seconds on a clock that never goes back. `sleep`: seconds."""

    def now(self) -> float: ...
    def monotonic(self) -> float: ...
    def sleep(self, seconds: float) -> None: ...


class SystemClock:
    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def wait_until(
    done: Callable[[], bool], *, what: str, within: float, clock: Clock, next_action: str = "", every: float = 0.05
) -> None:
    """Block until `done()`; `within` and `every` are seconds. Raises `Deadline` naming `what` and how long."""
    deadline = clock.monotonic() + within
    while not done():
        left = deadline - clock.monotonic()
        if left <= 0:
            raise Deadline(f"{what}: not seen after {within:g} s.", next_action=next_action)
        clock.sleep(min(every, left))
