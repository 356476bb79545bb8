"""The bus through everything that happens to a real broker and to the line to it."""

from __future__ import annotations

import logging
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pika
import pytest

from noonday_shared import topology
from noonday_shared.bus.rabbit import RabbitBus
from noonday_shared.errors import BadInput
from support.certificates import server_tls
from support.eventually import eventually
from support.ports import free_port
from support.rabbitmq import RabbitMQ
from support.tcp_proxy import TcpProxy

MakeBus = Callable[..., RabbitBus]


@pytest.fixture
def bus_to(rabbitmq: RabbitMQ) -> Iterator[MakeBus]:
    """Buses that are quick to come back, closed at the end."""
    made: list[RabbitBus] = []

    def make(url: str = rabbitmq.url, **options: Any) -> RabbitBus:
        made.append(RabbitBus(url, **({"longest_wait": 0.3} | options)))
        return made[-1]

    yield make
    for bus in made:
        bus.close(within=0.5)


@pytest.fixture
def host(rabbitmq: RabbitMQ) -> Iterator[str]:
    name = f"web-{uuid.uuid4().hex[:12]}"
    yield name
    with closing(pika.BlockingConnection(pika.URLParameters(rabbitmq.url))) as connection:
        connection.channel().queue_delete(topology.agent_queue(name))


class Inbox:
    def __init__(self) -> None:
        self.newest: dict[str, int] = {}
        self.count = 0

    def take(self, body: bytes) -> None:
        slot, number = body.decode().split()
        self.count += 1
        self.newest[slot] = int(number)


def at(
    port: int, *, user: str = "guest:guest", vhost: str = "%2F", scheme: str = "amqp", host: str = "127.0.0.1"
) -> str:
    return f"{scheme}://{user}@{host}:{port}/{vhost}"


def port_of(url: str) -> int:
    return urlsplit(url).port or 5672


def connected(bus: RabbitBus) -> None:
    eventually(lambda: bus.connected, what="the bus connected", within=60.0)


def report_until_seen(bus: RabbitBus, host: str, states: Inbox) -> None:
    """As agents do: what is sent while the exchange has no queue yet is lost, and the next report heals it."""

    def seen() -> bool:
        bus.publish(topology.REPORTS, topology.state_key(host), b"state 1", slot="state")
        return bool(states.newest)

    eventually(seen, what="a state", every=0.1)


def test_the_newest_of_every_slot_survives_a_broker_that_is_restarted(
    rabbitmq: RabbitMQ, bus_to: MakeBus, host: str
) -> None:
    queue, quiet, inbox, stop = topology.agent_queue(host), f"{host}-quiet", Inbox(), threading.Event()
    sender, receiver = bus_to(), bus_to()
    sender.declare_host(host)
    sender.declare_host(quiet)
    sender.start()
    connected(sender)
    sender.publish("", topology.agent_queue(quiet), b"once 1", slot="once")
    said: dict[str, int] = {}

    def talk() -> None:
        while not stop.wait(0.01):
            for slot in ("a", "b"):
                said[slot] = said.get(slot, 0) + 1
                sender.publish("", queue, f"{slot} {said[slot]}".encode(), slot=slot)

    talker = threading.Thread(target=talk)
    talker.start()
    eventually(lambda: said.get("b", 0) > 20, what="some messages before the stop")
    try:
        rabbitmq.stop()
        eventually(lambda: not sender.connected, what="the loss noticed")
    finally:
        rabbitmq.start()
    connected(sender)
    stop.set()
    talker.join(10)
    # Nobody consumed until now, so what the broker confirmed before it stopped, and nobody said again, was on its disk.
    receiver.consume(queue, inbox.take)
    receiver.consume(topology.agent_queue(quiet), inbox.take)
    receiver.start()

    eventually(lambda: inbox.newest == said | {"once": 1}, what=f"the newest of each slot, {said}, and the quiet one")
    sender.delete_host(quiet)


def test_a_wiped_broker_gets_its_declarations_back_and_work_goes_on(
    rabbitmq: RabbitMQ, bus_to: MakeBus, host: str
) -> None:
    inbox, states = Inbox(), Inbox()
    coordinator, agent = bus_to(), bus_to()
    coordinator.declare_reports()
    coordinator.declare_host(host)
    coordinator.consume(topology.STATE_QUEUE, states.take)
    agent.consume(topology.agent_queue(host), inbox.take)
    for bus in (coordinator, agent):
        bus.start()
        connected(bus)

    rabbitmq.wipe()

    coordinator.publish("", topology.agent_queue(host), b"assignment 1", slot="assignment")
    for bus in (coordinator, agent):
        connected(bus)
    eventually(lambda: inbox.newest == {"assignment": 1}, what="the assignment")
    report_until_seen(agent, host, states)


