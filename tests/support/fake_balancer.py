"""Fakes that mean the same as the real drivers; the contract suite runs against them too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from noonday_shared.errors import Temporary


@dataclass
class FakePlace:
    """One server's place in a balancer that does not exist. It outlives the driver's object, as the world does.

    `healthy`: what the balancer's own checks find, `under_way`: requests there now, `reachable`: it can be asked.
    """

    let_in: bool = True
    healthy: bool = True
    maintenance: bool = False
    under_way: int = 0
    reachable: bool = True

    @property
    def gets_requests(self) -> bool:
        return self.let_in and self.healthy and not self.maintenance

    def forget(self) -> None:
        """As a balancer that is reloaded: whatever was ordered at run time is gone."""
        self.let_in, self.maintenance = True, False


@dataclass(frozen=True, slots=True)
class FakeBalancer:
    place: FakePlace
    name: str = "fake web/web-1"

    def in_service(self) -> bool:
        return self._asked().gets_requests

    def take_out(self) -> None:
        self._asked().let_in = False

    def is_out(self) -> bool:
        place = self._asked()
        return place.maintenance or not place.let_in

    def idle(self) -> bool:
        return self.is_out() and self.place.under_way == 0

    def put_back(self) -> None:
        place = self._asked()
        place.let_in, place.maintenance = True, False

    def state(self) -> str:
        place = self._asked()
        if place.maintenance:
            return "MAINT"
        if not place.let_in:
            return f"DRAIN {place.under_way} sessions" if place.under_way else "DRAIN"
        return "UP" if place.healthy else "DOWN"

    def check(self) -> None:
        self._asked()

    def _asked(self) -> FakePlace:
        if not self.place.reachable:
            raise Temporary(f"{self.name}: it does not answer.", next_action="wait, or mend the test's world")
        return self.place


class BrokenBalancer:
    """Never answers. `calls` counts what was asked of it."""

    def __init__(self, name: str = "broken web/web-1") -> None:
        self.name = name
        self.calls = 0

    def in_service(self) -> bool:
        self._fail()

    def take_out(self) -> None:
        self._fail()

    def is_out(self) -> bool:
        self._fail()

    def idle(self) -> bool:
        self._fail()

    def put_back(self) -> None:
        self._fail()

    def state(self) -> str:
        self._fail()

    def check(self) -> None:
        self._fail()

    def _fail(self) -> NoReturn:
        self.calls += 1
        raise Temporary(f"{self.name}: it does not answer.", next_action="wait, or mend the test's world")
