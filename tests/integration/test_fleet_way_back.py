"""A way back that fails on a real fleet: it stops, says so, and goes on when a person asks for it."""

from __future__ import annotations

from noonday_coordinator.api import models as m
from noonday_coordinator.cli.exits import Exit
from support.eventually import eventually
from support.fleet import Fleet


def _state(info: m.RolloutInfo, host: str) -> str:
    return next(one.state for one in info.hosts if one.host == host)


def test_a_way_back_that_fails_on_one_host_takes_no_other_out_and_is_finished_once_that_is_mended(fleet: Fleet) -> None:
    kept, failing = fleet.host("web-1"), fleet.host("web-2")
    before = failing.web.answers
    version = fleet.push(mode="slow 1")
    rollout = fleet.begin(version)
    fleet.until(rollout, lambda info: _state(info, "web-2") == "working", what="web-2 at work")
    failing.web.behave(before)
    with fleet.load() as load:
        fleet.ok("rollback", "web", "--why", "slow", "--yes", "--no-wait")
        end = fleet.ended(rollout)
        load.after(10)
    assert end.end == "failed"
    assert "The way back stops here, nothing goes forth and back: web-2 could not serve" in end.reason
    assert (kept.web.answers, _state(end, "web-1"), load.failures) == (version, "kept", [])
    assert "web-2" not in fleet.in_service()
    assert "left it there: the way back stopped" in fleet.cli("hosts").out
    failing.web.behave()
    eventually(lambda: "web-2" in fleet.in_service(), what="web-2 in service by itself", every=0.2)
    assert failing.web.answers == before
    assert fleet.refused("deploy", "web", version, "--yes").rule == "blocked"
    ran = fleet.cli("reconcile", "web", "--yes")
    assert (ran.exit, kept.web.answers) == (0, before), ran


def test_a_rollback_that_fails_half_way_leaves_nobody_a_way_to_what_was_left_and_can_be_asked_for_again(
    fleet: Fleet,
) -> None:
    before = fleet.host("web-1").web.answers
    version = fleet.push()
    assert fleet.deploy(version).end == "done"
    first = fleet.host("web-2")
    first.web.behave(before)
    ran = fleet.cli("rollback", "web", "--why", "orders are lost", "--yes")
    assert ran.exit == Exit.FAILED, ran
    assert "The rollback stops here, nothing goes forth and back" in ran.out
    assert {host.web.answers for host in fleet.hosts} == {version}, "it put the newer one back by itself"
    assert fleet.refused("deploy", "web", version, "--yes").rule == "blocked"
    first.web.behave()
    ran = fleet.cli("rollback", "web", "--why", "it was the disk", "--yes")
    assert (ran.exit, {host.web.answers for host in fleet.hosts}) == (0, {before}), ran
