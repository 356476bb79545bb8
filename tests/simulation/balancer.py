"""One server's place in a load balancer that fails, hangs, lies and forgets."""

from __future__ import annotations

import math
from collections.abc import Callable

from simulation.clocks import LocalClock

from noonday_shared.errors import Temporary


class SimulatedBalancer:
    """The driver and the world behind it.

    `lags`: it says that it did what it was told, and does it when it does not lag any more. `reachable`: it can be
    asked; else each question takes `hangs` seconds and fails.
    """

    name = "haproxy web"

    def __init__(self, clock: LocalClock) -> None:
        self.let_in = False
        self.healthy = True
        self.reachable = True
        self.hangs = 0.0
        self.lags = False
        self.lagged_until = -math.inf
        """When it last did what it had been told, by the world's clock."""
        self.busy_until = 0.0
        """When the last request that was let in ends, by the world's clock."""
        self.changed: Callable[[str], None] = lambda _kind: None
        self._told = False
        self._clock = clock

    @property
    def gets_requests(self) -> bool:
        return self.let_in and self.healthy

    @property
    def told_out(self) -> bool:
        """Whether the last order was to send nothing."""
        return not self._told

    @property
    def under_way(self) -> bool:
        return self._world() < self.busy_until

    def in_service(self) -> bool:
        self.check()
        return self._told and (self.healthy or self.lags)

    def is_out(self) -> bool:
        self.check()
        return not self._told

    def idle(self) -> bool:
        self.check()
        return not self._told and (self.lags or not self.under_way)

    def take_out(self) -> None:
        self.check()
        self._tell(let_in=False)

    def put_back(self) -> None:
        self.check()
        self._tell(let_in=True)

    def state(self) -> str:
        self.check()
        if not self._told:
            return "DRAIN, busy" if self.under_way else "DRAIN"
        return "UP" if self.healthy else "DOWN"

    def check(self) -> None:
        if not self.reachable:
            self._clock.sleep(self.hangs)
            raise Temporary(f"{self.name} does not answer.", rule="balancer", next_action="look at HAProxy")

    def start_lagging(self) -> None:
        self.lags = True

    def stop_lagging(self) -> None:
        self.lags = False
        self.lagged_until = self._world()
        self._apply()

    def forget(self) -> None:
        """As HAProxy when its configuration is loaded again: whatever was told at run time is gone."""
        self._told = self.let_in = True

    def adopt(self) -> None:
        """It lets the server in, as somebody else set it up."""
        self._told = self.let_in = True

    def _world(self) -> float:
        return self._clock.now() - self._clock.offset

    def _tell(self, *, let_in: bool) -> None:
        self._told = let_in
        if not self.lags:
            self._apply()

    def _apply(self) -> None:
        if self.let_in != self._told:
            self.let_in = self._told
            self.changed("in" if self.let_in else "out")
