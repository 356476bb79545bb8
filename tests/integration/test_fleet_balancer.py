"""Trouble between real hosts and their load balancer: before a rollout, in its middle, and by an operator's wish."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.eventually import eventually
from support.fleet import Fleet


def hiding(socket: Path) -> str:
    """A hook that lets HAProxy's socket vanish."""
    return f"#!/bin/sh\n[ ! -e {socket} ] || mv {socket} {socket}.away\n"


def bring_back(socket: Path) -> None:
    Path(f"{socket}.away").rename(socket)


def test_a_balancer_that_is_gone_before_the_drain_changes_nothing(fleet: Fleet) -> None:
    socket = fleet.haproxy.admin_socket
    before = [host.web.starts for host in fleet.hosts]
    toml = '[hooks]\npre_activate = "hooks/pre"\n'
    version = fleet.push(toml=toml, files={"hooks/pre": hiding(socket)})
    try:
        end = fleet.deploy(version)
    finally:
        bring_back(socket)
    assert end.end != "done"
    assert "drain: " in end.reason
    assert str(socket) in end.reason
    assert [host.web.starts for host in fleet.hosts] == before
    assert fleet.in_service() == {"web-1", "web-2"}


def test_a_balancer_that_is_gone_after_the_switch_is_tried_until_it_is_back(fleet: Fleet) -> None:
    socket = fleet.haproxy.admin_socket
    toml = '[hooks]\npost_activate = "hooks/post"\n'
    version = fleet.push(toml=toml, files={"hooks/post": hiding(socket)})
    canary, other = fleet.hosts
    before = other.web.answers
    rollout = fleet.begin(version)
    try:
        waiting = fleet.until(rollout, lambda info: str(socket) in shown_trouble(info.hosts[0].report), what="trouble")
        assert canary.web.answers == version
        assert canary.name in fleet.app().hosts_out  # the other is behind the same balancer, which nobody can ask
        assert waiting.hosts[0].report is not None
        assert waiting.hosts[0].report.in_service is False
        assert other.web.answers == before
        assert f"{canary.name}  " in fleet.cli("hosts").out
    finally:
        bring_back(socket)
    # The second host's hook hides it once more.
    eventually(Path(f"{socket}.away").exists, what="the second host's turn", within=40)
    bring_back(socket)
    assert fleet.ended(rollout).end == "done"
    assert fleet.in_service() == {"web-1", "web-2"}
    assert {host.web.starts.count(version) for host in fleet.hosts} == {1}
    # Whoever went back to this release would run its hook again.
    assert fleet.deploy(fleet.push()).end == "done"


def shown_trouble(report: object) -> str:
    return str(getattr(report, "trouble", ""))


def test_a_balancer_that_lets_in_what_warms_up_is_told_again(fleet: Fleet) -> None:
    """As one without a health check does at a reload."""
    canary, version = fleet.host("web-1"), fleet.push()
    canary.web.behave(version)
    rollout = fleet.begin(version)
    eventually(lambda: fleet.told("web-1").phase == "warming-up", what="the warm-up")
    for order in ("disable health web/web-1", "set server web/web-1 health up", "set server web/web-1 state ready"):
        fleet.haproxy.ask(order)
    try:
        said = "web: a load balancer let the app in that is held out; it was told again"
        eventually(lambda: said in canary.agent_log(), what="the agent's word of it")
        eventually(lambda: fleet.places()["web-1"].startswith("DRAIN"), what="web-1 out again")
        canary.web.behave()
        assert fleet.ended(rollout).end == "done"
    finally:
        canary.web.behave()
        fleet.haproxy.ask("enable health web/web-1")
    assert canary.web.starts.count(version) == 1
    assert fleet.in_service() == {"web-1", "web-2"}


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('backend = "web"', 'backend = "wep"', "web"),
        ('backend = "web", server = "web-1"', 'backend = "web", server = "web-11"', "web/web-1"),
        ('program = "web"', 'program = "wbe"', "web"),
    ],
)
def test_an_agent_with_a_wrong_name_does_not_start_and_names_the_nearest(
    fleet: Fleet, old: str, new: str, says: str
) -> None:
    host = fleet.host("web-1")
    with host.edited(old, new):
        refused = host.run_refused()
        status, checked = host.ask_agent("check")
        assert fleet.in_service() == {"web-1", "web-2"}
    assert refused.startswith("[apps.web] ")
    assert f"did you mean {says}?" in refused.replace("'", "")
    assert "Next: " in refused
    assert status == 1
    assert f"did you mean {says}?" in checked.replace("'", "")


def test_an_operator_drains_a_host_and_lets_it_back_without_a_restart(fleet: Fleet) -> None:
    host = fleet.host("web-2")
    starts = host.web.starts
    version = fleet.push()
    with fleet.load() as load:
        load.after(10)
        fleet.ok("drain", "web-2")
        eventually(lambda: fleet.in_service() == {"web-1"}, what="web-2 out of service")
        load.after(20)
        assert host.web.answers, "the app goes on running"
        assert fleet.refused("drain", "web-2").rule == "drained"
        assert fleet.refused("drain", "web-1").rule == "last-in-service"
        refusal = fleet.refused("deploy", "web", version, "--yes")
        assert refusal.rule == "drained"
        assert "web-2 (by admin)" in refusal.text
        fleet.ok("undrain", "web-2")
        eventually(lambda: fleet.in_service() == {"web-1", "web-2"}, what="web-2 back in service")
        load.after(20)
    assert load.failures == []
    assert host.web.starts == starts
    assert fleet.refused("undrain", "web-2").rule == "not-drained"


def test_a_drained_host_stays_out_when_its_agent_and_the_coordinator_start_again(fleet: Fleet) -> None:
    fleet.ok("drain", "web-2")
    eventually(lambda: fleet.told("web-2").phase == "out", what="web-2 out")
    fleet.host("web-2").kill_agent()
    fleet.coordinator.kill()
    fleet.coordinator.start()
    fleet.host("web-2").start_agent()
    eventually(lambda: fleet.told("web-2").generation and fleet.told("web-2").phase == "out", what="its word")
    assert fleet.in_service() == {"web-1"}
    fleet.ok("undrain", "web-2")
    eventually(lambda: fleet.in_service() == {"web-1", "web-2"}, what="web-2 back in service")
