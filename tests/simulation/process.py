"""A process manager that can't be asked, hangs, or says that it restarted what runs on."""

from __future__ import annotations

from collections.abc import Callable

from simulation.clocks import LocalClock

from noonday_agent.processes.patience import Patience
from support.fake_process import FakeProcess

LOOK = 0.5
"""Seconds between two looks of a wait for the app to stop or start."""


class SimulatedProcess(FakeProcess):
    """`hangs`: seconds that each question takes while it is not reachable. `slow`: seconds by which it is slower."""

    def __init__(self, clock: LocalClock, patience: Patience) -> None:
        super().__init__(clock)
        self._patience = patience
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
        """As long as the step is still asked for, like the real ones."""
        if seconds <= 0:
            return
        over = self._clock.monotonic() + seconds
        self._patience.wait(
            lambda: self._clock.monotonic() >= over,
            what="a restart",
            late=f"{self.name} {what}",
            within=within,
            clock=self._clock,
            next_action="look at the app",
            every=LOOK,
        )

    def _ask(self) -> None:
        if not self.reachable and self.hangs:
            self._clock.sleep(self.hangs)
        super()._ask()
