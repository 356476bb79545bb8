"""An agent that is upgraded in mid-rollout: the old one gets SIGTERM, the new one goes on from its journal."""

from __future__ import annotations

from noonday_agent.core.journal import Stage
from support.eventually import eventually
from support.fleet import Fleet
from support.fleet_commands import WITHIN
from support.fleet_host import FleetHost
from support.stand_in import journal_of

HOOK = """\
#!/bin/sh
echo began >> {notes}
sleep 1
echo ended >> {notes}
"""


def upgrade(host: FleetHost, *, busy: bool) -> None:
    """`busy`: it is on its way when the old agent ends, and the new one has to go on."""
    before = host.agent_pid
    host.stop_agent()
    assert (journal_of(host).attempt is not None) is busy
    host.start_agent()
    assert host.agent_pid != before != 0


def at(host: FleetHost, stage: Stage) -> bool:
    attempt = journal_of(host).attempt
    return attempt is not None and attempt.stage is stage


def arrived(fleet: Fleet, rollout: str, version: str, starts: list[str]) -> None:
    """The rollout ends well, and the upgraded host went through its own part once."""
    end = fleet.ended(rollout)
    assert end.end == "done", end
    assert {host.web.answers for host in fleet.hosts} == {version}
    assert fleet.host("web-1").web.starts == [*starts, version]
    assert fleet.in_service() == {"web-1", "web-2"}


def test_an_agent_upgraded_in_the_middle_of_a_step_ends_the_step_and_the_next_one_goes_on(fleet: Fleet) -> None:
    canary, notes = fleet.host("web-1"), fleet.folder / "upgraded-in-a-step"
    starts = canary.web.starts
    toml = '[hooks]\npost_activate = "hooks/post"\n'
    version = fleet.push(toml=toml, files={"hooks/post": HOOK.format(notes=notes)})
    with fleet.load() as load:
        rollout = fleet.begin(version)
        eventually(notes.exists, what="the beginning of the hook", within=WITHIN, every=0.02)
        upgrade(canary, busy=True)
        arrived(fleet, rollout, version, starts)
        load.after(10)
    assert load.failures == []
    assert notes.read_text().split() == ["began", "ended"] * 2, "once on each host"


def test_an_agent_upgraded_while_its_host_drains_cuts_off_no_request(fleet: Fleet) -> None:
    canary = fleet.host("web-1")
    starts = canary.web.starts
    version = fleet.push()
    with fleet.load(clients=4, path="/slow") as load:
        load.after(2)
        rollout = fleet.begin(version)
        eventually(lambda: at(canary, Stage.WAIT_IDLE), what="the drain", within=WITHIN, every=0.01)
        upgrade(canary, busy=True)
        arrived(fleet, rollout, version, starts)
        load.after(2)
    assert load.failures == []


def test_an_agent_upgraded_while_its_host_is_examined_is_heard_again_before_the_verdict(fleet: Fleet) -> None:
    fleet.policy(examine=8)
    canary = fleet.host("web-1")
    starts = canary.web.starts
    version = fleet.push()
    with fleet.load() as load:
        rollout = fleet.begin(version)
        fleet.until(rollout, lambda info: info.stage == "examining", what="the examine")
        upgrade(canary, busy=False)
        arrived(fleet, rollout, version, starts)
        load.after(10)
    assert load.failures == []
