"""One long piece of work: until when it may go on, and whether anybody still wants it."""

from __future__ import annotations

from collections.abc import Callable

from noonday_shared.clock import Clock
from noonday_shared.errors import Deadline, Temporary

_SLICE = 0.2


class Effort:
    """`within`: seconds for the whole of it, from now. `cancelled` is asked often, from the thread that works
    and from the one that watches its connection."""

    def __init__(self, what: str, *, within: float, clock: Clock, cancelled: Callable[[], bool]) -> None:
        self.what = what
        self.last_error = ""
        """The newest trouble that was tried again; a deadline's sentence ends with it."""
        self._within = within
        self._clock = clock
        self._cancelled = cancelled
        self._end = clock.monotonic() + within

    def left(self) -> float:
        """Seconds; never less than zero."""
        return max(0.0, self._end - self._clock.monotonic())

    def rest(self) -> float:
        """As `left`, and zero as soon as nobody wants it any more."""
        return 0.0 if self._cancelled() else self.left()

    def go_on(self) -> None:
        """Raises `Deadline` when the time is over, and `Temporary` (rule `cancelled`) when nobody wants it any more."""
        if self._cancelled():
            raise Temporary(f"{self.what}: given up, as something newer is wanted.", rule="cancelled")
        if self.left() <= 0:
            why = f" The last trouble: {self.last_error}" if self.last_error else ""
            raise Deadline(
                f"{self.what}: not done after {self._within:g} s; what was fetched is kept, nothing else changed.{why}",
                next_action="check the way to the release's source, then deploy again: it goes on where it stopped",
            )

    def pause(self, seconds: float) -> None:
        """Wait, at most until the deadline; raises as `go_on` does."""
        end = self._clock.monotonic() + seconds
        while (rest := end - self._clock.monotonic()) > 0:
            self.go_on()
            self._clock.sleep(min(rest, _SLICE, max(self.left(), 0.001)))
        self.go_on()