def test_queues_deleted_behind_our_back_come_back(rabbitmq: RabbitMQ, bus_to: MakeBus, host: str) -> None:
    states = Inbox()
    bus = bus_to()
    bus.declare_reports()
    bus.consume(topology.STATE_QUEUE, states.take)
    bus.start()
    connected(bus)

    with closing(pika.BlockingConnection(pika.URLParameters(rabbitmq.url))) as connection:
        connection.channel().queue_delete(topology.STATE_QUEUE)
        connection.channel().exchange_delete(topology.REPORTS)

    report_until_seen(bus, host, states)
    connected(bus)


def test_a_burst_does_not_wait_for_one_confirmation_after_another(bus_to: MakeBus, host: str) -> None:
    inbox = Inbox()
    bus = bus_to()
    bus.declare_reports()
    bus.consume(topology.STATE_QUEUE, lambda body: inbox.take(body) if body.startswith(host.encode()) else None)
    bus.start()
    connected(bus)

    for number in range(2000):
        bus.publish(topology.REPORTS, topology.state_key(host), f"{host}-{number} 1".encode(), slot=str(number))

    eventually(lambda: len(inbox.newest) == 2000, what="2000 messages")
    assert inbox.count == 2000


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param({"user": "guest:wrong-secret"}, ["refuses the user 'guest'", "password"], id="wrong password"),
        pytest.param({"vhost": "nowhere", "user": "guest:guest"}, ["virtual host 'nowhere'"], id="unknown vhost"),
        pytest.param({"host": "broker.invalid"}, ["broker.invalid can't be resolved"], id="unknown name"),
        pytest.param({"scheme": "amqps"}, ["TLS", "ca_file"], id="TLS where there is none"),
    ],
)
def test_why_it_can_not_connect_is_said_without_the_password(
    rabbitmq: RabbitMQ,
    bus_to: MakeBus,
    caplog: pytest.LogCaptureFixture,
    options: dict[str, str],
    words: list[str],
) -> None:
    caplog.set_level(logging.DEBUG, "noonday_shared")
    url = at(port_of(rabbitmq.url), **({"user": "guest:guest-secret"} | options))
    bus = bus_to(url)

    bus.start()

    eventually(lambda: all(word in bus.trouble for word in words), what=f"{words} in the trouble")
    assert "secret" not in bus.trouble + caplog.text
    assert not bus.connected


def test_a_broker_that_comes_up_later_is_found(rabbitmq: RabbitMQ, bus_to: MakeBus, host: str) -> None:
    port, inbox = free_port(), Inbox()
    bus = bus_to(at(port))
    bus.declare_host(host)
    bus.consume(topology.agent_queue(host), inbox.take)
    bus.start()
    eventually(lambda: "Nothing listens" in bus.trouble, what="the refusal in the trouble")
    bus.publish("", topology.agent_queue(host), b"early 1", slot="early")

    with closing(TcpProxy(port_of(rabbitmq.url), port=port)):
        connected(bus)
        eventually(lambda: inbox.newest == {"early": 1}, what="the early message")


def test_something_else_behind_the_port_is_said(bus_to: MakeBus) -> None:
    with closing(TcpProxy(free_port())) as hanging_up:
        bus = bus_to(at(hanging_up.port))
        bus.start()

        eventually(lambda: f"{hanging_up.port} hangs up at once" in bus.trouble, what="the trouble")


def test_a_line_that_swallows_everything_is_given_up_and_nothing_is_lost(
    rabbitmq: RabbitMQ, bus_to: MakeBus, host: str
) -> None:
    inbox = Inbox()
    with closing(TcpProxy(port_of(rabbitmq.url))) as line:
        bus = bus_to(at(line.port), answer_within=1.0)
        bus.declare_host(host)
        bus.consume(topology.agent_queue(host), inbox.take, exclusive=True)
        bus.start()
        connected(bus)

        line.silent = True
        bus.publish("", topology.agent_queue(host), b"swallowed 1", slot="swallowed")
        eventually(lambda: "did not answer within 1 s" in bus.trouble, what="the silence in the trouble")
        line.silent = False
        line.cut()

        connected(bus)
        eventually(lambda: inbox.newest == {"swallowed": 1}, what="the message that the line had swallowed")


