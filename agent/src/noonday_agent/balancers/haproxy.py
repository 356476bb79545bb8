"""HAProxy, through its runtime API. What the agent did is remembered by HAProxy alone."""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import TypeVar

from noonday_agent.balancers.haproxy_place import Place, Row, read_place, read_states, read_traffic, stat_command
from noonday_agent.balancers.runtime import Runtime
from noonday_agent.config import HaproxyBalancer as HaproxySettings
from noonday_agent.processes.patience import Patience
from noonday_shared.errors import NoondayError, Permanent, Temporary

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class HaproxyBalancer:
    """Out means `drain`; for a server with a cookie `maint`, since drained ones still get those who carry it.

    A server that an operator has in maintenance stays there when taken out; `put_back` makes it ready, whoever took
    it out: whether it should be asked is the caller's to know. After a reload HAProxy has forgotten orders, and then
    `is_out` says so. Weight 0 stays as it is, and counts as out of service. Nothing is begun once `patience` is over.
    """

    settings: HaproxySettings
    name: str
    patience: Patience = field(default_factory=Patience)

    def in_service(self) -> bool:
        return self._place(self._deadline()).gets_requests

    def take_out(self) -> None:
        deadline = self._deadline()
        place = self._place(deadline)
        if not place.forced_out:
            self._order("maint" if place.sticky else "drain", deadline)

    def is_out(self) -> bool:
        return self._place(self._deadline()).is_out

    def idle(self) -> bool:
        place = self._place(self._deadline())
        return place.is_out and not place.under_way

    def put_back(self) -> None:
        self._order("ready", self._deadline())

    def state(self) -> str:
        return self._place(self._deadline()).words

    def check(self) -> None:
        deadline = self._deadline()
        level = self._runtime.ask("show cli level", deadline=deadline).strip()
        if level != "admin":
            raise self._not_admin(level)
        self._place(deadline)

    def traffic(self) -> dict[str, int]:
        return self._read(read_traffic, self._deadline())

    @property
    def _runtime(self) -> Runtime:
        return Runtime(self.settings.address, self.name)

    def _deadline(self) -> float:
        if self.patience.over():
            raise self.patience.given_up(f"{self.name}: a question to HAProxy")
        return time.monotonic() + self.settings.timeout

    def _place(self, deadline: float) -> Place:
        return self._read(read_place, deadline)

    def _read(self, read: Callable[[Row, str], T | None], deadline: float) -> T:
        state = self._state(deadline)
        answer = self._runtime.ask(stat_command(state), deadline=deadline)
        try:
            found = read(state, answer)
        except ValueError as error:
            raise self._not_understood(answer) from error
        if found is None:
            raise Temporary(
                f"{self.name}: HAProxy was reloaded while it was asked.",
                rule="balancer-reloaded",
                next_action="nothing, it is asked again",
            )
        return found

    def _state(self, deadline: float) -> Row:
        backend, server = self.settings.backend, self.settings.server
        answer = self._runtime.ask(f"show servers state {backend}", deadline=deadline)
        if answer.startswith("Can't find backend"):
            raise self._unknown_backend(deadline)
        try:
            states = read_states(answer)
        except ValueError as error:
            raise self._not_understood(answer) from error
        if server not in states:
            raise self._unknown("server", f"{backend}/{server}", [f"{backend}/{name}" for name in states])
        return states[server]

    def _order(self, state: str, deadline: float) -> None:
        target = f"{self.settings.backend}/{self.settings.server}"
        answer = self._runtime.ask(f"set server {target} state {state}", deadline=deadline).strip()
        if answer.startswith("Permission denied"):
            raise self._not_admin("operator or user")
        if answer.startswith("No such"):
            # Names the nearest known one.
            self._state(deadline)
        if answer:
            raise Permanent(
                f"{self.name}: HAProxy does not make {target} {state}: {answer[:200]}",
                rule="balancer-refused",
                next_action="look at this server in haproxy.cfg",
            )

    def _not_admin(self, level: str) -> NoondayError:
        return Permanent(
            f"{self.name}: {self.settings.address} lets nobody change servers: its level is {level[:40]}, not admin.",
            rule="balancer-permission",
            next_action="put 'level admin' on that 'stats socket' in haproxy.cfg",
        )

    def _unknown_backend(self, deadline: float) -> NoondayError:
        lines = self._runtime.ask("show backend", deadline=deadline).splitlines()
        return self._unknown("backend", self.settings.backend, [line for line in lines if line and line[0] != "#"])

    def _unknown(self, what: str, wanted: str, known: Collection[str]) -> NoondayError:
        near = difflib.get_close_matches(wanted, known, n=1)
        some = ", ".join(sorted(known)[:10]) or "none"
        return Permanent(
            f"{self.name}: HAProxy has no {what} {wanted}"
            + (f"; did you mean {near[0]}?" if near else f"; it has {some}."),
            rule=f"balancer-unknown-{what}",
            next_action="name it as in haproxy.cfg in the app's balancers in agent.toml",
        )

    def _not_understood(self, answer: str) -> NoondayError:
        return Permanent(
            f"{self.name}: {self.settings.address} answers what HAProxy would not: {answer[:80]!r}.",
            rule="balancer-address",
            next_action="check the balancer's address in agent.toml",
        )
