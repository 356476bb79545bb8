"""A broker that has no memory left, loses all it had, takes deliveries back, or is flooded by one host's logs."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pika
import pytest
from chaos.caught import LONG, caught, done_once, hanging, silent, starts
from pika.adapters.blocking_connection import BlockingChannel

from noonday_coordinator.api import models as m
from noonday_coordinator.core import events as e
from noonday_shared import topology
from noonday_shared.bus.rabbit import RabbitBus
from noonday_shared.envelope import seal
from noonday_shared.keys import SigningKey
from noonday_shared.messages import Evidence, Goal
from noonday_shared.messages.evidence import KIND as EVIDENCE
from support.eventually import eventually
from support.fleet import Fleet
from support.fleet_commands import WITHIN
from support.fleet_host import FleetHost
from support.stand_in import StandIn, journal_of, settled
from support.told_events import kept

pytestmark = pytest.mark.timeout(400)
later = pytest.mark.skipif(not LONG, reason="takes a minute: make chaos")


@pytest.fixture(autouse=True)
def _patient(fleet: Fleet) -> None:
    fleet.policy(prepare_within=300, host_within=300)


@pytest.mark.parametrize("seconds", [2.0, pytest.param(75.0, marks=later)])
def test_a_broker_without_memory_is_said_and_all_goes_on_when_it_has_some(seconds: float, fleet: Fleet) -> None:
    """In the long run both sides give the blocked connection up once, and come back into the same alarm."""
    version, before = fleet.push(), starts(fleet)
    with fleet.load(clients=1) as load:
        with _no_memory(fleet):
            rollout = fleet.begin(version)
            eventually(lambda: "memory" in fleet.get("/status", m.Status).broker.trouble, what="the alarm in status")
            asked = time.monotonic()
            (broker,) = [one for one in fleet.get("/doctor", m.Doctor).checks if one.name == "broker"]
            assert time.monotonic() - asked < 5
            assert broker.state == "fail"
            assert "takes no messages now" in broker.text
            assert "Broker not connected: The broker takes no messages" in fleet.cli("status").out.replace("\n", " ")
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                load.after(5)
        end = fleet.until(rollout, lambda info: info.end or info.asked, what="the end")
    assert load.failures == []
    done_once(fleet, end, version, before)
    assert not _doubles(fleet)


@later
def test_a_broker_that_lost_its_disk_is_furnished_again_and_the_rollout_goes_on(fleet: Fleet) -> None:
    version, before = fleet.push(), starts(fleet)
    with fleet.load(clients=1) as load:
        rollout = fleet.begin(version)
        with caught(fleet, fleet.host("web-1")):
            fleet.rabbitmq.wipe()
            fleet.rabbitmq.ctl("add_vhost", fleet.vhost)
            fleet.rabbitmq.ctl("set_permissions", "-p", fleet.vhost, "guest", ".*", ".*", ".*")
        end = fleet.until(rollout, lambda info: info.end or info.asked, what="the end")
    assert load.failures == []
    done_once(fleet, end, version, before)


@pytest.mark.parametrize(("patience", "step"), [(3.0, 9), pytest.param(60.0, 90, marks=later)])
def test_a_step_longer_than_the_brokers_patience_with_deliveries_is_not_disturbed(
    patience: float, step: int, fleet: Fleet
) -> None:
    """An agent acknowledges what it has journalled, and works then: the broker has nothing to take back."""
    hook = {"hooks/pre": f"#!/bin/sh\nexec sleep {step}\n"}
    version, before = fleet.push(toml='[hooks]\npre_activate = "hooks/pre"\n', files=hook), starts(fleet)
    host = fleet.host("web-1")
    with host.edited("hooks = { within = 2.0 }", "hooks = { within = 120.0 }"), _impatient(fleet, patience):
        host.start_agent()
        eventually(lambda: silent(fleet, host) < 2, what="web-1 heard", within=WITHIN)
        with closing(pika.BlockingConnection(pika.URLParameters(fleet.broker_url))) as link:
            # What the broker does to whoever holds a delivery for the length of a step.
            channel = link.channel()
            channel.queue_declare("slow")
            channel.basic_publish("", "slow", b"work")
            channel.basic_consume("slow", lambda *_: None)
            rollout, connected = fleet.begin(version), _connections(host)
            eventually(lambda: _closed(link, channel), what="the delivery taken back", within=patience + WITHIN)
        fleet.until(rollout, lambda info: info.end or info.asked or _serving(info) > 0, what="the canary")
        assert _connections(host) == connected
        fleet.cli("abort", "web")
        fleet.until(rollout, lambda info: info.end, what="the end")
    assert starts(fleet)["web-1"][: len(before["web-1"]) + 1] == [*before["web-1"], version]


def test_the_queue_of_an_agent_that_hangs_stays_short_and_the_newest_word_wins(fleet: Fleet) -> None:
    host, before = fleet.host("web-2"), starts(fleet)
    fleet.coordinator.kill()
    with StandIn(fleet) as hand:
        serving = journal_of(host).proven
        assert serving is not None
        with hanging(host.agent_pid):
            last = 0
            for number in range(100):
                last = hand.say(host, Goal.OUT if number % 2 else Goal.SERVING, serving)
            last = hand.say(host, Goal.SERVING, serving)
            eventually(lambda: _waiting(fleet, host) > 0, what="messages that wait")
            most = topology.AGENT_QUEUE_LENGTH
            eventually(lambda: _waiting(fleet, host) <= 2 * most, what="a short queue")
        end = settled(host, last)
    assert end.out_by_us is False
    fleet.coordinator.start()
    eventually(lambda: "web-2" in fleet.in_service(), what="web-2 in service", within=WITHIN)
    assert starts(fleet) == before


def test_assignments_arrive_within_a_second_while_one_host_floods_the_coordinator(fleet: Fleet) -> None:
    version, before = fleet.push(), starts(fleet)
    noisy = fleet.host("web-3")
    with _flood(fleet, noisy) as sent:
        eventually(lambda: sent[0] > 500, what="a flood")
        end = fleet.deploy(version)
        flooded = sent[0]
    done_once(fleet, end, version, before)
    eventually(lambda: silent(fleet, noisy) < 12, what="web-3 heard")
    taken = {(host.name, journal_of(host).assignment) for host in fleet.hosts}
    records = kept(fleet.folder / "noonday" / "data" / "events.sqlite")
    said = {(one.event.host, one.event.generation): one.at for one in records if isinstance(one.event, e.Assigned)}
    late = {
        name: journal_of(fleet.host(name)).taken_at - said[name, assignment.generation]
        for name, assignment in taken
        if assignment is not None
    }
    words = ", ".join(f"{name} {seconds:.3f} s" for name, seconds in sorted(late.items()))
    print(f"{flooded} messages of evidence meanwhile; assignments were taken up after {words}")
    assert max(late.values()) < 1.0


def test_a_coordinator_that_hangs_goes_on_where_it_was(fleet: Fleet) -> None:
    version, before = fleet.push(), starts(fleet)
    process = fleet.coordinator.process
    assert process is not None
    with fleet.load(clients=1) as load:
        rollout = fleet.begin(version)
        canary = fleet.host("web-1")
        eventually(
            lambda: not fleet.places()["web-1"].startswith("UP"), what="web-1 drained", within=WITHIN, every=0.002
        )
        with hanging(process.pid):
            eventually(lambda: canary.web.answers == version, what="the canary's step ended", within=WITHIN)
            load.after(50)
        end = fleet.until(rollout, lambda info: info.end or info.asked, what="the end")
    assert load.failures == []
    done_once(fleet, end, version, before)


@later
def test_a_coordinator_that_hung_longer_than_all_deadlines_blames_nobody(fleet: Fleet) -> None:
    fleet.policy(prepare_within=15, host_within=15)
    version, before = fleet.push(), starts(fleet)
    process = fleet.coordinator.process
    assert process is not None
    with fleet.load(clients=1) as load:
        rollout = fleet.begin(version)
        eventually(
            lambda: not fleet.places()["web-1"].startswith("UP"), what="web-1 drained", within=WITHIN, every=0.002
        )
        with hanging(process.pid):
            until = time.monotonic() + 95  # its time, and the minute in which its word may still arrive
            while time.monotonic() < until:
                load.after(5)
        end = fleet.until(rollout, lambda info: info.end or info.asked, what="the end")
    assert load.failures == []
    done_once(fleet, end, version, before)


@contextmanager
def _no_memory(fleet: Fleet) -> Iterator[None]:
    fleet.rabbitmq.ctl("set_vm_memory_high_watermark", "0.0001")
    try:
        yield
    finally:
        fleet.rabbitmq.ctl("set_vm_memory_high_watermark", "0.4")


@contextmanager
def _impatient(fleet: Fleet, seconds: float) -> Iterator[None]:
    """Deliveries that nobody acknowledges are taken back after so long. Channels learn it when they are opened."""
    asked = fleet.rabbitmq.ctl("eval", "application:get_env(rabbit, consumer_timeout).").strip()
    before = asked.removeprefix("{ok,").removesuffix("}") if asked.startswith("{ok,") else "undefined"
    _eval(fleet, f"application:set_env(rabbit, consumer_timeout, {int(seconds * 1000)})")
    _eval(fleet, "application:set_env(rabbit, channel_tick_interval, 1000)")
    fleet.rabbitmq.ctl("close_all_connections", "anew")
    try:
        yield
    finally:
        _eval(fleet, f"application:set_env(rabbit, consumer_timeout, {before})")
        _eval(fleet, "application:set_env(rabbit, channel_tick_interval, 60000)")
        fleet.rabbitmq.ctl("close_all_connections", "anew")


def _eval(fleet: Fleet, text: str) -> None:
    fleet.rabbitmq.ctl("eval", f"{text}.")


@contextmanager
def _flood(fleet: Fleet, host: FleetHost) -> Iterator[list[int]]:
    """Evidence in the host's name, as fast as the broker takes it; how many were sent."""
    key = SigningKey.load(host.folder / "host.key")
    sent, stop = [0], threading.Event()
    bus = RabbitBus(fleet.broker_url, name="flood")

    def talk() -> None:
        while not stop.is_set():
            sent[0] += 1
            now = time.time()
            counts = {f"{sent[0]}-{number}": (1, 1) for number in range(100)}
            told = Evidence(
                host=host.name, app="web", boot=1, epoch=1, seq=sent[0], since=now, sent_at=now, counts=counts
            )  # fmt: skip
            body = seal(EVIDENCE, told, key)
            bus.publish(topology.REPORTS, topology.evidence_key(host.name), body, slot=str(sent[0] % 200))

    talker = threading.Thread(target=talk)
    bus.start()
    talker.start()
    try:
        yield sent
    finally:
        stop.set()
        talker.join(10)
        bus.close(1.0)


def _closed(link: pika.BlockingConnection, channel: BlockingChannel) -> bool:
    link.process_data_events(time_limit=0.5)
    return not channel.is_open


def _connections(host: FleetHost) -> int:
    return host.agent_log().count("Connected to the broker")


def _serving(info: m.RolloutInfo) -> int:
    return sum(host.state == "serving" for host in info.hosts)


def _doubles(fleet: Fleet) -> list[str]:
    return [one.text for one in fleet.get("/doctor", m.Doctor).checks if "second agent" in one.text]


def _waiting(fleet: Fleet, host: FleetHost) -> int:
    rows = fleet.rabbitmq.ctl("list_queues", "-p", fleet.vhost, "name", "messages").splitlines()
    found = dict(row.split() for row in rows if row.startswith("noonday.agent."))
    return int(found[topology.agent_queue(host.name)])
