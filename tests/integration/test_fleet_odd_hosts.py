"""Odd hosts on a real fleet: away at the start and back later, changed by hand, pruned, taken over in mid-rollout."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from noonday_coordinator.api import models as m
from noonday_coordinator.cli.exits import Exit
from support.eventually import eventually
from support.fleet import Fleet
from support.fleet_host import FleetHost


def homecoming(fleet: Fleet, after: str) -> m.RolloutSummary:
    """The rollout that brought a host home since `after`, once it has ended."""

    def ended() -> m.RolloutSummary | None:
        newest = fleet.get("/rollouts?app=web&limit=1", m.Rollouts).rollouts[0]
        return newest if newest.kind == "reconcile" and newest.id != after and newest.end else None

    found = eventually(ended, what="the end of a homecoming", every=0.2)
    assert found is not None
    return found


def at_rest(host: FleetHost) -> bool:
    """Whether it took up what it was told after its rollout, which undoes whatever was changed before."""
    journal = host.journal()
    told = journal["assignment"]
    return isinstance(told, dict) and not told["observe"] and journal["outcome"] == "done"


def point_current_at(host: FleetHost, release: str) -> None:
    """As a person does it, with `ln -sfn`."""
    current = host.web.root / "current"
    beside = current.with_name("by-hand")
    beside.symlink_to(Path("releases") / release)
    os.replace(beside, current)


def test_a_host_that_is_away_is_left_out_with_a_status_of_its_own_and_comes_home_when_it_is_back(fleet: Fleet) -> None:
    away, other = fleet.host("web-2"), fleet.host("web-1")
    before = away.web.answers
    fleet.policy(offline="skip", unreachable_after=11, allow_outage=True)
    away.stop_agent()
    hosts = fleet.get("/hosts", m.Hosts).hosts
    assert {host.host for host in hosts} == {"web-1", "web-2"}

    def silent() -> bool:
        return any(one.host == "web-2" and one.silent > 11 for one in fleet.get("/hosts", m.Hosts).hosts)

    eventually(silent, what="the silence of web-2", every=0.2)
    version = fleet.push()
    ran = fleet.cli("deploy", "web", version, "--yes")
    assert ran.exit == Exit.PARTLY, ran
    assert "Left out: web-2 (offline" in ran.out
    assert (other.web.answers, away.web.answers) == (version, before)
    rollout = fleet.get("/rollouts?app=web&limit=1", m.Rollouts).rollouts[0].id
    away.start_agent()
    with fleet.load() as load:
        home = homecoming(fleet, after=rollout)
        load.after(10)
    assert home.end == "done", home
    assert (away.web.answers, load.failures) == (version, [])


def test_what_was_changed_by_hand_is_shown_and_mended_only_when_a_person_asks(fleet: Fleet) -> None:
    version = fleet.push()
    host = fleet.host("web-2")
    older = host.web.live
    assert fleet.deploy(version).end == "done"
    assert host.web.live != older
    eventually(lambda: at_rest(host), what="the last order of the rollout taken up by web-2")
    starts = list(host.web.starts)
    point_current_at(host, older)
    shown = eventually(lambda: fleet.told("web-2").drift, what="the drift of web-2", every=0.2)
    assert "changed by hand" in shown
    assert "changed by hand" in fleet.cli("status").out
    plan = fleet.cli("reconcile", "web", "--plan")
    assert (plan.exit, "web-2" in plan.out, "web-1" in plan.out) == (0, True, False)
    assert host.web.starts == starts
    with fleet.load() as load:
        ran = fleet.cli("reconcile", "web", "--yes")
        load.after(10)
    assert (ran.exit, load.failures) == (0, []), ran
    assert (host.web.live, host.web.starts) == (fleet.host("web-1").web.live, [*starts, version])
    assert fleet.cli("reconcile", "web", "--yes").out.startswith("Nothing to do")


def test_a_rollback_fetches_what_was_pruned_again_before_any_host_is_drained(fleet: Fleet) -> None:
    host, before = fleet.host("web-2"), fleet.host("web-2").web.answers
    older = host.web.live
    assert fleet.deploy(fleet.push()).end == "done"
    folder = host.web.root / "releases" / older
    shutil.rmtree(folder)
    eventually(lambda: older not in fleet.told("web-2").prepared, what="the report of what is gone", every=0.2)
    with fleet.load() as load:
        ran = fleet.cli("rollback", "web", "--yes")
        load.after(10)
    assert (ran.exit, load.failures) == (0, []), ran
    assert ran.out.index("is prepared") < ran.out.index("is working")
    assert {one.web.answers for one in fleet.hosts} == {before}


def test_a_newer_version_takes_over_and_a_rollback_of_it_leads_to_the_last_good_one(fleet: Fleet) -> None:
    good = fleet.host("web-1").web.answers
    half, newer = fleet.push(), fleet.push()
    fleet.policy(examine=600)
    first = fleet.begin(half)
    fleet.until(first, lambda info: info.stage == "examining", what="the examine")
    assert fleet.refused("deploy", "web", newer, "--yes").rule == "rollout-under-way"
    with fleet.load() as load:
        second = fleet.begin(newer, "--supersede")
        assert fleet.rollout(first).end == "superseded"
        fleet.until(second, lambda info: info.stage == "examining", what="the examine of the second")
        assert fleet.host("web-1").web.answers == newer
        fleet.cli("rollback", "web", "--yes", "--no-wait")
        end = fleet.ended(second)
        load.after(10)
    assert (end.end, end.previous and end.previous.version) == ("rolled-back", good)
    assert ({one.web.answers for one in fleet.hosts}, load.failures) == ({good}, [])
