"""Two agents under one host's name while the broker is lost: whichever it lets in works, and the other does nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from chaos.caught import LONG, done_once, hanging, starts

from noonday_coordinator.api import models as m
from support.eventually import eventually
from support.fleet import Fleet
from support.fleet_commands import WITHIN
from support.fleet_host import FleetHost
from support.second_agent import second_agent

pytestmark = [
    pytest.mark.timeout(400),
    pytest.mark.skipif(not LONG, reason="takes a minute: make chaos"),
]
KEPT_OUT = "already connected as this host (web-1)"


@dataclass(frozen=True)
class Side:
    """One of the two agents."""

    pid: int
    log: Callable[[], str]


@pytest.fixture
def host(fleet: Fleet) -> Iterator[FleetHost]:
    """At the end its agent is begun anew, as the doctor says: a second one may have been heard in its place."""
    fleet.policy(prepare_within=300, host_within=300)
    found = fleet.host("web-1")
    yield found
    fleet.rabbitmq.start()
    found.stop_agent()
    found.start_agent()


@pytest.mark.parametrize("winner", ["the first", "the second"])
def test_after_the_loss_of_the_broker_exactly_one_of_them_works_and_everybody_says_so(
    winner: str, fleet: Fleet, host: FleetHost
) -> None:
    version, before = fleet.push(), starts(fleet)
    with second_agent(fleet, host, "web-1") as other:
        eventually(lambda: KEPT_OUT in other.log.read_text(), what="the second's own word")
        both = [Side(host.agent_pid, host.agent_log), Side(other.pid, other.log.read_text)]
        wins, loses = both if winner == "the first" else reversed(both)
        kept_out = wins.log().count(KEPT_OUT)
        fleet.rabbitmq.kill()
        with hanging(loses.pid):
            connected = wins.log().count("Connected to the broker")
            fleet.rabbitmq.start()
            eventually(
                lambda: wins.log().count("Connected to the broker") > connected,
                what="one that was let in",
                within=WITHIN,
            )
            said = loses.log().count(KEPT_OUT)
        eventually(lambda: loses.log().count(KEPT_OUT) > said, what="the other's own word", within=WITHIN)
        eventually(lambda: _double(fleet, loses.pid), what="the doctor's word of the other", within=WITHIN, every=0.2)
        assert f"pid {loses.pid}" in fleet.cli("hosts").out.replace("\n", " ")
        assert fleet.cli("doctor").exit == 4
        with fleet.load(clients=1) as load:
            end = fleet.deploy(version)
            load.after(5)
        assert load.failures == []
        done_once(fleet, end, version, before)
        assert wins.log().count(KEPT_OUT) == kept_out


def _double(fleet: Fleet, pid: int) -> bool:
    checks = [check for check in fleet.get("/doctor", m.Doctor).checks if check.name == "host web-1"]
    return any("says that it is web-1 too" in check.text and f"pid {pid}" in check.text for check in checks)
