"""A process manager that can't be asked, hangs, or says that it restarted what runs on."""

from __future__ import annotations

from collections.abc import Callable

from simulation.clocks import LocalClock

from support.fake_process import FakeProcess


class SimulatedProcess(FakeProcess):
    """`hangs`: seconds that each question takes while it is not reachable. `slow`: seconds by which it is slower."""

    def __init__(self, clock: LocalClock) -> None:
        super().__init__(clock)
        self.hangs = 0.0
        self.restarting: Callable[[], None] = lambda: None

    def restart(self, within: float) -> None:
        self._ask()
        self.restarting()
        super().restart(within)

    def boot(self) -> None:
        """The machine starts, and with it the app, whoever can be asked."""
        reachable, self.reachable = self.reachable, True
        starts, keeps, takes = self.starts, self.keeps_old, (self.stop_takes, self.start_takes)
        self.starts, self.keeps_old, self.stop_takes, self.start_takes = True, False, 0.0, 0.0
        super().restart(1.0)
        self.reachable, self.starts, self.keeps_old = reachable, starts, keeps
        self.stop_takes, self.start_takes = takes

    def _spend(self, seconds: float, within: float, what: str) -> None:
        if seconds > 0:
            super()._spend(seconds, within, what)

    def _ask(self) -> None:
        if not self.reachable and self.hangs:
            self._clock.sleep(self.hangs)
        super()._ask()
