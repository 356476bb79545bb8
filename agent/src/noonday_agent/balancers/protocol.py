"""One server's place in one load balancer."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


class Balancer(Protocol):
    """Five verbs, each safe to repeat, no memory in the object: what they need to know they ask the world.

    All raise `Temporary` when the balancer can't be asked now (socket gone, timeout) and `Permanent` when asking again
    can't help (no such backend or server). Each call takes at most its driver's `timeout` (seconds).
    """

    @property
    def name(self) -> str:
        """Short and unique among one app's balancers, as in 'haproxy web/web-1'."""
        ...

    def in_service(self) -> bool:
        """Whether the balancer sends new requests to this server now: let in by us and, where it checks, checked UP."""
        ...

    def take_out(self) -> None:
        """Ask for no new requests; those under way go on."""

    def is_out(self) -> bool:
        """Whether it sends no new requests whatever its own checks find: the order to stop stands. One that forgot the
        order while the app is not well is not in service, and not out either."""
        ...

    def idle(self) -> bool:
        """Whether it is out and nothing of what it sent is under way any more."""
        ...

    def put_back(self) -> None:
        """Ask for requests again. `in_service` tells when they come."""

    def state(self) -> str:
        """The balancer's own words for this server, as in 'UP', 'DRAIN 3 sessions', 'MAINT'."""
        ...

    def check(self) -> None:
        """Ask for everything that the verbs will need and change nothing. Raises as above, naming what to mend."""


@runtime_checkable
class Counting(Protocol):
    """A balancer that also counts what it sends to this server."""

    def traffic(self) -> dict[str, int]:
        """What it counted since its own start, by the words of `balancers.traffic`; fewer when it does not know them
        all. A reload may begin them at zero. Raises and blocks as the verbs of `Balancer` do."""
        ...
