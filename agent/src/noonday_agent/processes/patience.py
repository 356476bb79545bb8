"""How long a wait inside a step goes on: as long as the step is still asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from noonday_shared.clock import Clock, wait_until
from noonday_shared.errors import Permanent


class Patience:
    """Of one app. `lasting_until` and `wait` belong to the thread that executes steps."""

    def __init__(self) -> None:
        self._over: Callable[[], bool] = _never

    @contextmanager
    def lasting_until(self, over: Callable[[], bool]) -> Iterator[None]:
        """Inside the block a wait is given up as soon as `over` says so."""
        self._over = over
        try:
            yield
        finally:
            self._over = _never

    def wait(
        self,
        done: Callable[[], bool],
        *,
        what: str,
        late: str,
        within: float,
        clock: Clock,
        next_action: str,
        every: float,
    ) -> None:
        """Block until `done()`, at most `within` seconds: then raises `Deadline`, naming `late`. Raises `Permanent`
        when it is given up: what was ordered goes on, and whoever orders next meets it."""

        def seen() -> bool:
            over = self._over()  # may take its time, in which what is waited for may come
            if done():
                return True
            if over:
                text = f"The wait for {what} was given up: something else is asked of this host now."
                raise Permanent(text, rule="superseded")
            return False

        wait_until(seen, what=late, within=within, clock=clock, next_action=next_action, every=every)


def _never() -> bool:
    return False
