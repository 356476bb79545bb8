"""What several chaos tests look at, and how they stop an agent at the instant that matters."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from noonday_coordinator.api import models as m
from support.eventually import eventually
from support.fleet import Fleet
from support.fleet_commands import WITHIN
from support.fleet_host import FleetHost

ALL = {"web-1", "web-2", "web-3"}

LONG = bool(os.environ.get("NOONDAY_CHAOS"))
"""Whether there is time for all: `make chaos` has it, `make test` has not."""


def in_a_row_and_alone(points: Sequence[str]) -> list[Any]:
    """Deaths at all of them in one test, one after the other; and, where there is time, a test of each alone, in which
    no later start can mend what one spoilt."""
    alone = [pytest.param((point,), id=point.replace(":", "-")) for point in dict.fromkeys(points)] if LONG else []
    return [pytest.param(tuple(points), id="in-a-row"), *alone]


def drained(fleet: Fleet, host: FleetHost) -> None:
    """Return at the instant at which the load balancer has taken the host out."""
    eventually(
        lambda: not fleet.places()[host.name].startswith("UP"),
        what=f"{host.name} drained",
        within=WITHIN,
        every=0.002,
    )


@contextmanager
def caught(fleet: Fleet, host: FleetHost) -> Iterator[None]:
    """The host's agent hangs inside the block, from the moment at which the host was out of the load balancer."""
    drained(fleet, host)
    with hanging(host.agent_pid):
        yield


@contextmanager
def hanging(pid: int) -> Iterator[None]:
    """The process hangs inside the block, as one that a debugger or a full disk holds."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def silent(fleet: Fleet, host: FleetHost) -> float:
    """Seconds since the coordinator heard it."""
    return next(one.silent for one in fleet.get("/hosts", m.Hosts).hosts if one.host == host.name)


def serves(fleet: Fleet, host: FleetHost, version: str) -> bool:
    return host.web.answers == version and host.name in fleet.in_service()


def starts(fleet: Fleet) -> dict[str, list[str]]:
    return {host.name: host.web.starts for host in fleet.hosts}


def done_once(fleet: Fleet, end: m.RolloutInfo, version: str, before: dict[str, list[str]]) -> None:
    """It is done, on all hosts, and each was restarted for it once."""
    assert end.end == "done", end.reason
    assert starts(fleet) == {host: [*earlier, version] for host, earlier in before.items()}
    assert {host.web.answers for host in fleet.hosts} == {version}
    assert fleet.in_service() == ALL
