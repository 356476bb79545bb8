"""Rollouts on a real fleet, as a person or a CI job starts them: what a good release and bad ones come to."""

from __future__ import annotations

import json

from noonday_coordinator.api import models as m
from support.eventually import eventually
from support.fleet import Fleet


def test_a_good_release_reaches_every_host_and_no_request_fails(fleet: Fleet) -> None:
    version = fleet.push()
    with fleet.load() as load:
        load.after(20)
        done = fleet.noonday("deploy", "web", version, "--yes", "--json")
        load.after(20)
    assert done.exit == 0, done
    assert [next(iter(json.loads(line))) for line in done.out.splitlines()][:2] == ["plan", "started"]
    assert load.failures == []
    assert {host.web.answers for host in fleet.hosts} == {version}
    assert {host.web.starts[-1] for host in fleet.hosts} == {version}
    assert fleet.in_service() == {"web-1", "web-2"}


def test_an_app_that_dies_after_a_good_start_is_rolled_back_and_blocked(fleet: Fleet) -> None:
    """It passes its health check, returns to the load balancer, and dies again and again while it is examined."""
    before = fleet.app().current
    assert before is not None
    fleet.policy(examine=60, max_restarts=2)
    version = fleet.push("dies 3")
    done = fleet.noonday("deploy", "web", version, "--yes")
    assert done.exit == 3, done
    assert "Rolled back" in done.out
    back_everywhere(fleet, before.version)
    assert version not in fleet.host("web-2").web.starts
    refusal = fleet.refused("deploy", "web", version, "--yes")
    assert refusal.rule == "blocked"
    assert "release unblock" in refusal.next_action


def test_a_new_error_on_the_canary_rolls_back_with_the_line_that_proves_it(fleet: Fleet) -> None:
    before = fleet.app().current
    assert before is not None
    for host in fleet.hosts:
        host.web.say("ERROR", "the mail server is away")
    fleet.policy(examine=30)
    with fleet.load(clients=1) as load:
        load.after(5)
        end = fleet.deploy(fleet.push("errors"))
        load.after(5)
    assert end.end == "rolled-back", end.reason
    blamed = [finding for finding in end.findings if finding.blames]
    assert ["no price rule" in finding.text for finding in blamed] == [True]
    assert any("no price rule for item" in line for line in blamed[0].samples)
    assert load.failures == []
    back_everywhere(fleet, before.version)


def test_a_host_that_goes_on_with_the_old_code_puts_the_previous_release_back_by_itself(fleet: Fleet) -> None:
    before = fleet.app().current
    assert before is not None
    version = fleet.push("old-code")
    with fleet.load() as load:
        end = fleet.deploy(version)
        load.after(20)
    assert end.end == "rolled-back", end.reason
    assert "runs from" in end.reason
    assert load.failures == []
    assert [host.state for host in end.hosts] == ["back", "prepared"]
    back_everywhere(fleet, before.version)


def test_history_says_who_did_what_and_why(fleet: Fleet) -> None:
    end = fleet.deploy(fleet.push())
    told = fleet.get("/history?app=web&limit=1000", m.Events).events
    began = next(event for event in told if event.kind == "rollout-started" and event.rollout == end.id)
    assert began.by == "admin"
    assert f"{end.id} of web" in began.words
    assert f"All 2 hosts serve {end.release.version}" in fleet.cli("history", "web").out


def back_everywhere(fleet: Fleet, version: str) -> None:
    eventually(lambda: {host.web.answers for host in fleet.hosts} == {version}, what=f"{version} everywhere")
    eventually(lambda: len(fleet.in_service()) == len(fleet.hosts), what="every host in service")
    current = fleet.app().current
    assert current is not None
    assert current.version == version
