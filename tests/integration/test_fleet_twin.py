"""An old-release host that is restarted beside the canary, on a real fleet."""

from __future__ import annotations

from noonday_coordinator.api import models as m
from support.eventually import eventually
from support.fleet import Fleet


def test_the_twin_restarts_once_on_its_own_release_beside_the_canary_and_no_request_fails(fleet: Fleet) -> None:
    before = fleet.app().current
    assert before is not None
    starts = {host.name: host.web.starts for host in fleet.hosts}
    fleet.policy(twin_control=True, examine=60, gates=["canary"])
    version = fleet.push()
    planned = fleet.cli("deploy", "web", version, "--plan").out
    assert f"web-2 is restarted on {before.version} beside the canary" in planned
    with fleet.load() as load:
        load.after(20)
        rollout = fleet.begin(version)
        fleet.until(rollout, lambda info: info.stage == "examining", what="the examine")
        assert fleet.in_service() == {"web-1", "web-2"}
        assert fleet.host("web-1").web.starts == [*starts["web-1"], version]
        assert fleet.host("web-2").web.starts == [*starts["web-2"], before.version]
        assert (fleet.host("web-2").web.live, fleet.host("web-2").web.answers) == (before.id, before.version)
        fleet.coordinator.kill()
        fleet.coordinator.start()
        load.after(20)
        fleet.ok("abort", "web", "--why", "the twin is what this was about")
        end = fleet.until(rollout, lambda info: info.end, what="the end")
        assert end.end == "aborted", end.reason
        eventually(lambda: fleet.in_service() == {"web-1", "web-2"}, what="every host in service")
    assert load.failures == []
    assert fleet.host("web-2").web.starts == [*starts["web-2"], before.version]
    assert {host.web.answers for host in fleet.hosts} == {before.version}
    told = [event.words for event in fleet.get(f"/rollouts/{rollout}/events", m.Events).events]
    asked = [words for words in told if f"web-2 is to restart on {before.version}, as the canary's twin" in words]
    assert len(asked) == 1, told
