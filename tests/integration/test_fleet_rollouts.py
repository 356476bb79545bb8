"""Rollouts on a real fleet: what a good release and a bad one come to."""

from __future__ import annotations

from support.fleet import Fleet


def test_a_good_release_reaches_every_host_and_no_request_fails(fleet: Fleet) -> None:
    version = fleet.push()
    with fleet.load() as load:
        load.after(20)
        end = fleet.deploy(version)
        load.after(20)
    assert end.end == "done"
    assert load.failures == []
    assert {host.web.answers for host in fleet.hosts} == {version}
    assert fleet.in_service() == {"web-1", "web-2"}
