"""The broker lost in the middle of a rollout, and agents that hang or are cut off: it goes on, nothing happens twice.

An agent is caught in the middle by SIGSTOP: its host is out of the load balancer then, and nothing moves there until
it is let go on.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from chaos.caught import ALL, caught, done_once, serves, silent, starts

from support.eventually import eventually
from support.fleet import Fleet
from support.fleet_commands import WITHIN

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(autouse=True)
def _with_a_broker(fleet: Fleet) -> Iterator[None]:
    # A broker needs its time to start on a busy machine, and agents theirs to find it again.
    fleet.policy(prepare_within=2 * WITHIN)
    yield
    fleet.rabbitmq.start()


def test_an_agent_cut_off_finishes_its_step_and_the_rollout_goes_on_with_the_broker(fleet: Fleet) -> None:
    version, before = fleet.push(), starts(fleet)
    canary = fleet.host("web-1")
    with fleet.load(clients=1) as load:
        rollout = fleet.begin(version)
        with caught(fleet, canary):
            fleet.rabbitmq.kill()
        eventually(lambda: serves(fleet, canary, version), what="a safe end without a broker", within=WITHIN)
        assert {host.web.answers for host in fleet.hosts[1:]} == {before["web-2"][-1]}
        load.after(5)
        fleet.rabbitmq.start()
        end = fleet.ended(rollout)
    assert load.failures == []
    done_once(fleet, end, version, before)


def test_a_rollout_that_began_without_a_broker_goes_on_once_there_is_one(fleet: Fleet) -> None:
    version, before = fleet.push(), starts(fleet)
    fleet.rabbitmq.stop()
    with fleet.load(clients=1) as load:
        rollout = fleet.begin(version)
        load.after(5)
        fleet.rabbitmq.start()
        end = fleet.ended(rollout)
    assert load.failures == []
    done_once(fleet, end, version, before)


def test_a_broker_that_comes_back_empty_is_furnished_again_and_the_rollout_goes_on(fleet: Fleet) -> None:
    version, before = fleet.push(), starts(fleet)
    with fleet.load(clients=1) as load:
        rollout = fleet.begin(version)
        with caught(fleet, fleet.host("web-1")):
            _empty_broker(fleet)
        end = fleet.ended(rollout)
    assert load.failures == []
    done_once(fleet, end, version, before)


def test_while_an_agent_hangs_nobody_else_is_drained_and_then_it_goes_on(fleet: Fleet) -> None:
    version, before = fleet.push(), starts(fleet)
    canary = fleet.host("web-1")
    with fleet.load(clients=1) as load:
        rollout = fleet.begin(version)
        with caught(fleet, canary):
            eventually(lambda: silent(fleet, canary) > 3, what="a silence of 3 s", within=WITHIN)
            assert fleet.in_service() == ALL - {canary.name}
        end = fleet.ended(rollout)
    assert load.failures == []
    done_once(fleet, end, version, before)


def _empty_broker(fleet: Fleet) -> None:
    """This fleet's part of it: no exchange, queue or message is left."""
    fleet.rabbitmq.ctl("delete_vhost", fleet.vhost)
    fleet.rabbitmq.ctl("add_vhost", fleet.vhost)
    fleet.rabbitmq.ctl("set_permissions", "-p", fleet.vhost, "guest", ".*", ".*", ".*")
