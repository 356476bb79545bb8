"""Agents and the coordinator cut off from the broker, before, during and after a step: packets vanish without a word.

Each host and the coordinator live in a network namespace of their own, with one cable for the load balancer and people
and one for the broker, which is pulled out. A host that is cut off ends its step at a safe end and begins nothing;
together again, all goes on, and nothing happens twice.
"""

from __future__ import annotations

import os
import secrets
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil
import pytest
from chaos.caught import ALL, LONG, done_once, drained, hanging, serves, silent, starts

from noonday_coordinator.api import models as m
from support.eventually import eventually
from support.fleet import Fleet, running_fleet
from support.fleet_commands import WITHIN
from support.fleet_host import FleetHost
from support.network import Room, network
from support.rabbitmq import RabbitMQ

pytestmark = pytest.mark.timeout(400)

CUTS = [2.0, 50.0] if LONG else [2.0]
"""Seconds without a cable: TCP mends the short one, of the long one both sides have given their connection up."""

BLOB = 64 << 20
"""Random bytes of a release that is not fetched in a moment."""
PATIENCE = 400
later = pytest.mark.skipif(not LONG, reason="all cuts are made by: make chaos")


@pytest.fixture(scope="module")
def parted(rabbitmq: RabbitMQ) -> Iterator[Fleet]:
    with network() as net, running_fleet(rabbitmq, hosts=3, apps=("web",), network=net) as made:
        yield made


@pytest.fixture
def fleet(parted: Fleet) -> Iterator[Fleet]:
    for room in _rooms(parted):
        room.join()
    parted.at_rest()
    parted.policy(prepare_within=PATIENCE, host_within=PATIENCE)
    yield parted
    print(parted.words())  # pytest shows it when the test failed


@later
@pytest.mark.parametrize("seconds", CUTS)
def test_an_agent_cut_off_before_its_step_is_named_and_goes_on_once_it_is_back(seconds: float, fleet: Fleet) -> None:
    version, before = fleet.push(), starts(fleet)
    # Nothing is heard of it since the rollout began, so by default the rollout would end, with nobody drained.
    fleet.policy(prepare_within=PATIENCE, host_within=PATIENCE, offline="wait")
    with fleet.load(clients=1) as load, _cut(fleet.host("web-2").room):
        rollout = fleet.begin(version)
        _for(seconds, load.after)
        assert fleet.in_service() == ALL, "nobody is drained before all are prepared"
        if seconds > 30:
            assert "web-2 (not heard for" in fleet.app().waiting_for
    end = fleet.until(rollout, lambda info: info.end or info.asked, what="the end")
    assert load.failures == []
    done_once(fleet, end, version, before)


@pytest.mark.parametrize("seconds", CUTS)
def test_an_agent_cut_off_in_its_step_ends_safe_and_nobody_else_is_drained(seconds: float, fleet: Fleet) -> None:
    version, before = fleet.push(), starts(fleet)
    canary = fleet.host("web-1")
    with fleet.load(clients=1) as load:
        rollout = fleet.begin(version)
        drained(fleet, canary)
        with _cut(canary.room):
            eventually(lambda: serves(fleet, canary, version), what="a safe end without a broker", within=WITHIN)
            _for(seconds, load.after)
            assert _listening(canary) == []
            if seconds > 30:
                assert "web-1 (not heard for" in fleet.app().waiting_for
            assert {host.web.answers for host in fleet.hosts[1:]} == {before["web-2"][-1]}
        end = fleet.until(rollout, lambda info: info.end or info.asked, what="the end")
    assert load.failures == []
    done_once(fleet, end, version, before)


@later
@pytest.mark.parametrize("seconds", CUTS)
def test_an_agent_cut_off_after_its_step_keeps_what_it_has(seconds: float, fleet: Fleet) -> None:
    version, before = fleet.push(), starts(fleet)
    canary = fleet.host("web-1")
    fleet.policy(prepare_within=PATIENCE, host_within=PATIENCE, gates=["canary"])
    with fleet.load(clients=1) as load:
        rollout = fleet.begin(version)
        fleet.until(rollout, lambda info: info.stage == "gate", what="the gate")
        with _cut(canary.room):
            _for(seconds, load.after)
            assert serves(fleet, canary, version)
            fleet.ok("promote", "web")
            if seconds > 30:
                assert fleet.in_service() == ALL, "nobody knows whether web-1 serves, so nobody else is drained"
        end = fleet.until(rollout, lambda info: info.end or info.asked, what="the end")
    assert load.failures == []
    done_once(fleet, end, version, before)


def test_an_agent_cut_off_with_a_bad_release_brings_the_old_one_back_by_itself(fleet: Fleet) -> None:
    old = fleet.app().current
    assert old is not None
    files = {"hooks/post": "#!/bin/sh\nexit 1\n"}
    version = fleet.push(toml='[hooks]\npost_activate = "hooks/post"\n', files=files)
    before = starts(fleet)
    canary = fleet.host("web-1")
    with fleet.load(clients=1) as load:
        rollout = fleet.begin(version)
        drained(fleet, canary)
        with _cut(canary.room):
            back = [*before["web-1"], version, old.version]
            eventually(lambda: canary.web.starts == back, what="its way back", within=WITHIN)
            eventually(lambda: fleet.in_service() == ALL, what="web-1 in service", within=WITHIN)
        end = fleet.until(rollout, lambda info: info.end or info.asked, what="the end")
    assert load.failures == []
    assert end.end == "rolled-back", end.reason
    assert starts(fleet) == {**before, "web-1": back}


