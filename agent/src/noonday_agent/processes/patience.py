"""How long a wait inside a step goes on: as long as the step is still asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import get_ident

from noonday_shared.clock import Clock, wait_until
from noonday_shared.errors import NoondayError, Permanent, Temporary


class Patience:
    """Of one app. `lasting_until` and `wait` belong to the thread that executes steps."""

    def __init__(self) -> None:
        self._lasts: tuple[int, Callable[[], bool]] = (0, _never)

    @contextmanager
    def lasting_until(self, over: Callable[[], bool]) -> Iterator[None]:
        """Inside the block a wait is given up as soon as `over` says so. One block may be inside another."""
        before, self._lasts = self._lasts, (get_ident(), over)
        try:
            yield
        finally:
            self._lasts = before

    def over(self) -> bool:
        """Whether what this thread waits for is not asked for any more. Never in a thread that only looks at the app:
        what it asks is asked for whatever the step."""
        thread, over = self._lasts
        return thread == get_ident() and over()

    def given_up(self, what: str) -> NoondayError:
        """The error for `what`, as in 'take_out', that was not begun or not waited for since it is `over`."""
        text = f"{what} was given up: something else is asked of this host now."
        return Temporary(text, rule="superseded", next_action="nothing; what is needed is asked again")

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
            over = self.over()  # may take its time, in which what is waited for may come
            if done():
                return True
            if over:
                text = f"The wait for {what} was given up: something else is asked of this host now."
                raise Permanent(text, rule="superseded")
            return False

        wait_until(seen, what=late, within=within, clock=clock, next_action=next_action, every=every)


def _never() -> bool:
    return False
