"""Releases that a real fleet must not take: other bytes, other signatures, no room, no place; nothing is drained."""

from __future__ import annotations

import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from noonday_agent.releases.layout import ReleaseFolders
from noonday_coordinator.api import models as m
from noonday_shared.keys import SigningKey
from support.eventually import eventually
from support.fleet import Fleet
from support.fleet_host import FleetHost


@contextmanager
def nothing_drained(fleet: Fleet) -> Iterator[None]:
    """No app is restarted, no `current` moves, every host stays in service, and no half of a release is left."""

    def seen() -> list[object]:
        return [(host.web.starts, host.web.live) for host in fleet.hosts]

    before = seen()
    yield
    assert seen() == before
    assert fleet.in_service() == {host.name for host in fleet.hosts}
    # Whoever still unpacked when another host gave up clears away what it has.
    eventually(lambda: not [half for host in fleet.hosts for half in halves(host)], what="no half of a release")


def halves(host: FleetHost) -> list[Path]:
    """What is in releases/ and is no whole release, nor the manifest of one."""
    folders = ReleaseFolders(host.web.root)
    whole = [path for release in folders.prepared() for path in (folders.folder(release), folders.sidecar(release))]
    return [path for path in folders.releases.iterdir() if path not in whole]


def could_not_prepare(end: m.RolloutInfo) -> str:
    assert end.end == "failed", end
    assert end.reason.startswith("Not every host could prepare, so none was drained.")
    return end.reason


def pushed_archive(fleet: Fleet, version: str) -> Path:
    """Where the coordinator keeps it."""
    (found,) = (fleet.folder / "noonday" / "data" / "artifacts" / "web").glob(f"web-{version}-*.tar.gz")
    return found


def test_an_archive_with_other_bytes_than_were_signed_is_unpacked_nowhere(fleet: Fleet) -> None:
    version = fleet.push()
    archive = pushed_archive(fleet, version)
    raw = bytearray(archive.read_bytes())
    raw[len(raw) // 2] ^= 1
    archive.write_bytes(raw)
    with nothing_drained(fleet):
        said = could_not_prepare(fleet.deploy(version))
    assert "sha256" in said
    assert "web-1" in said


def test_a_release_that_a_strange_key_signed_is_refused_at_the_push(fleet: Fleet, tmp_path: Path) -> None:
    stranger = tmp_path / "stranger.key"
    SigningKey.new().save(stranger)
    version, archive = fleet.build(key=stranger)
    refusal = fleet.refused("release", "push", str(archive))
    assert refusal.rule == "bad-signature"
    assert fleet.refused("deploy", "web", version, "--yes").rule == "not-pushed"


def test_a_release_without_its_signature_is_refused_at_the_push(fleet: Fleet) -> None:
    version, archive = fleet.build()
    manifest = archive.with_name(archive.name + ".manifest")
    manifest.unlink()
    assert fleet.refused("release", "push", str(archive)).rule == "no-archive"
    manifest.write_text(f'{{"app": "web", "version": "{version}"}}')
    refusal = fleet.refused("release", "push", str(archive))
    assert refusal.next_action
    assert fleet.refused("deploy", "web", version, "--yes").rule == "not-pushed"


def test_hosts_refuse_a_release_of_a_key_they_do_not_pin_also_from_the_coordinator(
    fleet: Fleet, tmp_path: Path
) -> None:
    """As when somebody has broken into the coordinator."""
    stranger = tmp_path / "stranger.key"
    SigningKey.new().save(stranger)
    version = fleet.push()
    _, forged = fleet.build(version=version, key=stranger)
    kept = pushed_archive(fleet, version)
    assert forged.read_bytes() == kept.read_bytes()
    shutil.copy(f"{forged}.manifest", f"{kept}.manifest")
    with nothing_drained(fleet):
        said = could_not_prepare(fleet.deploy(version))
    assert "signed" in said


def test_a_host_without_room_for_the_release_keeps_the_whole_fleet_from_being_drained(fleet: Fleet) -> None:
    version = fleet.push(files={"blob": "x" * (1 << 20)})
    agent = psutil.Process(fleet.host("web-2").agent_pid)
    before = agent.rlimit(psutil.RLIMIT_FSIZE)
    agent.rlimit(psutil.RLIMIT_FSIZE, (1 << 19, before[1]))
    try:
        with nothing_drained(fleet):
            said = could_not_prepare(fleet.deploy(version))
    finally:
        agent.rlimit(psutil.RLIMIT_FSIZE, before)
    assert "web-2: prepare: " in said
    assert "bytes are free" in said
    assert before[0] == resource.RLIM_INFINITY
    assert fleet.deploy(version).end == "done"


def test_a_current_that_is_a_plain_folder_is_left_alone_and_named(fleet: Fleet) -> None:
    host = fleet.host("web-2")
    current = host.web.root / "current"
    target = current.readlink()
    version = fleet.push()
    current.unlink()
    shutil.copytree(host.web.root / target, current)
    try:
        said = could_not_prepare(fleet.deploy(version))
        assert (current / "version").read_text() == host.web.answers
    finally:
        shutil.rmtree(current)
        current.symlink_to(target)
    assert f"{current} is " in said
    assert fleet.in_service() == {"web-1", "web-2"}
    assert fleet.deploy(version).end == "done"
