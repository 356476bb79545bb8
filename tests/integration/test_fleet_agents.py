"""Agents that are strange to the fleet, or in each other's way, and what they say about themselves."""

from __future__ import annotations

import json
import time
from contextlib import closing
from pathlib import Path

import pytest

from noonday_coordinator.api import models as m
from noonday_shared import topology
from noonday_shared.bus.rabbit import RabbitBus
from noonday_shared.envelope import seal
from noonday_shared.keys import SigningKey
from noonday_shared.messages import Assignment, Goal
from noonday_shared.messages.assignment import KIND
from support.eventually import eventually
from support.fleet import Fleet
from support.fleet_commands import WITHIN
from support.fleet_host import FleetHost
from support.second_agent import second_agent


def forged(host: str, key: SigningKey) -> bytes:
    """An order to leave the load balancer, newer than any other."""
    now = time.time()
    order = Assignment(
        app="web",
        host=host,
        term=1000,
        generation=10_000,
        goal=Goal.OUT,
        issued_at=now,
        expires_at=now + WITHIN,
    )
    return seal(KIND, order, key)


@pytest.mark.parametrize("signed", [True, False], ids=["by a strange key", "not at all"])
def test_an_order_that_the_coordinator_did_not_sign_has_no_effect_and_is_shown(fleet: Fleet, signed: bool) -> None:
    body = forged("web-2", SigningKey.new())
    if not signed:
        envelope = json.loads(body)
        body = json.dumps({**envelope, "signature": ""}).encode()
    before = len(notices(fleet, "web-2"))
    with closing(RabbitBus(fleet.broker_url)) as bus:
        bus.start()
        bus.publish("", topology.agent_queue("web-2"), body, slot="forged")
        (said, *_) = eventually(lambda: notices(fleet, "web-2")[before:], what="a notice of web-2")
    assert "sign" in said or "envelope" in said
    assert fleet.in_service() == {"web-1", "web-2"}
    assert any(said in check.text for check in fleet.get("/doctor", m.Doctor).checks)
    assert fleet.deploy(fleet.push()).end == "done"


def test_an_order_that_came_too_late_is_shown_until_one_comes_in_time(fleet: Fleet) -> None:
    """As after a weekend: what had lain in the queue says nothing of the host's clock once a newer one is taken."""
    late = Assignment(app="web", host="web-2", term=1, generation=1, goal=Goal.OUT, issued_at=1.0, expires_at=2.0)
    key = SigningKey.load(fleet.folder / "noonday" / "coordinator.key")
    with closing(RabbitBus(fleet.broker_url)) as bus:
        bus.start()
        bus.publish("", topology.agent_queue("web-2"), seal(KIND, late, key), slot="late")
        eventually(lambda: any("expired" in said for said in notices(fleet, "web-2")), what="a notice of web-2")
    assert fleet.deploy(fleet.push()).end == "done"
    eventually(lambda: not any("expired" in said for said in notices(fleet, "web-2")), what="no notice any more")


def notices(fleet: Fleet, host: str) -> list[str]:
    found = next(one for one in fleet.get("/hosts", m.Hosts).hosts if one.host == host)
    return list(found.notices)


def test_a_host_that_is_not_enrolled_changes_nothing_and_is_shown(fleet: Fleet) -> None:
    with second_agent(fleet, fleet.host("web-1"), "web-9") as other:
        eventually(lambda: "noonday enroll web-9" in other.log.read_text(), what="its own word")
        eventually(lambda: [one.host for one in strangers(fleet)] == ["web-9"], what="a stranger")
        assert [host.host for host in fleet.get("/hosts", m.Hosts).hosts] == ["web-1", "web-2"]
        assert "web-9" in fleet.cli("hosts").out
        assert "web-9 reports and is not enrolled." in fleet.cli("doctor").out
        end = fleet.deploy(fleet.push())
    assert end.end == "done"
    assert [host.host for host in end.hosts] == ["web-1", "web-2"]


def strangers(fleet: Fleet) -> tuple[m.Stranger, ...]:
    return fleet.get("/hosts", m.Hosts).strangers


