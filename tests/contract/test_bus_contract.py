"""One suite for the bus on a real RabbitMQ and for the bus in memory."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Protocol
from urllib.parse import urlsplit

import pytest

from noonday_shared import topology
from noonday_shared.bus.memory import MemoryBroker, MemoryBus
from noonday_shared.bus.protocol import Bus
from noonday_shared.bus.rabbit import RabbitBus
from support.eventually import eventually
from support.rabbitmq import RabbitMQ
from support.tcp_proxy import TcpProxy


class Rig(Protocol):
    """A broker with buses on it."""

    def bus(self) -> Bus:
        """Not started."""

    def deliver(self) -> None:
        """Let everything that is under way move on."""

    def break_lines(self) -> None:
        """Every bus loses its connection; each comes back by itself."""

    def close(self) -> None: ...


class MemoryRig:
    def __init__(self) -> None:
        self._broker = MemoryBroker()
        self._buses: list[MemoryBus] = []

    def bus(self) -> Bus:
        self._buses.append(MemoryBus(self._broker))
        return self._buses[-1]

    def deliver(self) -> None:
        self._broker.deliver()

    def break_lines(self) -> None:
        for bus in self._buses:
            bus.disconnect()
        for bus in self._buses:
            bus.reconnect()

    def close(self) -> None:
        for bus in self._buses:
            bus.close()


class RabbitRig:
    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._proxy = TcpProxy(parts.port or 5672)
        self._url = url.replace(f":{parts.port}", f":{self._proxy.port}")
        self._buses: list[RabbitBus] = []

    def bus(self) -> Bus:
        self._buses.append(RabbitBus(self._url, longest_wait=0.2))
        return self._buses[-1]

    def deliver(self) -> None:
        """RabbitMQ does so by itself."""

    def break_lines(self) -> None:
        self._proxy.cut()

    def close(self) -> None:
        for bus in self._buses:
            bus.close(within=1.0)
        self._proxy.close()


@pytest.fixture(params=["memory", "rabbitmq"])
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    made: Rig = MemoryRig()
    if request.param == "rabbitmq":
        node: RabbitMQ = request.getfixturevalue("rabbitmq")
        made = RabbitRig(node.url)
    yield made
    made.close()


@pytest.fixture
def coordinator(rig: Rig) -> Bus:
    """Started and connected."""
    bus = rig.bus()
    bus.declare_reports()
    bus.start()
    eventually(lambda: bus.connected, what="the coordinator's bus")
    return bus


@pytest.fixture
def host(coordinator: Bus) -> Iterator[str]:
    """A host with a queue of its own, gone after the test."""
    name = f"web-{uuid.uuid4().hex[:12]}"
    coordinator.declare_host(name)
    yield name
    coordinator.delete_host(name)


class Inbox:
    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self.bodies: list[str] = []

    def take(self, body: bytes) -> None:
        self.bodies.append(body.decode())

    def wait_for(self, *wanted: str) -> None:
        """Until all of them have come, in this order, among others. A repeated one counts once: a broker promises to
        deliver at least once, and what is refused is said again."""

        def come() -> bool:
            self._rig.deliver()
            return list(dict.fromkeys(body for body in self.bodies if body in wanted)) == list(wanted)

        eventually(come, what=f"messages {wanted}")


@pytest.fixture
def inbox(rig: Rig) -> Inbox:
    return Inbox(rig)


def agent(rig: Rig, host: str, take: Callable[[bytes], None], *, exclusive: bool = False) -> Bus:
    bus = rig.bus()
    bus.consume(topology.agent_queue(host), take, exclusive=exclusive)
    bus.start()
    return bus


def send(bus: Bus, host: str, body: str, *, slot: str = "") -> None:
    bus.publish("", topology.agent_queue(host), body.encode(), slot=slot or body)


def test_messages_reach_the_consumer_of_the_queue_in_order(rig: Rig, coordinator: Bus, host: str, inbox: Inbox) -> None:
    agent(rig, host, inbox.take)

    for number in range(10):
        send(coordinator, host, str(number))

    inbox.wait_for(*map(str, range(10)))


def test_a_queue_may_be_consumed_after_the_start_too(rig: Rig, coordinator: Bus, host: str, inbox: Inbox) -> None:
    bus = rig.bus()
    bus.start()
    eventually(lambda: bus.connected, what="the agent's bus")

    bus.consume(topology.agent_queue(host), inbox.take)
    send(coordinator, host, "hello")

    inbox.wait_for("hello")


def test_reports_of_state_and_evidence_reach_queues_of_their_own(rig: Rig, coordinator: Bus, host: str) -> None:
    state, evidence = Inbox(rig), Inbox(rig)
    coordinator.consume(topology.STATE_QUEUE, state.take)
    coordinator.consume(topology.EVIDENCE_QUEUE, evidence.take)
    reporter = rig.bus()
    reporter.start()

    # A host name with dots must not fall through a pattern that stands for one word.
    reporter.publish(topology.REPORTS, topology.state_key(f"{host}.example"), f"state {host}".encode(), slot="state")
    reporter.publish(topology.REPORTS, topology.evidence_key(f"{host}.example"), f"seen {host}".encode(), slot="seen")

    state.wait_for(f"state {host}")
    evidence.wait_for(f"seen {host}")
    assert f"seen {host}" not in state.bodies


def test_what_is_published_before_the_start_is_sent_once_connected(
    rig: Rig, coordinator: Bus, host: str, inbox: Inbox
) -> None:
    agent(rig, host, inbox.take)
    early = rig.bus()
    assert not early.connected
    assert early.trouble

    send(early, host, "early")
    early.start()

    inbox.wait_for("early")


def test_only_the_newest_unsent_message_of_a_slot_is_sent(rig: Rig, coordinator: Bus, host: str, inbox: Inbox) -> None:
    agent(rig, host, inbox.take)
    early = rig.bus()
    for body in ("oldest", "older", "newest"):
        send(early, host, body, slot="same")
    send(early, host, "last", slot="another")

    early.start()

    inbox.wait_for("newest", "last")
    assert inbox.bodies == ["newest", "last"]


def test_consuming_and_publishing_go_on_after_the_connections_broke(
    rig: Rig, coordinator: Bus, host: str, inbox: Inbox
) -> None:
    bus = agent(rig, host, inbox.take)
    send(coordinator, host, "before")
    inbox.wait_for("before")

    rig.break_lines()
    send(coordinator, host, "after")

    inbox.wait_for("after")  # what came last before may come again
    eventually(lambda: bus.connected and coordinator.connected, what="both buses connected again")


def test_a_failing_handler_loses_its_message_and_nothing_else(
    rig: Rig, coordinator: Bus, host: str, inbox: Inbox, caplog: pytest.LogCaptureFixture
) -> None:
    def fail_once(body: bytes) -> None:
        inbox.take(body)
        if body == b"bad":
            raise ValueError("a handler's own mistake")

    bus = agent(rig, host, fail_once)
    send(coordinator, host, "bad")
    send(coordinator, host, "good")

    inbox.wait_for("bad", "good")
    # What came last before a line breaks may come again; whatever came before it was acknowledged.
    send(coordinator, host, "last")
    inbox.wait_for("last")
    rig.break_lines()
    send(coordinator, host, "later")
    inbox.wait_for("bad", "good", "later")
    assert inbox.bodies.count("bad") == 1
    assert "a handler's own mistake" in caplog.text
    eventually(lambda: bus.connected, what="the agent's bus")


def test_any_thread_may_publish(rig: Rig, coordinator: Bus, host: str, inbox: Inbox) -> None:
    agent(rig, host, inbox.take)
    # As many as a host's queue holds, or the oldest would be dropped.
    each, many = 2, topology.AGENT_QUEUE_LENGTH // 2

    def publish(thread: int) -> None:
        for number in range(each):
            send(coordinator, host, f"{thread}-{number}")

    threads = [threading.Thread(target=publish, args=(thread,)) for thread in range(many)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    def all_came() -> bool:
        rig.deliver()
        return len(set(inbox.bodies)) == each * many

    eventually(all_came, what="all messages")


def test_a_handler_may_publish(rig: Rig, coordinator: Bus, host: str, inbox: Inbox) -> None:
    coordinator.consume(topology.STATE_QUEUE, inbox.take)
    replier = rig.bus()
    key = topology.state_key(host)
    replier.consume(
        topology.agent_queue(host),
        lambda body: replier.publish(topology.REPORTS, key, f"{host} took ".encode() + body, slot="state"),
    )
    replier.start()

    send(coordinator, host, "work")

    inbox.wait_for(f"{host} took work")


def test_a_message_that_no_queue_wants_is_dropped_with_a_word(
    rig: Rig, coordinator: Bus, host: str, inbox: Inbox, caplog: pytest.LogCaptureFixture
) -> None:
    agent(rig, host, inbox.take)

    send(coordinator, f"{host}-unknown", "nobody's")
    send(coordinator, host, "somebody's")

    inbox.wait_for("somebody's")
    assert coordinator.connected
    eventually(lambda: f"{host}-unknown" in caplog.text, what="a warning with the key")
    agent(rig, f"{host}-unknown", inbox.take)
    coordinator.declare_host(f"{host}-unknown")
    send(coordinator, f"{host}-unknown", "declared")
    inbox.wait_for("declared")
    assert "nobody's" not in inbox.bodies
    coordinator.delete_host(f"{host}-unknown")


def test_a_missing_queue_is_named_with_what_to_run_and_heals_when_declared(
    rig: Rig, coordinator: Bus, inbox: Inbox
) -> None:
    host = f"web-{uuid.uuid4().hex[:12]}"
    bus = agent(rig, host, inbox.take)
    eventually(lambda: f"noonday enroll {host}" in bus.trouble, what="the missing queue in trouble")
    assert not bus.connected

    coordinator.declare_host(host)
    eventually(lambda: bus.connected, what="the agent's bus")

    send(coordinator, host, "welcome")
    inbox.wait_for("welcome")
    coordinator.delete_host(host)


def test_a_bus_whose_queue_is_missing_still_publishes(rig: Rig, coordinator: Bus, host: str, inbox: Inbox) -> None:
    coordinator.consume(topology.STATE_QUEUE, inbox.take)
    stranger = agent(rig, f"{host}-stranger", lambda body: None)
    eventually(lambda: "enroll" in stranger.trouble, what="the missing queue in trouble")

    stranger.publish(topology.REPORTS, topology.state_key(f"{host}-stranger"), f"I am {host}".encode(), slot="state")

    inbox.wait_for(f"I am {host}")


def test_a_deleted_host_loses_its_queue(rig: Rig, coordinator: Bus, inbox: Inbox) -> None:
    host = f"web-{uuid.uuid4().hex[:12]}"
    coordinator.declare_host(host)
    bus = agent(rig, host, inbox.take)
    send(coordinator, host, "last")
    inbox.wait_for("last")

    coordinator.delete_host(host)

    eventually(lambda: f"noonday enroll {host}" in bus.trouble, what="the missing queue in trouble")


def test_a_host_deleted_and_enrolled_again_has_a_queue(rig: Rig, coordinator: Bus, host: str, inbox: Inbox) -> None:
    agent(rig, host, inbox.take)
    coordinator.delete_host(host)
    coordinator.declare_host(host)

    rig.break_lines()
    send(coordinator, host, "again")

    inbox.wait_for("again")


def test_a_second_exclusive_consumer_is_told_so_and_takes_over_when_the_first_leaves(
    rig: Rig, coordinator: Bus, host: str, inbox: Inbox
) -> None:
    first = agent(rig, host, lambda body: None, exclusive=True)
    eventually(lambda: first.connected, what="the first agent")

    second = agent(rig, host, inbox.take, exclusive=True)
    eventually(lambda: "already connected as this host" in second.trouble, what="the second agent's trouble")
    assert host in second.trouble
    assert first.connected

    first.close()
    eventually(lambda: second.connected, what="the second agent")
    send(coordinator, host, "yours")
    inbox.wait_for("yours")


def test_a_second_exclusive_consumer_publishes_nothing_until_it_has_taken_over(
    rig: Rig, coordinator: Bus, host: str, inbox: Inbox
) -> None:
    coordinator.consume(topology.STATE_QUEUE, inbox.take)
    first = agent(rig, host, lambda body: None, exclusive=True)
    eventually(lambda: first.connected, what="the first agent")

    second = rig.bus()
    second.consume(topology.agent_queue(host), lambda body: None, exclusive=True)
    second.publish(topology.REPORTS, topology.state_key(host), b"of the second", slot="state")
    second.start()
    eventually(lambda: "already connected as this host" in second.trouble, what="the second agent's trouble")
    first.publish(topology.REPORTS, topology.state_key(host), b"of the first", slot="state")
    inbox.wait_for("of the first")
    assert inbox.bodies == ["of the first"]

    first.close()
    inbox.wait_for("of the first", "of the second")


def test_a_second_exclusive_consumer_is_told_and_may_say_so_aside(
    rig: Rig, coordinator: Bus, host: str, inbox: Inbox
) -> None:
    coordinator.consume(topology.STATE_QUEUE, inbox.take)
    first = agent(rig, host, lambda body: None, exclusive=True)
    eventually(lambda: first.connected, what="the first agent")

    second, key = rig.bus(), topology.state_key(host)
    second.consume(
        topology.agent_queue(host),
        lambda body: None,
        exclusive=True,
        refused=lambda: second.publish(topology.REPORTS, key, b"kept out", slot="claim", aside=True),
    )
    second.publish(topology.REPORTS, key, b"of the second", slot="state")
    second.start()

    inbox.wait_for("kept out")
    assert "of the second" not in inbox.bodies
    assert not second.hears
    assert first.hears


def test_a_queue_that_is_declared_once_more_keeps_nobody_from_being_heard(
    coordinator: Bus, host: str, inbox: Inbox
) -> None:
    coordinator.consume(topology.STATE_QUEUE, inbox.take)
    coordinator.publish(topology.REPORTS, topology.state_key(host), b"heard", slot="state")
    inbox.wait_for("heard")
    for _ in range(20):
        coordinator.declare_host(host)
        until = time.monotonic() + 0.02
        while time.monotonic() < until:
            assert coordinator.hears


def test_a_host_that_is_away_finds_only_the_newest_messages(
    rig: Rig, coordinator: Bus, host: str, inbox: Inbox
) -> None:
    kept = [str(number) for number in range(3, topology.AGENT_QUEUE_LENGTH + 3)]
    for number in range(topology.AGENT_QUEUE_LENGTH + 3):
        send(coordinator, host, str(number))
    # What is published before a bus closes is with the broker afterwards.
    coordinator.close()

    agent(rig, host, inbox.take)

    inbox.wait_for(*kept)
    assert inbox.bodies == kept


def test_a_closed_bus_says_so_and_may_be_closed_again(rig: Rig, coordinator: Bus, inbox: Inbox) -> None:
    started = time.monotonic()
    coordinator.close(within=10.0)
    coordinator.close(within=10.0)

    assert time.monotonic() - started < 10.0
    assert not coordinator.connected
    assert "closed" in coordinator.trouble


def test_a_bus_that_never_started_closes_at_once(rig: Rig) -> None:
    bus = rig.bus()
    send(bus, "nobody", "nothing")

    bus.close(within=10.0)

    assert not bus.connected
