"""A disk that is full, before or in the middle of the work: a sentence, and nothing left behind."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from noonday_agent.releases.store import ReleaseStore
from noonday_shared.clock import SystemClock
from noonday_shared.errors import Permanent
from noonday_shared.keys import SigningKey
from noonday_shared.release.archive import BuiltRelease
from support.archives import Shelf

KEY = SigningKey(b"k" * 32)
MEGABYTE = 1 << 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A filesystem of two megabytes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = os.geteuid() == 0 and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if not mounted or mounted.returncode != 0:
        pytest.skip("only root may mount a small disk")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


@contextmanager
def small_files() -> Iterator[None]:
    """No file may grow beyond half a megabyte: as a full disk, for everybody."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (MEGABYTE // 2, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def make_store(disk: Path, downloads: Path) -> ReleaseStore:
    return ReleaseStore(
        disk / "web",
        keys=[KEY.public],
        downloads_dir=downloads,
        keep=2,
        max_unpacked=1 << 30,
        clock=SystemClock(),
    )


def refused_for_room(store: ReleaseStore, built: BuiltRelease, filler: Path | None = None) -> str:
    """What is said; `filler` takes the rest of its disk as soon as the first bytes have come."""

    def fill(here: int, whole: int) -> None:
        if filler and not filler.exists():
            _fill(filler)

    with pytest.raises(Permanent) as info:
        store.prepare("web", built.signed.ref, str(built.archive), within=30, progress=fill)
    assert info.value.rule == "disk-full"
    assert store.prepared() == ()
    assert list((store.folders.root / "releases").iterdir()) == []
    return info.value.text


def _fill(filler: Path) -> None:
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            return


def test_a_release_that_does_not_fit_is_refused_before_its_download(small_disk: Path, tmp_path: Path) -> None:
    built = Shelf(tmp_path / "shelf", KEY).build("1.0.0", {"zeros": bytes(3 * MEGABYTE)})
    store = make_store(small_disk, small_disk / "downloads")
    text = refused_for_room(store, built)
    assert f"needs {built.signed.unpacked + built.signed.size} bytes" in text
    assert " are free" in text
    assert list((small_disk / "downloads").iterdir()) == []


def test_a_disk_that_fills_while_unpacking_leaves_nothing(small_disk: Path, tmp_path: Path) -> None:
    many: dict[str, str | bytes] = {f"d{n % 7}/file-{n}": b"tiny" for n in range(900)}
    built = Shelf(tmp_path / "shelf", KEY).build("1.0.0", many)
    store = make_store(small_disk, tmp_path / "downloads")
    text = refused_for_room(store, built)
    assert text.startswith("Unpacking web 1.0.0 needs")
    assert list((tmp_path / "downloads").iterdir()) == []
    assert len(list(small_disk.rglob("*"))) == 2, "only web/ and its empty releases/"


def test_a_disk_that_fills_while_fetching_leaves_nothing(small_disk: Path, tmp_path: Path) -> None:
    built = Shelf(tmp_path / "shelf", KEY).build("1.0.0", {"random": os.urandom(MEGABYTE)})
    store = make_store(tmp_path, small_disk)
    filler = small_disk / "filler"
    assert "Preparing web 1.0.0 needs" in refused_for_room(store, built, filler)
    assert list(small_disk.iterdir()) == [filler]
    filler.unlink()
    store.prepare("web", built.signed.ref, str(built.archive), within=30)
    assert store.prepared() == (built.signed.ref.id,)


@pytest.mark.parametrize("content", [bytes(MEGABYTE), os.urandom(MEGABYTE)], ids=["unpacking", "fetching"])
def test_a_file_that_can_not_grow_leaves_nothing(content: bytes, tmp_path: Path) -> None:
    built = Shelf(tmp_path / "shelf", KEY).build("1.0.0", {"file": content})
    with small_files():
        refused_for_room(make_store(tmp_path, tmp_path / "downloads"), built)
    assert list((tmp_path / "downloads").iterdir()) == []
