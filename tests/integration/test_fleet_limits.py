"""Limits, groups, failures, absence, illness and aborts on one real fleet of four hosts in two racks."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from noonday_agent.config import SupervisordProcess as Settings
from noonday_agent.processes.supervisord import Supervisord
from noonday_coordinator.api import models as m
from noonday_coordinator.cli.exits import Exit
from noonday_coordinator.core import events as e
from noonday_coordinator.core.state import HostState
from noonday_shared.messages import Goal
from support.eventually import eventually
from support.fleet import Fleet, lent, running_fleet
from support.fleet_commands import WITHIN
from support.fleet_host import FleetHost
from support.rabbitmq import RabbitMQ
from support.told_events import kept

RACKS = {"web-1": "a", "web-2": "a", "web-3": "b", "web-4": "b"}
ABORT = 5.0
"""Seconds in which an abort takes effect."""


@pytest.fixture(scope="module")
def rack_fleet(rabbitmq: RabbitMQ) -> Iterator[Fleet]:
    with running_fleet(rabbitmq, hosts=4, apps=("web",)) as made:
        for host, rack in RACKS.items():
            made.ok("enroll", host, "--label", "role=web", "--label", f"rack={rack}")
        yield made


@pytest.fixture
def fleet(rack_fleet: Fleet) -> Iterator[Fleet]:
    yield from lent(rack_fleet)


def test_racks_are_released_one_after_the_other_and_each_keeps_to_its_limit(fleet: Fleet) -> None:
    fleet.policy(group_by="rack", group_limit=1, max_unavailable=2)
    version = fleet.push()
    plan = fleet.ok("deploy", "web", version, "--plan")
    assert (plan["waves"], plan["limit"]) == ([["web-1"], ["web-2"], ["web-3", "web-4"]], 2)
    said = "rack by rack: a (web-1, web-2), then b (web-3, web-4); out at once, at most: 1 of a and 1 of b"
    assert said in fleet.cli("deploy", "web", version, "--plan").out
    with fleet.load() as load, places_seen(fleet) as seen:
        rollout = fleet.begin(version)
        fleet.until(rollout, lambda info: "working" in states(info, "rack=b"), what="work on rack b")
        assert {host.name: host.web.answers == version for host in fleet.hosts[:2]} == {"web-1": True, "web-2": True}
        assert "wave 2, rack=b" in fleet.cli("show", rollout).out
        end = fleet.ended(rollout)
        load.after(10)
    assert (end.end, load.failures) == ("done", [])
    assert {frozenset(RACKS) - up for up in seen} <= {frozenset(), *(frozenset({host}) for host in RACKS)}
    _first_rack_first(fleet, rollout, version)


def test_failures_are_counted_over_all_waves_and_one_too_many_sends_everything_back(fleet: Fleet) -> None:
    before = {host.name: (host.web.answers, host.web.starts) for host in fleet.hosts}
    old = before["web-1"][0]
    version = push_failing_on(fleet, "web-2", "web-4")
    fleet.policy(max_failures=1, waves=[1, 1, "100%"])
    with fleet.load() as load:
        ran = fleet.cli("deploy", "web", version, "--yes")
        load.after(10)
    end = fleet.rollout(newest(fleet))
    assert (ran.exit, end.end, load.failures) == (Exit.ROLLED_BACK, "rolled-back", [])
    for host in ("web-2", "web-4"):
        assert f"{host} put its previous release back" in end.reason
        assert host in ran.out
    went = {host.name: [*before[host.name][1], version, old] for host in fleet.hosts}
    assert {host.name: host.web.starts for host in fleet.hosts} == went
    assert {host.web.answers for host in fleet.hosts} == {old}
    assert fleet.in_service() == set(RACKS)


def test_as_many_failures_as_allowed_are_left_out_and_the_status_says_so(fleet: Fleet) -> None:
    old = fleet.host("web-1").web.answers
    version = push_failing_on(fleet, "web-2", "web-4")
    fleet.policy(max_failures=2, waves=[1, 1, "100%"], catch_up=False)
    with fleet.load() as load:
        ran = fleet.cli("deploy", "web", version, "--yes")
        load.after(10)
    assert (ran.exit, load.failures) == (Exit.PARTLY, []), ran
    end = fleet.rollout(newest(fleet))
    assert (end.end, set(end.left_out)) == ("done", {"web-2", "web-4"})
    assert "2 of 4 hosts serve" in end.reason
    assert [host.web.answers for host in fleet.hosts] == [version, old, version, old]
    assert fleet.in_service() == set(RACKS)


def test_a_host_that_is_away_is_refused_waited_for_up_to_a_deadline_left_out_or_waited_for_until_it_is_back(
    fleet: Fleet,
) -> None:
    away, before = fleet.host("web-4"), {host.name: host.web.starts for host in fleet.hosts}
    version = fleet.push()
    away.stop_agent()
    fleet.policy(offline="fail", unreachable_after=11)
    eventually(lambda: silent(fleet, away) > 11, what="the silence of web-4", every=0.2)

    refusal = fleet.refused("deploy", "web", version, "--yes")
    assert (refusal.rule, "web-4 (last seen" in refusal.text) == ("unreachable", True)

    fleet.policy(offline="wait", unreachable_after=11, prepare_within=2)
    end = fleet.deploy(version)
    assert end.end == "failed"
    assert "Not prepared within 2 s: web-4 (last seen" in end.reason
    assert "None was drained" in end.reason
    assert {host.name: host.web.starts for host in fleet.hosts} == before

    fleet.policy(offline="skip", unreachable_after=11)
    ran = fleet.cli("deploy", "web", version, "--yes")
    assert (ran.exit, "Left out: web-4 (offline" in ran.out) == (Exit.PARTLY, True), ran
    assert [host.web.answers == version for host in fleet.hosts] == [True, True, True, False]

    newer = fleet.push()
    fleet.policy(offline="wait", unreachable_after=11)
    rollout = fleet.begin(newer)
    waits = fleet.until(rollout, lambda info: states(info).count("prepared") == 3, what="three that are prepared")
    assert (waits.stage, "web-4 (not heard for" in waits.waiting_for) == ("preparing", True)
    assert "web-4 (not heard for" in fleet.cli("status").out
    with fleet.load() as load:
        away.start_agent()
        end = fleet.ended(rollout)
        load.after(10)
    assert (end.end, end.left_out, load.failures) == ("done", {}, [])
    assert {host.web.answers for host in fleet.hosts} == {newer}


def test_a_good_release_goes_out_to_a_fleet_that_is_ill_everywhere_and_heals_it(fleet: Fleet) -> None:
    old = fleet.host("web-1").web.answers
    version = fleet.push()
    fleet.host("web-3").web.behave(old)
    eventually(lambda: fleet.told("web-3").healthy is False, what="web-3 known to be ill", within=WITHIN, every=0.1)
    plan = fleet.ok("deploy", "web", version, "--plan")
    assert plan["waves"] == [["web-3"], ["web-1", "web-2", "web-4"]]
    for host in fleet.hosts:
        host.web.behave(old)
    eventually(lambda: fleet.in_service() == set(), what="nobody in service", within=WITHIN, every=0.1)
    eventually(lambda: not fleet.app().hosts_in, what="that all are ill known", within=WITHIN, every=0.1)
    assert "web-1, web-2, web-3, web-4 goes first" in fleet.cli("deploy", "web", version, "--plan").out
    end = fleet.deploy(version)
    assert end.end == "done", end.reason
    assert {host.web.answers for host in fleet.hosts} == {version}
    assert fleet.in_service() == set(RACKS)
    assert all(fleet.told(host).healthy for host in RACKS)


def test_an_abort_does_not_wait_for_an_app_that_is_slow_to_stop(fleet: Fleet) -> None:
    version, host = fleet.push(), fleet.host("web-1")
    old, before = host.web.answers, host.web.starts
    host.web.behave("lingers")  # until supervisord kills it, after 5 s
    with fleet.load() as load:
        rollout = fleet.begin(version)
        eventually(lambda: stopping(host), what="an app that was told to stop", within=WITHIN, every=0.01)
        fleet.ok("abort", "web", "--why", "wrong day")
        eventually(lambda: fleet.told("web-1").going_back, what="a host on its way back", within=ABORT)
        assert stopping(host), "it turned back only when the app had stopped"
        end = fleet.ended(rollout)
        load.after(10)
    assert (end.end, "wrong day" in end.reason, load.failures) == ("aborted", True, [])
    assert (host.web.answers, host.web.starts) == (old, [*before, old])
    assert fleet.in_service() == set(RACKS)


def test_a_host_that_is_down_by_itself_takes_the_place_of_the_next_one_until_it_is_back(fleet: Fleet) -> None:
    fleet.policy(gates=["canary"], waves=[1, "100%"])
    version, old, down = fleet.push(), fleet.host("web-2").web.answers, fleet.host("web-3")
    rollout = fleet.begin(version)
    fleet.until(rollout, lambda info: info.stage == "gate", what="the gate")
    down.supervisord.ctl("stop", "web")
    eventually(lambda: fleet.told("web-3").in_service is False, what="web-3 known to be out", within=WITHIN, every=0.1)
    with fleet.load() as load, places_seen(fleet) as seen:
        fleet.ok("promote", "web")
        waits = fleet.until(
            rollout, lambda info: "web-3 is out of service" in info.waiting_for, what="the wait for room"
        )
        assert waits.waves[waits.wave] == ("web-2",)
        load.after(100)
        assert (fleet.host("web-2").web.answers, states(fleet.rollout(rollout))[1]) == (old, "prepared")
        assert fleet.in_service() == {"web-1", "web-2", "web-4"}
        down.supervisord.ctl("start", "web")
        end = fleet.ended(rollout)
        load.after(10)
    assert (end.end, load.failures) == ("done", []), end.reason
    assert {host.web.answers for host in fleet.hosts} == {version}
    assert max(len(RACKS) - len(up) for up in seen) == 1


def test_a_host_that_is_enrolled_in_mid_rollout_serves_the_old_release_until_the_verdict_and_then_the_new_one(
    fleet: Fleet,
) -> None:
    new, old = fleet.host("web-4"), fleet.host("web-1").web.answers
    taken_away(fleet, new)
    before = new.web.starts
    fleet.policy(gates=["canary"])
    version = fleet.push()
    with fleet.load() as load:
        rollout = fleet.begin(version)
        fleet.until(rollout, lambda info: info.stage == "gate", what="the gate")
        fleet.enroll(new, "--label", "rack=b")
        new.start_agent()
        eventually(lambda: fleet.in_service() == set(RACKS), what="web-4 in service", within=WITHIN, every=0.05)
        assert (new.web.answers, new.web.starts) == (old, [*before, old])
        fleet.ok("promote", "web")
        end = fleet.ended(rollout)
        eventually(lambda: new.web.answers == version, what="web-4 with the new release", within=WITHIN, every=0.05)
        eventually(lambda: fleet.in_service() == set(RACKS), what="all in service", within=WITHIN, every=0.05)
        load.after(10)
    assert (end.end, [host.host for host in end.hosts]) == ("done", ["web-1", "web-2", "web-3"]), "it was compared"
    assert load.failures == []
    assert new.web.starts == [*before, old, version]


def taken_away(fleet: Fleet, host: FleetHost) -> None:
    """No longer enrolled, with no release and no memory, as a machine that was never a host."""
    host.stop_agent()
    host.supervisord.ctl("stop", "web")
    fleet.ok("remove", host.name)
    shutil.rmtree(host.state_dir)
    shutil.rmtree(host.web.root)
    eventually(lambda: host.name not in fleet.in_service(), what=f"{host.name} out", within=WITHIN, every=0.05)


@contextmanager
def places_seen(fleet: Fleet) -> Iterator[set[frozenset[str]]]:
    """Every set of hosts that HAProxy had in service at a look inside the block."""
    seen: set[frozenset[str]] = set()
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.01):
            seen.add(frozenset(fleet.in_service()))

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    try:
        yield seen
    finally:
        over.set()
        looking.join(WITHIN)


def _first_rack_first(fleet: Fleet, rollout: str, version: str) -> None:
    """Nobody of the second rack was told to serve the release before all of the first one did."""
    order: list[str] = []
    for record in kept(fleet.folder / "noonday" / "data" / "events.sqlite"):
        match record.event:
            case e.Assigned(host=host, goal=Goal.SERVING, rollout=one, release=ref, observe=True) if one == rollout:
                assert ref is not None
                assert ref.version == version
                order.append(f"told {RACKS[host]}")
            case e.HostJudged(rollout=one, host=host, state=HostState.SERVING) if one == rollout:
                order.append(f"serves {RACKS[host]}")
    assert order == ["told a", "serves a"] * 2 + ["told b", "serves b"] * 2


def push_failing_on(fleet: Fleet, *hosts: str) -> str:
    """A release that can't be activated on these hosts."""
    hook = f'#!/bin/sh\ncase "$NOONDAY_HOST" in {"|".join(hosts)}) exit 1 ;; esac\n'
    return fleet.push(toml='[hooks]\npost_activate = "hooks/post"\n', files={"hooks/post": hook})


def states(info: m.RolloutInfo, group: str = "") -> list[str]:
    return [host.state for host in info.hosts if group in ("", host.group)]


def newest(fleet: Fleet) -> str:
    return fleet.get("/rollouts?app=web&limit=1", m.Rollouts).rollouts[0].id


def silent(fleet: Fleet, host: FleetHost) -> float:
    return next(one.silent for one in fleet.get("/hosts", m.Hosts).hosts if one.host == host.name)


def stopping(host: FleetHost) -> bool:
    settings = Settings(kind="supervisord", socket=host.supervisord.socket, program="web")
    return Supervisord(settings).state() == "STOPPING"
