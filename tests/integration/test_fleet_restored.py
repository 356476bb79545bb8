"""A coordinator's folder is lost and put back from a backup, under a real fleet that knows more than the backup."""

from __future__ import annotations

import shutil
from pathlib import Path

from noonday_coordinator.api import models as m
from support.eventually import eventually
from support.fleet import Fleet
from support.fleet_commands import WITHIN
from support.told_events import exported


def backed_up(fleet: Fleet, file: Path) -> Path:
    """While the coordinator runs."""
    done = fleet.noonday("backup", str(file), "--config", str(fleet.coordinator.made.config))
    assert done.exit == 0, done
    return file


def lost_and_restored(fleet: Fleet, backup: Path) -> None:
    """The folder is gone, and another coordinator starts on what the backup held; until it has heard every host."""
    folder = fleet.coordinator.made.config.parent
    fleet.coordinator.kill()
    lost = folder.with_name(f"lost-{backup.name}")
    folder.rename(lost)
    done = fleet.noonday("restore", str(backup), str(folder))
    assert done.exit == 0, done
    shutil.copy(lost / "release.key", folder)  # it is a person's, not the coordinator's
    fleet.coordinator.start()
    eventually(lambda: _heard(fleet), what="a report of every agent", within=WITHIN, every=0.1)


def _heard(fleet: Fleet) -> bool:
    return all(host.last_seen is not None for host in fleet.get("/hosts", m.Hosts).hosts)


def said_since(fleet: Fleet) -> list[str]:
    """What was kept since the log was put back, by kind."""
    kinds = [event["kind"] for event in exported(fleet)]
    return kinds[len(kinds) - kinds[::-1].index("log-restored") :]


def test_a_rollout_goes_on_from_a_backup_and_agents_follow_it(fleet: Fleet, tmp_path: Path) -> None:
    version = fleet.push()
    fleet.policy(examine=600)
    rollout = fleet.begin(version)
    fleet.until(rollout, lambda info: info.stage == "examining", what="the examine")
    starts = [host.web.starts for host in fleet.hosts]
    with fleet.load() as load:
        backup = backed_up(fleet, tmp_path / "under-way")
        fleet.coordinator.kill()
        fleet.coordinator.start()  # in a term that the backup does not know, and agents do
        eventually(lambda: _heard(fleet), what="a report of every agent", within=WITHIN, every=0.1)
        lost_and_restored(fleet, backup)
        fleet.ok("promote", "web")
        end = fleet.ended(rollout)
        load.after(10)
    assert end.end == "done", end.reason
    assert load.failures == []
    assert {host.web.answers for host in fleet.hosts} == {version}
    assert [host.web.starts[len(before) :] for host, before in zip(fleet.hosts, starts, strict=True)] == [[], [version]]
    assert fleet.ok("audit")["whole"]
    assert "was put back from a backup" in fleet.cli("history", "--limit", "1000").out


def test_what_hosts_were_told_since_the_backup_stays_as_it_is(fleet: Fleet, tmp_path: Path) -> None:
    backup = backed_up(fleet, tmp_path / "older")
    later = fleet.push()
    assert fleet.deploy(later).end == "done"
    starts = [host.web.starts for host in fleet.hosts]
    with fleet.load() as load:
        lost_and_restored(fleet, backup)
        load.after(50)
        assert not {"assigned", "rollout-started"} & set(said_since(fleet))
        assert [host.web.starts for host in fleet.hosts] == starts
        assert {host.web.answers for host in fleet.hosts} == {later}
        end = fleet.deploy(fleet.push())
    assert end.end == "done", end.reason
    assert load.failures == []
