"""A whole fleet's real connections lost in one instant: all are back, each with its own queue, and nobody is forgotten.

The agents here are real buses without the rest of an agent, so that one machine can carry them; the coordinator's too.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from chaos.caught import LONG

from noonday_shared import topology
from noonday_shared.bus.protocol import Handler
from noonday_shared.bus.rabbit import RabbitBus
from support.eventually import eventually
from support.rabbitmq import RabbitMQ

pytestmark = [
    pytest.mark.timeout(400),
    pytest.mark.skipif(not LONG, reason="200 connections are made by: make chaos"),
]
HOSTS = 200


class Crowd:
    """`HOSTS` agents and a coordinator, on a virtual host of their own."""

    def __init__(self, url: str, stack: ExitStack) -> None:
        self.names = [f"web-{number}" for number in range(HOSTS)]
        self.said: dict[str, int] = {}
        self.told: dict[str, int] = {}
        self.coordinator = self._bus(url, stack)
        self.agents = {name: self._bus(url, stack) for name in self.names}
        self.coordinator.declare_reports()
        for name in self.names:
            self.coordinator.declare_host(name)
        self.coordinator.consume(topology.STATE_QUEUE, self._hear)
        for name, agent in self.agents.items():
            agent.consume(topology.agent_queue(name), self._ear(name), exclusive=True)
        for bus in (self.coordinator, *self.agents.values()):
            bus.start()

    def speak(self, number: int) -> None:
        """Every agent says `number`, and is told it."""
        for name, agent in self.agents.items():
            body = f"{name} {number}".encode()
            agent.publish(topology.REPORTS, topology.state_key(name), body, slot="state")
            self.coordinator.publish("", topology.agent_queue(name), body, slot=name)

    def heard(self, number: int) -> bool:
        """Whether all were heard to say it, and all were told."""
        wanted = dict.fromkeys(self.names, number)
        return self.said == wanted and self.told == wanted

    def _bus(self, url: str, stack: ExitStack) -> RabbitBus:
        bus = RabbitBus(url)
        stack.callback(bus.close, 0.1)
        return bus

    def _hear(self, body: bytes) -> None:
        name, number = body.decode().split()
        self.said[name] = max(self.said.get(name, 0), int(number))

    def _ear(self, name: str) -> Handler:
        def take(body: bytes) -> None:
            self.told[name] = max(self.told.get(name, 0), int(body.split()[1]))

        return take


@pytest.fixture
def crowd(rabbitmq: RabbitMQ, caplog: pytest.LogCaptureFixture) -> Iterator[Crowd]:
    caplog.set_level(logging.ERROR, "noonday_shared")  # each of them says what it lost
    vhost = f"crowd-{uuid.uuid4().hex[:8]}"
    rabbitmq.ctl("add_vhost", vhost)
    rabbitmq.ctl("set_permissions", "-p", vhost, "guest", ".*", ".*", ".*")
    url = rabbitmq.url.rpartition("/")[0] + "/" + vhost
    with ExitStack() as stack:
        stack.callback(rabbitmq.ctl, "delete_vhost", vhost)
        stack.callback(rabbitmq.start)
        yield Crowd(url, stack)


def test_all_agents_are_heard_and_told_again_after_a_broker_was_killed(rabbitmq: RabbitMQ, crowd: Crowd) -> None:
    with _timed(f"{HOSTS} agents connected for the first time, heard and told"):
        crowd.speak(1)
        eventually(lambda: crowd.heard(1), what="all heard and told", within=180, every=0.1)
    rabbitmq.kill()
    eventually(lambda: not any(bus.hears for bus in crowd.agents.values()), what="the loss noticed")
    crowd.speak(2)
    rabbitmq.start()
    with _timed(f"{HOSTS} agents heard and told again, after the broker was killed and is back"):
        eventually(lambda: crowd.heard(2), what="all heard and told again", within=180, every=0.1)
    assert [bus.trouble for bus in crowd.agents.values() if bus.trouble] == []


@contextmanager
def _timed(what: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    print(f"{what}: {time.monotonic() - began:.1f} s")
