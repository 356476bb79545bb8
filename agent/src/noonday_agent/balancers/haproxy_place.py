"""A server's place in HAProxy, read from `show servers state` and `show stat`."""

from __future__ import annotations

import csv
from dataclasses import dataclass

_FORCED_MAINT, _FORCED_DRAIN = 0x01, 0x08
# Forced, inherited from a tracked server, or by a name that does not resolve. 0x04 ("disabled" in haproxy.cfg) is not
# among them: HAProxy keeps it as a memory after the server was made ready.
_ANY_MAINT = 0x23
_ANY_DRAIN = 0x18
_STARTING, _RUNNING = 1, 2


@dataclass(frozen=True, slots=True)
class Place:
    """`status`: HAProxy's words. `under_way`: requests it has there or holds in that server's queue.

    Idle connections that HAProxy keeps open to the server are not under way. `sticky`: it has a cookie of its own.
    """

    status: str
    admin: int
    operation: int
    weight: int
    under_way: int
    sticky: bool

    @property
    def gets_requests(self) -> bool:
        # 'UP 1/3' counts: HAProxy goes on sending until the last of the failed checks, and so must we go on counting
        # this server among those that serve.
        running = self.operation in (_STARTING, _RUNNING)
        return running and self.weight > 0 and not self.admin & (_ANY_MAINT | _ANY_DRAIN)

    @property
    def in_maintenance(self) -> bool:
        return bool(self.admin & _ANY_MAINT)

    @property
    def is_out(self) -> bool:
        # A drained server still gets the clients that carry its cookie.
        return self.in_maintenance or (bool(self.admin & _ANY_DRAIN) and not self.sticky)

    @property
    def forced_out(self) -> bool:
        """Out by an order given for this very server, not by what it inherits from one that it tracks."""
        return bool(self.admin & _FORCED_MAINT) or (bool(self.admin & _FORCED_DRAIN) and not self.sticky)

    @property
    def words(self) -> str:
        drained = bool(self.admin & _ANY_DRAIN) and not self.in_maintenance
        # HAProxy shows a drained server whose checks fail as 'DOWN' alone.
        lead = f"DRAIN, {self.status}" if drained and not self.status.startswith("DRAIN") else self.status
        if drained or self.in_maintenance:
            return lead + (f" {self.under_way} session{'s' * (self.under_way != 1)}" if self.under_way else "")
        return lead if self.weight > 0 else f"{lead} weight 0"


def parse_places(answer: str) -> dict[str, Place]:
    """Server name → place, from the answer to 'show servers state B;show stat B 4 -1'. Raises `ValueError`."""
    states, _, stats = answer.partition("\n\n")
    lines = [line.split() for line in states.splitlines()]
    try:
        columns = {row["svname"]: row for row in _rows(list(csv.reader(stats.splitlines())))}
        return {row["srv_name"]: _place(row, columns[row["srv_name"]]) for row in _rows(lines)}
    except KeyError as error:
        raise ValueError(f"no {error.args[0]} in it") from error


def _place(state: dict[str, str], stat: dict[str, str]) -> Place:
    return Place(
        status=stat["status"],
        admin=int(state["srv_admin_state"]),
        operation=int(state["srv_op_state"]),
        weight=int(state["srv_uweight"]),
        under_way=int(stat["scur"] or 0) + int(stat["qcur"] or 0),
        sticky=bool(stat.get("cookie")),
    )


def _rows(lines: list[list[str]]) -> list[dict[str, str]]:
    """The lines after the header, each by its column's name; the header is the line that begins with '#'."""
    for number, line in enumerate(lines):
        header = " ".join(line)
        if header.startswith("# "):
            names = header[2:].split()
            return [dict(zip(names, row, strict=False)) for row in lines[number + 1 :] if row]
    raise ValueError("no table in it")
