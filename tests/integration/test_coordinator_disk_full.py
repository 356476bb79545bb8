"""`noonday serve` on a disk that really is full: it answers in words, loses nothing, and goes on by itself."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from noonday_coordinator.api import models as m
from noonday_coordinator.cli.exits import Exit
from noonday_coordinator.core.events import HostEnrolled
from noonday_coordinator.store.event_log import EventLog
from noonday_shared.errors import Temporary
from support.coordinator_process import CoordinatorProcess
from support.eventually import eventually
from support.ports import free_port
from support.told_events import kept


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A filesystem of eight megabytes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root may mount a small disk")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.fixture
def begun(small_disk: Path, tmp_path: Path) -> Iterator[CoordinatorProcess]:
    """Its folder is made, with its data on the small disk, and nothing runs yet."""
    made = CoordinatorProcess.on(tmp_path / "noonday", f"amqp://guest:guest@127.0.0.1:{free_port()}/")
    config = made.made.config
    config.write_text(config.read_text().replace('data_dir = "data"', f'data_dir = "{small_disk}/data"'))
    try:
        yield made
    finally:
        made.kill()


@pytest.fixture
def coordinator(begun: CoordinatorProcess) -> CoordinatorProcess:
    begun.start()
    return begun


def fill(disk: Path) -> Path:
    """To the last byte."""
    ballast = disk / "ballast"
    fd = os.open(ballast, os.O_CREAT | os.O_WRONLY)
    try:
        for size in (1 << 16, 1):
            while _takes(fd, size):
                pass
    finally:
        os.close(fd)
    return ballast


def _takes(fd: int, size: int) -> bool:
    try:
        return os.write(fd, b"x" * size) > 0
    except OSError:
        return False


def enroll(coordinator: CoordinatorProcess, host: str) -> None:
    coordinator.client().post("/hosts", m.Enrolled, m.EnrollAsk(host=host, labels={"role": "x" * 5000}))


def trouble(coordinator: CoordinatorProcess) -> str:
    checks = coordinator.client().get("/doctor", m.Doctor).checks
    return " ".join(check.text for check in checks if check.name == "engine")


def test_a_full_disk_refuses_new_work_and_nothing_is_lost(coordinator: CoordinatorProcess, small_disk: Path) -> None:
    enroll(coordinator, "web-1")
    ballast = fill(small_disk)
    with pytest.raises(Temporary) as caught:
        enroll(coordinator, "web-2")
    assert caught.value.rule == "disk-full"
    assert "nothing was changed" in caught.value.text
    assert "df -h" in caught.value.next_action
    eventually(lambda: "is full" in trouble(coordinator), what="the doctor's word of the full disk", within=60)
    assert [host.host for host in coordinator.client().get("/hosts", m.Hosts).hosts] == ["web-1"]
    said = coordinator.log().count("is full")
    ballast.unlink()
    eventually(lambda: trouble(coordinator) == "", what="the end of the trouble", within=60)
    enroll(coordinator, "web-2")
    coordinator.kill()
    assert len(kept(small_disk / "data" / "events.sqlite")) == 3
    assert said <= 3, "a full disk is not filled by saying so"


def refused_start(coordinator: CoordinatorProcess) -> str:
    """What it says when it ends at once, which it must."""
    done = subprocess.run(coordinator.command(), capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (Exit.UNEXPECTED, False), done.stderr
    return done.stderr


def test_a_start_on_a_full_disk_ends_in_words_and_the_next_one_knows_all(
    begun: CoordinatorProcess, small_disk: Path
) -> None:
    path = small_disk / "data" / "events.sqlite"
    with closing(EventLog.open(path)) as log:
        log.append([HostEnrolled("web-1", {"role": "web"}, "key")], at=1.0, by="admin")
    ballast = fill(small_disk)
    said = refused_start(begun)
    assert f"The disk of the event log {path} is full, so nothing was kept of this and nothing was changed." in said
    assert f"Next: free space there: df -h {path.parent}" in said
    ballast.unlink()
    begun.start()
    assert [host.host for host in begun.client().get("/hosts", m.Hosts).hosts] == ["web-1"]


@pytest.mark.parametrize("room", [0, 84, 220])
def test_a_first_start_that_finds_room_for_a_part_only_asks_for_more_and_never_to_throw_anything_away(
    begun: CoordinatorProcess, small_disk: Path, room: int
) -> None:
    """Where it ends depends on the kilobytes: at the event log, the windows, or the secret."""
    ballast = fill(small_disk)
    os.truncate(ballast, ballast.stat().st_size - (room << 10))
    said = refused_start(begun)
    assert "is full, so " in said
    assert f"Next: free space there: df -h {small_disk}" in said