@pytest.mark.parametrize("seconds", [2.0, 100.0] if LONG else [2.0])
def test_a_coordinator_cut_off_while_a_host_works_blames_nobody_and_goes_on(seconds: float, fleet: Fleet) -> None:
    version, before = fleet.push(), starts(fleet)
    canary = fleet.host("web-1")
    # In the long cut its time passes, and the minute's grace: that nothing was heard is the cable's fault.
    fleet.policy(prepare_within=20, host_within=20)
    with fleet.load(clients=1) as load:
        rollout = fleet.begin(version)
        drained(fleet, canary)
        with _cut(fleet.room):
            eventually(lambda: serves(fleet, canary, version), what="a safe end without a coordinator", within=WITHIN)
            _for(seconds, load.after)
            assert {host.web.answers for host in fleet.hosts[1:]} == {before["web-2"][-1]}
            if seconds > 40:
                assert not fleet.get("/status", m.Status).broker.connected
        end = fleet.until(rollout, lambda info: info.end or info.asked, what="the end")
    assert load.failures == []
    done_once(fleet, end, version, before)


@later
@pytest.mark.parametrize("seconds", CUTS)
def test_all_cut_off_at_once_and_together_again_go_on(seconds: float, fleet: Fleet) -> None:
    version, before = fleet.push(), starts(fleet)
    canary, second, third = fleet.hosts
    with fleet.load(clients=1) as load:
        rollout = fleet.begin(version)
        drained(fleet, canary)
        with _cut(fleet.room), _cut(canary.room), _cut(second.room), _cut(third.room):
            eventually(lambda: fleet.in_service() == ALL, what="all in service without a broker", within=WITHIN)
            _for(seconds, load.after)
        end = fleet.until(rollout, lambda info: info.end or info.asked, what="the end")
    assert load.failures == []
    done_once(fleet, end, version, before)


@later
@pytest.mark.parametrize("seconds", [2.0, 100.0])
def test_a_host_that_loses_both_cables_in_the_middle_of_a_fetch_goes_on_where_it_was(
    seconds: float, fleet: Fleet
) -> None:
    """Neither broker nor releases nor load balancer reach it, in the end for longer than a connection lives."""
    version, before = fleet.push(files={"blob": secrets.token_hex(BLOB)}), starts(fleet)
    fleet.policy(prepare_within=PATIENCE, host_within=PATIENCE, offline="wait")
    host = fleet.host("web-2")
    rollout = fleet.begin(version)
    (archive,) = (fleet.folder / "noonday" / "data" / "artifacts" / "web").glob(f"web-{version}-*.tar.gz")
    eventually(lambda: _fetched(host), what="a fetch that has begun", within=WITHIN, every=0.001)
    with hanging(host.agent_pid), _cut(host.room, wholly=True):
        assert 0 < _fetched(host) < archive.stat().st_size, "it is in the middle of it"
        os.kill(host.agent_pid, signal.SIGCONT)
        eventually(lambda: silent(fleet, host) > seconds, what="its silence", within=seconds + WITHIN, every=0.5)
        assert fleet.rollout(rollout).stage == "preparing"
        assert starts(fleet) == before
    end = fleet.until(rollout, lambda info: info.end or info.asked, what="the end")
    done_once(fleet, end, version, before)


@later
def test_a_host_without_its_cable_counts_as_unreachable_and_is_soon_heard_once_it_is_back(fleet: Fleet) -> None:
    host = fleet.host("web-1")
    with _cut(host.room):
        began = time.monotonic()
        eventually(lambda: silent(fleet, host) > 30, what="a host that counts as unreachable", within=60, every=0.2)
        noticed = time.monotonic() - began
        assert "web-1 was not heard for" in fleet.cli("doctor").out
        eventually(lambda: silent(fleet, host) > 45, what="both sides to have given up", within=60, every=0.2)
    began = time.monotonic()
    eventually(lambda: silent(fleet, host) < 3, what="web-1 heard again", within=90, every=0.1)
    print(f"unreachable after {noticed:.0f} s, heard again {time.monotonic() - began:.0f} s after the cable was back")
    assert noticed <= 31


def _rooms(fleet: Fleet) -> list[Room]:
    return [room for room in (fleet.room, *(host.room for host in fleet.hosts)) if room is not None]


def _fetched(host: FleetHost) -> int:
    """Bytes of a release that the host has fetched in part."""
    return sum(part.stat().st_size for part in host.state_dir.rglob("*.part"))


@contextmanager
def _cut(room: Room | None, *, wholly: bool = False) -> Iterator[None]:
    """The cable between this room and the broker is pulled out in the block; `wholly`: the other one too."""
    assert room is not None
    room.cut(wholly=wholly)
    try:
        yield
    finally:
        room.join()


def _for(seconds: float, ask: Callable[[int], None]) -> None:
    """Let so much time pass under load."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        ask(5)


def _listening(host: FleetHost) -> list[object]:
    links = psutil.Process(host.agent_pid).net_connections()
    return [link.laddr for link in links if link.status == psutil.CONN_LISTEN]