def test_a_second_agent_under_the_name_of_a_host_stays_silent_and_everybody_says_so(fleet: Fleet) -> None:
    told = fleet.told("web-1")
    with second_agent(fleet, fleet.host("web-1"), "web-1") as other:
        eventually(lambda: "already connected as this host (web-1)" in other.log.read_text(), what="its own word")
        (said,) = eventually(lambda: _doubles(fleet), what="the coordinator's word")
        assert (said.name, said.state) == ("host web-1", "fail")
        assert "A second agent (on " in fleet.cli("hosts").out.replace("\n", " ")
        assert fleet.cli("doctor").exit == 4
        end = fleet.deploy(fleet.push())
    assert end.end == "done"
    assert fleet.told("web-1").generation > told.generation
    assert fleet.in_service() == {"web-1", "web-2"}


def _doubles(fleet: Fleet) -> list[m.Check]:
    return [check for check in fleet.get("/doctor", m.Doctor).checks if "says that it is web-1 too" in check.text]


def test_a_second_agent_on_the_same_folder_does_not_start(fleet: Fleet) -> None:
    host = fleet.host("web-1")
    said = host.run_refused()
    assert f"Another agent (pid {host.agent_pid}) runs with the state folder {host.state_dir}." in said


def test_an_agent_with_an_unknown_key_does_not_start_and_names_the_nearest(fleet: Fleet) -> None:
    host = fleet.host("web-1")
    wrong = host.folder / "wrong.toml"
    wrong.write_text(host.agent_toml.read_text().replace('path = "/healthz", within', 'path = "/healthz", withn', 1))
    named = f"{wrong}: unknown key apps.web.health.withn (did you mean 'within'?)"
    assert named in host.run_refused(wrong)
    for verb in ("check", "status"):
        status, said = host.ask_agent(verb, config=wrong)
        assert status == 2
        assert named in said


def test_check_and_status_of_a_host_that_is_well_say_so(fleet: Fleet) -> None:
    host = fleet.host("web-1")
    only_web = web_alone(host)
    status, checked = host.ask_agent("check", config=only_web)
    assert status == 0, checked
    assert {line[:4] for line in checked.splitlines()} == {"ok  "}
    status, told = host.ask_agent("status", config=only_web)
    assert status == 0
    assert f"web-1: agent runs (pid {host.agent_pid})" in told
    assert host.web.live in told
    assert "in service, healthy" in told


def test_check_says_of_each_thing_that_is_not_well_what_to_mend(fleet: Fleet) -> None:
    host = fleet.host("web-1")
    fleet.haproxy.stop()
    host.supervisord.kill()
    host.web.log.rename(host.web.log.with_suffix(".away"))
    only_web = web_alone(host)
    only_web.write_text(only_web.read_text().replace(fleet.vhost, "nowhere"))
    status, said = host.ask_agent("check", "--json", config=only_web)
    rows = {row["what"]: row for row in json.loads(said)}
    wrong = {what for what, row in rows.items() if not row["ok"]}
    assert status == 1
    assert wrong == {
        "web: haproxy web/web-1",
        "web: supervisord web",
        f"web: log {host.web.log}",
        f"web: health http://{host.web.listen}/healthz",
        "broker and this host's queue",
    }
    assert all(rows[what]["trouble"] and rows[what]["next"] for what in wrong)
    assert "'nowhere'" in rows["broker and this host's queue"]["trouble"]
    host.web.log.with_suffix(".away").rename(host.web.log)


def test_status_tells_of_a_host_whose_agent_does_not_run(fleet: Fleet) -> None:
    host = fleet.host("web-1")
    host.stop_agent()
    _, said = host.ask_agent("status", "--json", config=web_alone(host))
    told = json.loads(said)
    assert told["agent_pid"] is None
    assert told["apps"][0]["live"] == host.web.live
    assert told["apps"][0]["in_service"] is True


def test_an_agent_that_is_asked_to_stop_leaves_its_app_in_service(fleet: Fleet) -> None:
    host = fleet.host("web-1")
    pid = host.agent_pid
    with fleet.load() as load:
        host.stop_agent()
        load.after(20)
    assert pid
    assert load.failures == []
    assert fleet.in_service() == {"web-1", "web-2"}
    assert "Traceback" not in host.agent_log()


def web_alone(host: FleetHost) -> Path:
    """A configuration without the app that is not there."""
    file = host.folder / "only-web.toml"
    file.write_text(host.agent_toml.read_text().partition("[apps.api]")[0])
    return file
