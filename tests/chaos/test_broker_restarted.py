"""The broker lost in the middle of a rollout, and agents that hang or are cut off: it goes on, nothing happens twice.

An agent is caught in the middle by SIGSTOP: its host is out of the load balancer then, and nothing moves there until
it is let go on.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from noonday_coordinator.api import models as m
from support.eventually import eventually
from support.fleet import Fleet
from support.fleet_commands import WITHIN
from support.fleet_host import FleetHost

pytestmark = pytest.mark.timeout(300)
ALL = {"web-1", "web-2", "web-3"}


@pytest.fixture(autouse=True)
def _with_a_broker(fleet: Fleet) -> Iterator[None]:
    # A broker needs its time to start on a busy machine, and agents theirs to find it again.
    fleet.policy(prepare_within=2 * WITHIN)
    yield
    fleet.rabbitmq.start()


def test_an_agent_cut_off_finishes_its_step_and_the_rollout_goes_on_with_the_broker(fleet: Fleet) -> None:
    version, before = fleet.push(), _starts(fleet)
    canary = fleet.host("web-1")
    with fleet.load(clients=1) as load:
        rollout = fleet.begin(version)
        with _caught(fleet, canary):
            fleet.rabbitmq.kill()
        eventually(lambda: _serves(fleet, canary, version), what="a safe end without a broker", within=WITHIN)
        assert {host.web.answers for host in fleet.hosts[1:]} == {before["web-2"][-1]}
        load.after(5)
        fleet.rabbitmq.start()
        end = fleet.ended(rollout)
    assert load.failures == []
    _done_once(fleet, end, version, before)


def test_a_rollout_that_began_without_a_broker_goes_on_once_there_is_one(fleet: Fleet) -> None:
    version, before = fleet.push(), _starts(fleet)
    fleet.rabbitmq.stop()
    with fleet.load(clients=1) as load:
        rollout = fleet.begin(version)
        load.after(5)
        fleet.rabbitmq.start()
        end = fleet.ended(rollout)
    assert load.failures == []
    _done_once(fleet, end, version, before)


def test_a_broker_that_comes_back_empty_is_furnished_again_and_the_rollout_goes_on(fleet: Fleet) -> None:
    version, before = fleet.push(), _starts(fleet)
    with fleet.load(clients=1) as load:
        rollout = fleet.begin(version)
        with _caught(fleet, fleet.host("web-1")):
            _empty_broker(fleet)
        end = fleet.ended(rollout)
    assert load.failures == []
    _done_once(fleet, end, version, before)


def test_while_an_agent_hangs_nobody_else_is_drained_and_then_it_goes_on(fleet: Fleet) -> None:
    version, before = fleet.push(), _starts(fleet)
    canary = fleet.host("web-1")
    with fleet.load(clients=1) as load:
        rollout = fleet.begin(version)
        with _caught(fleet, canary):
            eventually(lambda: _silent(fleet, canary) > 3, what="a silence of 3 s", within=WITHIN)
            assert fleet.in_service() == ALL - {canary.name}
        end = fleet.ended(rollout)
    assert load.failures == []
    _done_once(fleet, end, version, before)


@contextmanager
def _caught(fleet: Fleet, host: FleetHost) -> Iterator[None]:
    """The host's agent hangs inside the block, from the moment at which the host was out of the load balancer."""
    _eventually_at_once(lambda: not fleet.places()[host.name].startswith("UP"), what=f"{host.name} drained")
    pid = host.agent_pid
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _empty_broker(fleet: Fleet) -> None:
    """This fleet's part of it: no exchange, queue or message is left."""
    fleet.rabbitmq.ctl("delete_vhost", fleet.vhost)
    fleet.rabbitmq.ctl("add_vhost", fleet.vhost)
    fleet.rabbitmq.ctl("set_permissions", "-p", fleet.vhost, "guest", ".*", ".*", ".*")


def _eventually_at_once(probe: Callable[[], bool], *, what: str) -> None:
    eventually(probe, what=what, within=WITHIN, every=0.002)


def _silent(fleet: Fleet, host: FleetHost) -> float:
    return next(one.silent for one in fleet.get("/hosts", m.Hosts).hosts if one.host == host.name)


def _serves(fleet: Fleet, host: FleetHost, version: str) -> bool:
    return host.web.answers == version and host.name in fleet.in_service()


def _starts(fleet: Fleet) -> dict[str, list[str]]:
    return {host.name: host.web.starts for host in fleet.hosts}


def _done_once(fleet: Fleet, end: m.RolloutInfo, version: str, before: dict[str, list[str]]) -> None:
    assert end.end == "done", end.reason
    assert _starts(fleet) == {host: [*starts, version] for host, starts in before.items()}
    assert {host.web.answers for host in fleet.hosts} == {version}
    assert fleet.in_service() == ALL
