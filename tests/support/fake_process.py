"""A process manager in memory, on any clock: for the contract and for the simulation."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from noonday_shared.clock import Clock
from noonday_shared.errors import Deadline, Permanent, Temporary

_PIDS = count(1000)


class FakeProcess:
    """`ProcessManager`. What it shall do is set from outside, at any time; what it did is in `restarts` and `pids`."""

    def __init__(self, clock: Clock, *, program: str = "web", known: tuple[str, ...] = ("web",)) -> None:
        self._clock = clock
        self._program = program
        self._known = known
        self._pid: int | None = None
        self.reachable = True
        self.stop_takes = 0.0
        self.start_takes = 0.0
        self.keeps_old = False
        """A restart that answers well and leaves the old process up."""
        self.starts = True
        """Whether a start succeeds."""
        self.on_start: Callable[[int], None] = lambda _pid: None
        """Called with the pid of each new process: the place to note which release it took its code from."""
        self.restarts = 0
        self.pids: list[int] = []

    @property
    def name(self) -> str:
        return f"fake {self._program}"

    @property
    def up(self) -> bool:
        """Whether it runs, which the world knows also when the manager can't be asked."""
        return self._pid is not None

    def restart(self, within: float) -> None:
        self._ask()
        self.restarts += 1
        if self.keeps_old and self._pid is not None:
            return
        stop_takes = self.stop_takes if self._pid is not None else 0.0
        self._spend(stop_takes, within, "has not stopped")
        self._pid = None
        self._spend(self.start_takes, within - stop_takes, "is not started")
        if not self.starts:
            raise Temporary(f"{self.name} ended as soon as it was started.", rule="start-failed", next_action="mend it")
        self._pid = next(_PIDS)
        self.pids.append(self._pid)
        self.on_start(self._pid)

    def let_end(self, within: float) -> float:
        return 0.0

    def pid(self) -> int | None:
        self._ask()
        return self._pid

    def state(self) -> str:
        self._ask()
        return "STOPPED" if self._pid is None else "RUNNING"

    def check(self) -> None:
        self._ask()

    def die(self) -> None:
        """The app ends by itself."""
        self._pid = None

    def _spend(self, seconds: float, within: float, what: str) -> None:
        self._clock.sleep(min(seconds, within))
        if seconds > within:
            raise Deadline(f"{self.name} {what} in time.", next_action="look at the app")

    def _ask(self) -> None:
        if not self.reachable:
            raise Temporary(f"{self.name} can't be asked.", rule="fake-unavailable", next_action="make it reachable")
        if self._program not in self._known:
            raise Permanent(f"No program {self._program!r}.", rule="unknown-program", next_action="name another")
