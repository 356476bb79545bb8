"""Connections to the broker on which nothing happens any more, and nobody has asked for anything."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit

import pytest

from noonday_shared import topology
from noonday_shared.bus import parameters
from noonday_shared.bus.rabbit import RabbitBus
from support.eventually import eventually
from support.full_listener import full_listener
from support.rabbitmq import RabbitMQ
from support.tcp_proxy import TcpProxy


@pytest.fixture
def line(rabbitmq: RabbitMQ) -> Iterator[TcpProxy]:
    with closing(TcpProxy(urlsplit(rabbitmq.url).port or 5672)) as line:
        yield line


def connected(line: TcpProxy) -> RabbitBus:
    """It is in place over `line`, which it has connected once."""
    bus = RabbitBus(f"amqp://guest:guest@127.0.0.1:{line.port}/%2F", longest_wait=0.3)
    bus.start()
    eventually(lambda: bus.connected, what="the bus connected")
    assert line.accepted == 1
    return bus


def test_a_line_on_which_nothing_is_heard_is_given_up_though_nobody_asks_anything(
    line: TcpProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parameters, "HEARTBEAT", 1)
    bus = connected(line)
    line.silent = True
    try:
        eventually(lambda: "no heartbeat came" in bus.trouble, what="the silence in the trouble", within=40)
        eventually(lambda: line.accepted > 1, what="another connection")
    finally:
        line.silent = False
        bus.close(within=0.5)


def test_a_broker_that_takes_no_messages_for_too_long_is_left_and_asked_anew(
    rabbitmq: RabbitMQ, line: TcpProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parameters, "BLOCKED_TIMEOUT", 1.0)
    bus = connected(line)
    rabbitmq.ctl("set_vm_memory_high_watermark", "0.0001")
    try:
        bus.publish("", topology.agent_queue(f"web-{uuid.uuid4().hex}"), b"kept", slot="kept")
        eventually(lambda: "took no messages for too long" in bus.trouble, what="the alarm in the trouble", every=0.005)
        eventually(lambda: line.accepted > 1, what="another connection")
    finally:
        rabbitmq.ctl("set_vm_memory_high_watermark", "0.4")
    eventually(lambda: bus.connected, what="the bus connected again")
    bus.close(within=0.5)


def test_an_address_that_takes_no_connection_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parameters, "CONNECT_TIMEOUT", 0.3)
    monkeypatch.setattr(parameters, "HANDSHAKE_TIMEOUT", 600.0)
    with full_listener() as port, closing(RabbitBus(f"amqp://guest:guest@127.0.0.1:{port}/")) as bus:
        bus.start()
        eventually(lambda: "does not answer: check address and firewall" in bus.trouble, what="the trouble", within=30)