def test_a_queue_with_other_settings_is_named_and_the_others_work(
    rabbitmq: RabbitMQ, bus_to: MakeBus, host: str
) -> None:
    inbox, odd = Inbox(), f"{host}-odd"
    with closing(pika.BlockingConnection(pika.URLParameters(rabbitmq.url))) as connection:
        channel = connection.channel()
        channel.queue_declare(topology.agent_queue(odd), durable=True, arguments={"x-max-length": 3})
        bus = bus_to()
        bus.declare_host(odd)
        bus.declare_host(host)
        bus.consume(topology.agent_queue(host), inbox.take)
        bus.start()

        eventually(lambda: f"{odd} is on the broker with other settings" in bus.trouble, what="the odd queue named")
        bus.publish("", topology.agent_queue(host), b"work 1", slot="work")
        eventually(lambda: inbox.newest == {"work": 1}, what="a message through the other queue")

        channel.queue_delete(topology.agent_queue(odd))
        connected(bus)
        assert channel.queue_declare(topology.agent_queue(odd), passive=True).method.message_count == 0
        channel.queue_delete(topology.agent_queue(odd))


def test_a_message_that_the_broker_refuses_is_sent_again_until_it_is_taken(
    rabbitmq: RabbitMQ, bus_to: MakeBus, host: str
) -> None:
    queue, inbox = topology.agent_queue(host), Inbox()
    with closing(pika.BlockingConnection(pika.URLParameters(rabbitmq.url))) as connection:
        arguments = {"x-max-length": 1, "x-overflow": "reject-publish"}
        connection.channel().queue_declare(queue, durable=True, arguments=arguments)
    sender = bus_to()
    sender.start()
    connected(sender)

    for number in range(1, 4):
        sender.publish("", queue, f"{number} 1".encode(), slot=str(number))
    receiver = bus_to()
    receiver.consume(queue, inbox.take)
    receiver.start()

    eventually(lambda: len(inbox.newest) == 3, what="three messages through a queue for one")


def test_a_broker_without_memory_is_said_and_what_waited_is_sent_when_it_is_well_again(
    rabbitmq: RabbitMQ, bus_to: MakeBus, host: str
) -> None:
    inbox = Inbox()
    bus = bus_to()
    bus.declare_host(host)
    bus.consume(topology.agent_queue(host), inbox.take)
    bus.start()
    connected(bus)

    rabbitmq.ctl("set_vm_memory_high_watermark", "0.0001")
    try:
        bus.publish("", topology.agent_queue(host), b"first 1", slot="first")
        eventually(lambda: "takes no messages" in bus.trouble and "memory" in bus.trouble, what="the alarm in trouble")
        bus.publish("", topology.agent_queue(host), b"second 1", slot="second")
        assert not bus.connected
    finally:
        rabbitmq.ctl("set_vm_memory_high_watermark", "0.4")

    connected(bus)
    eventually(lambda: inbox.newest == {"first": 1, "second": 1}, what="what had waited")


def test_closing_without_a_broker_ends_by_its_deadline(bus_to: MakeBus) -> None:
    bus = bus_to(at(free_port()))
    bus.start()
    bus.publish("", "noonday.agent.web-1", b"unsent", slot="unsent")

    started = time.monotonic()
    bus.close(within=0.5)

    assert 0.5 <= time.monotonic() - started < 5.0


def test_closing_in_the_middle_of_a_handshake_is_quiet(bus_to: MakeBus, caplog: pytest.LogCaptureFixture) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        bus = bus_to(at(listener.getsockname()[1]))
        bus.start()
        with closing(listener.accept()[0]) as link:
            link.settimeout(10)
            assert link.recv(4) == b"AMQP"
            bus.close(within=0.1)

    assert caplog.text == ""


def test_tls_is_believed_with_its_ca_file_only(rabbitmq: RabbitMQ, bus_to: MakeBus, tmp_path: Path) -> None:
    context, ca_file = server_tls(tmp_path)
    with closing(TcpProxy(port_of(rabbitmq.url), tls=context)) as line:
        url = at(line.port, scheme="amqps")
        trusting, doubting = bus_to(url, ca_file=ca_file), bus_to(url)
        trusting.start()
        doubting.start()

        connected(trusting)
        eventually(lambda: "certificate verify failed" in doubting.trouble, what="the doubt in the trouble")


@pytest.mark.parametrize(
    "url",
    ["", "127.0.0.1", "http://guest:secret@h/", "amqp://", "amqp://u:secret@h:port/", "amqp://u:secret@h/?what=1"],
)
def test_a_url_that_can_not_be_used_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(BadInput) as refused:
        RabbitBus(url)

    assert refused.value.rule == "bad-broker-url"
    assert "secret" not in str(refused.value)


def test_a_ca_file_that_can_not_be_used_is_named(tmp_path: Path) -> None:
    empty = tmp_path / "ca.pem"
    empty.touch()

    for ca_file in (empty, tmp_path / "missing.pem"):
        with pytest.raises(BadInput, match=ca_file.name):
            RabbitBus("amqps://guest:guest@127.0.0.1/", ca_file=ca_file)
