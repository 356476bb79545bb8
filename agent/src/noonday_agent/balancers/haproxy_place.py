"""A server's place in HAProxy, read from `show servers state` and `show stat`."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass

Row = Mapping[str, str]
"""One server's line, by column."""

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


def read_states(answer: str) -> dict[str, Row]:
    """Server name → row, from the answer to 'show servers state BACKEND'. Raises `ValueError`."""
    rows = _rows([line.split() for line in answer.splitlines()])
    return {_in(row, "srv_name"): row for row in rows}


def stat_command(state: Row) -> str:
    """What asks for this server's counters. By number: a frontend may have the backend's name, and is found first."""
    return f"show stat {_in(state, 'be_id')} 4 {_in(state, 'srv_id')}"


def read_place(state: Row, answer: str) -> Place | None:
    """The place, from its state and the answer to its `stat_command`; None when that is about another server by now.

    Raises `ValueError`.
    """
    stat = _stat(state, answer)
    if stat is None:
        return None
    return Place(
        status=_in(stat, "status"),
        admin=int(_in(state, "srv_admin_state")),
        operation=int(_in(state, "srv_op_state")),
        weight=int(_in(state, "srv_uweight")),
        under_way=int(_in(stat, "scur") or 0) + int(_in(stat, "qcur") or 0),
        sticky=bool(stat.get("cookie")),
    )


def read_traffic(state: Row, answer: str) -> dict[str, int] | None:
    """What HAProxy counted for this server, from the answer to its `stat_command`; else as `read_place`.

    A TCP backend knows no requests: its sessions stand for them.
    """
    stat = _stat(state, answer)
    if stat is None:
        return None
    traffic = {
        "requests": _sum(stat, "req_tot") or _sum(stat, "stot"),
        "errors": _sum(stat, "econ", "eresp"),
        "retries": _sum(stat, "wretr", "wredis"),
    }
    if stat.get("hrsp_2xx"):
        traffic |= {f"{digit}xx": _sum(stat, f"hrsp_{digit}xx") for digit in "2345"}
    if stat.get("rtime"):
        traffic["average_ms"] = _sum(stat, "rtime")
    return traffic


def _stat(state: Row, answer: str) -> Row | None:
    if answer.startswith("No such proxy"):
        return None
    stats = _rows(list(csv.reader(answer.splitlines())))
    if [(_in(stat, "pxname"), _in(stat, "svname")) for stat in stats] != [
        (_in(state, "be_name"), _in(state, "srv_name"))
    ]:
        return None
    return stats[0]


def _sum(row: Row, *columns: str) -> int:
    return sum(int(row.get(column) or 0) for column in columns)


def _in(row: Row, column: str) -> str:
    if column not in row:
        raise ValueError(f"no column {column} in it")
    return row[column]


def _rows(lines: list[list[str]]) -> list[Row]:
    """The lines after the header, each by its column's name; the header is the line that begins with '#'."""
    for number, line in enumerate(lines):
        header = " ".join(line)
        if header.startswith("# "):
            names = header[2:].split()
            return [dict(zip(names, row, strict=False)) for row in lines[number + 1 :] if row]
    raise ValueError("no table in it")
