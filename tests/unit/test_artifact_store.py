from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from noonday_coordinator.capability import Capabilities
from noonday_coordinator.store.artifacts import ArtifactStore, archive_name
from noonday_shared.errors import BadInput, Temporary
from noonday_shared.keys import SigningKey
from noonday_shared.names import ReleaseRef
from noonday_shared.release import BuiltRelease
from support.archives import Member, Shelf, make_archive, release_toml, sign_archive

KEY = SigningKey.new()
KEYS = (KEY.public,)


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "artifacts")


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path, KEY)


def put(store: ArtifactStore, built: BuiltRelease) -> None:
    put_bytes(store, built.archive.read_bytes(), built.manifest.read_bytes())


def put_bytes(store: ArtifactStore, archive: bytes, manifest: bytes) -> None:
    draft, file = store.draft(len(archive))
    with file:
        shutil.copyfileobj(io.BytesIO(archive), file)
    try:
        store.put(draft, manifest, KEYS)
    finally:
        assert not draft.exists()


def test_a_pushed_release_lies_there_under_its_own_name(store: ArtifactStore, shelf: Shelf) -> None:
    built = shelf.build("1.0.0")
    put(store, built)
    path = store.path("web", built.signed.ref)
    assert path is not None
    assert path.name == f"web-1.0.0-{built.signed.digest[:8]}.tar.gz"
    assert path.read_bytes() == built.archive.read_bytes()
    assert store.list("web") == (built.signed,)
    assert store.list("api") == ()


def test_the_same_push_twice_changes_nothing(store: ArtifactStore, shelf: Shelf) -> None:
    built = shelf.build("1.0.0")
    put(store, built)
    path = store.path("web", built.signed.ref)
    assert path is not None
    before = path.stat()
    put(store, built)
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_the_same_version_with_other_content_is_refused(store: ArtifactStore, shelf: Shelf) -> None:
    first = shelf.build("1.0.0")
    put(store, first)
    second = shelf.build("1.0.0", {"app.py": "print('other')\n"})
    with pytest.raises(BadInput, match="other content") as caught:
        put(store, second)
    assert caught.value.rule == "same-version-other-content"
    assert store.list("web") == (first.signed,)


def test_versions_that_begin_alike_are_not_mixed_up(store: ArtifactStore, shelf: Shelf) -> None:
    for version in ("1.0", "1.0-rc1", "1.0.0"):
        put(store, shelf.build(version))
    assert {release.version for release in store.list("web")} == {"1.0", "1.0-rc1", "1.0.0"}


def test_a_release_signed_by_another_key_is_refused(store: ArtifactStore, tmp_path: Path) -> None:
    built = Shelf(tmp_path, SigningKey.new()).build("1.0.0")
    with pytest.raises(BadInput) as caught:
        put(store, built)
    assert caught.value.rule == "bad-signature"
    assert store.list("web") == ()


def test_an_archive_that_was_changed_or_cut_is_refused(store: ArtifactStore, shelf: Shelf) -> None:
    built = shelf.build("1.0.0")
    archive, manifest = built.archive.read_bytes(), built.manifest.read_bytes()
    for wrong in (archive[:-1], archive + b"x", archive[:40] + b"\0\0" + archive[42:], b""):
        with pytest.raises(BadInput) as caught:
            put_bytes(store, wrong, manifest)
        assert caught.value.rule == "digest-mismatch"
    assert store.list("web") == ()


def test_an_archive_that_no_host_would_unpack_is_refused(store: ArtifactStore, tmp_path: Path) -> None:
    bad = make_archive(tmp_path / "bad.tar.gz", [release_toml(), Member("../outside", b"x")])
    sign_archive(bad, KEY, unpacked=1000)
    with pytest.raises(BadInput, match="parent-path"):
        put_bytes(store, bad.read_bytes(), (tmp_path / "bad.tar.gz.manifest").read_bytes())


def test_a_push_that_the_disk_has_no_room_for_is_refused_before_it_begins(store: ArtifactStore) -> None:
    with pytest.raises(Temporary) as caught:
        store.draft(1 << 60)
    assert caught.value.rule == "disk-full"


def test_what_a_killed_upload_left_behind_is_gone_after_a_restart(store: ArtifactStore) -> None:
    draft, file = store.draft(10)
    file.close()
    assert draft.exists()
    ArtifactStore(store.folder)
    assert not draft.exists()


def test_an_archive_without_its_manifest_is_not_there(store: ArtifactStore, shelf: Shelf) -> None:
    built = shelf.build("1.0.0")
    put(store, built)
    path = store.path("web", built.signed.ref)
    assert path is not None
    path.with_name(path.name + ".manifest").unlink()
    assert store.path("web", built.signed.ref) is None
    put(store, built)
    assert store.path("web", built.signed.ref) == path


@pytest.mark.parametrize(
    "name", ["../web.tar.gz", "..", "", ".drafts", "web/web.tar.gz", "web.tar.gz.new", "x\n.tar.gz"]
)
def test_only_names_of_artifacts_are_looked_up(store: ArtifactStore, name: str) -> None:
    assert store.find(name) is None


def test_archive_and_manifest_are_found_by_name(store: ArtifactStore, shelf: Shelf) -> None:
    built = shelf.build("1.0.0")
    put(store, built)
    name = archive_name("web", built.signed.ref)
    found = [store.find(name), store.find(f"{name}.manifest")]
    assert [path.name if path else None for path in found] == [name, f"{name}.manifest"]
    assert store.find("web-9.9.9-00000000.tar.gz") is None


@pytest.fixture
def kept(tmp_path: Path) -> Callable[[], Capabilities]:
    return lambda: Capabilities.kept_in(tmp_path / "artifacts.secret", "http://noonday")


def test_an_address_stays_good_over_restarts_and_covers_the_manifest(kept: Callable[[], Capabilities]) -> None:
    ref = ReleaseRef(version="1.0.0", digest="a" * 64)
    url = kept().url("web", ref)
    base, capability, name = url.rsplit("/", 2)
    assert (base, name) == ("http://noonday/artifacts", "web-1.0.0-aaaaaaaa.tar.gz")
    assert kept().url("web", ref) == url
    assert kept().allows(capability, name)
    assert kept().allows(capability, f"{name}.manifest")
    assert not kept().allows(capability, "web-1.0.1-aaaaaaaa.tar.gz")
    assert not kept().allows("", name)
    assert not kept().allows("é" * 64, name)


def test_the_secret_is_for_its_owner_alone(kept: Callable[[], Capabilities], tmp_path: Path) -> None:
    kept()
    assert (tmp_path / "artifacts.secret").stat().st_mode & 0o777 == 0o600
    (tmp_path / "artifacts.secret").write_text("")
    with pytest.raises(BadInput, match="no secret"):
        kept()
