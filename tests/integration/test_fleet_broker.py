"""A broker that is not there when agents and coordinator start."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from noonday_coordinator.api import models as m
from support.eventually import eventually
from support.fleet import Fleet
from support.fleet_commands import WITHIN
from support.ports import free_port
from support.tcp_proxy import TcpProxy


@pytest.fixture
def dead_port(fleet: Fleet) -> Iterator[int]:
    """Nothing listens there, and the coordinator and web-1 believe that it is the broker's."""
    port, real = free_port(), fleet.broker_url.rpartition(":")[2].partition("/")[0]
    config = fleet.coordinator.made.config
    text = config.read_text()
    fleet.coordinator.stop()
    config.write_text(text.replace(f":{real}/", f":{port}/"))
    try:
        with fleet.host("web-1").edited(f":{real}/", f":{port}/"):
            fleet.coordinator.start()
            yield port
    finally:
        fleet.coordinator.kill()
        config.write_text(text)


def test_agent_and_coordinator_keep_trying_a_broker_that_is_not_there_and_say_so(fleet: Fleet, dead_port: int) -> None:
    host = fleet.host("web-1")
    host.start_agent()
    with fleet.load() as load:
        doctor = fleet.cli("doctor", "--json")
        load.after(10)
    (broker,) = [check for check in doctor.json["checks"] if check["name"] == "broker"]
    assert (doctor.exit, broker["state"]) == (4, "fail")
    assert f"127.0.0.1:{dead_port}" in broker["text"]
    assert "RabbitMQ" in broker["next_action"]
    _, checked = host.ask_agent("check")
    assert f"Nothing listens at the broker's address 127.0.0.1:{dead_port}" in checked
    assert host.agent_runs
    assert fleet.refused("deploy", "web", fleet.push(), "--yes").rule == "unreachable"
    real = int(fleet.broker_url.rpartition(":")[2].partition("/")[0])
    proxy = TcpProxy(real, port=dead_port)
    try:
        eventually(lambda: fleet.get("/status", m.Status).broker.connected, what="the coordinator", within=WITHIN)
        eventually(lambda: fleet.told("web-1").reported_at, what="web-1 heard", within=WITHIN)
        eventually(lambda: fleet.get("/hosts", m.Hosts).hosts[0].silent < 5, what="web-1 heard", within=WITHIN)
    finally:
        proxy.close()
    assert load.failures == []
