"""An app's root on disk: what is live, what is prepared, how it is switched, and what may be removed."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from noonday_agent.releases.layout import LiveKind, ReleaseFolders
from noonday_agent.releases.store import ReleaseStore
from noonday_shared.clock import SystemClock
from noonday_shared.errors import BadInput, NoondayError, Permanent
from noonday_shared.keys import SigningKey
from noonday_shared.release.archive import BuiltRelease
from support.archives import TOML, Shelf

KEY = SigningKey(b"k" * 32)


class Host:
    """A store over temporary folders, fed from a shelf by path."""

    def __init__(self, top: Path) -> None:
        self.shelf = Shelf(top / "shelf", KEY)
        self.root = top / "web"
        self.downloads = top / "downloads"
        self.store = ReleaseStore(
            self.root,
            keys=[KEY.public],
            downloads_dir=self.downloads,
            keep=2,
            max_unpacked=1 << 20,
            clock=SystemClock(),
        )
        self.folders = self.store.folders

    def prepare(self, version: str, files: dict[str, str | bytes] | None = None, toml: str = TOML) -> str:
        return self.bring(self.shelf.build(version, files, toml))

    def bring(self, built: BuiltRelease) -> str:
        self.store.prepare("web", built.signed.ref, str(built.archive), within=20)
        return built.signed.ref.id

    def names(self) -> set[str]:
        return {path.name for path in self.folders.releases.iterdir()}


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def refusal(act: Callable[[], object], kind: type[NoondayError]) -> NoondayError:
    with pytest.raises(kind) as info:
        act()
    assert info.value.next_action
    return info.value


def test_nothing_is_live_and_nothing_prepared_on_a_new_host(host: Host) -> None:
    assert host.store.live().kind is LiveKind.MISSING
    assert host.store.prepared() == ()
    assert host.store.prune() == ()


def test_a_switch_makes_a_prepared_release_live_and_may_be_repeated(host: Host) -> None:
    old, new = host.prepare("1.0.0"), host.prepare("1.1.0")
    for release in (old, new, new, old):
        host.store.switch(release)
        assert host.store.live().id == release
        assert host.store.live().kind is LiveKind.LINK
    assert (host.root / "current/app.py").read_text() == "print('1.0.0')\n"
    assert host.store.prepared() == (new, old)
    assert {path.name for path in host.root.iterdir()} == {"releases", "current"}


def test_the_root_may_be_moved_with_its_live_release(host: Host, tmp_path: Path) -> None:
    release = host.prepare("1.0.0")
    host.store.switch(release)
    host.root.rename(tmp_path / "moved")
    assert ReleaseFolders(tmp_path / "moved").live().id == release


def test_a_folder_elsewhere_can_be_live_and_be_returned_to(host: Host, tmp_path: Path) -> None:
    before = tmp_path / "by-hand"
    before.mkdir()
    host.root.mkdir()
    (host.root / "current").symlink_to(before)
    live = host.store.live()
    assert (live.kind, live.id, live.path) == (LiveKind.LINK, "", before)
    host.store.switch(host.prepare("1.0.0"))
    assert live.path is not None
    host.store.switch(live.path)
    assert host.store.live() == live


def test_a_folder_that_a_person_put_into_releases_can_be_returned_to_and_is_never_removed(host: Host) -> None:
    (host.folders.releases / "before-noonday").mkdir(parents=True)
    (host.root / "current").symlink_to(host.folders.releases / "before-noonday")
    assert host.store.live().id == "before-noonday"
    assert host.store.prepared() == ()
    for version in ("1", "2", "3", "4"):
        host.store.switch(host.prepare(version))
        host.store.prune()
    host.store.switch("before-noonday")
    assert host.store.live().id == "before-noonday"


def test_a_current_that_leads_nowhere_is_broken_and_can_be_switched(host: Host) -> None:
    host.root.mkdir()
    (host.root / "current").symlink_to("releases/gone")
    assert (host.store.live().kind, host.store.live().id) == (LiveKind.BROKEN, "gone")
    host.store.switch(host.prepare("1.0.0"))
    assert host.store.live().kind is LiveKind.LINK


@pytest.mark.parametrize("plain", ["folder", "file"])
def test_a_current_that_is_no_link_is_refused_before_anything_is_fetched(host: Host, plain: str) -> None:
    (host.root).mkdir()
    current = host.root / "current"
    current.mkdir() if plain == "folder" else current.touch()
    assert host.store.live().kind is LiveKind.FOLDER
    error = refusal(lambda: host.prepare("1.0.0"), Permanent)
    assert error.rule == "current-is-a-folder"
    assert not host.folders.releases.exists()
    assert refusal(lambda: host.store.switch("x"), Permanent).rule == "current-is-a-folder"
    assert os.system(error.next_action) == 0, "the sentence mends it"
    assert host.store.live().id == "before-noonday"
    host.store.switch(host.prepare("1.0.0"))


@pytest.mark.parametrize("name", ["", ".", "..", "1.0.0-00000000", "../outside", "relative/path", "/not/there"])
def test_only_a_folder_that_is_there_is_switched_to(host: Host, name: str) -> None:
    release = host.prepare("1.0.0")
    host.store.switch(release)
    assert refusal(lambda: host.store.switch(name), Permanent).rule == "not-prepared"
    assert host.store.live().id == release


def test_a_folder_that_is_not_whole_is_not_switched_to(host: Host) -> None:
    (host.folders.releases / ".1.0.0-abcdef01.unpacking-00").mkdir(parents=True)
    refusal(lambda: host.store.switch(".1.0.0-abcdef01.unpacking-00"), Permanent)


def test_whoever_reads_through_current_never_finds_it_missing(host: Host) -> None:
    releases = [host.prepare(version) for version in ("1.0.0", "1.1.0")]
    host.store.switch(releases[0])
    stop, reads, misses = threading.Event(), [0], list[str]()

    def read() -> None:
        while not stop.is_set():
            try:
                (host.root / "current/app.py").read_text()
                reads[0] += 1
            except OSError as error:
                misses.append(str(error))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        turn = 0
        while turn < 300 or (reads[0] < 300 and not misses):
            host.store.switch(releases[turn % 2])
            turn += 1
    finally:
        stop.set()
        reader.join()
    assert misses == []


def test_the_same_version_with_other_content_is_refused(host: Host) -> None:
    release = host.prepare("1.0.0", {"app.py": "one"})
    error = refusal(lambda: host.prepare("1.0.0", {"app.py": "other"}), BadInput)
    assert error.rule == "same-version-other-content"
    assert host.store.prepared() == (release,)
    assert host.prepare("1.0.0", {"app.py": "one"}) == release, "identical content is nothing to do"


def test_a_release_whose_folder_a_person_made_is_not_overwritten(host: Host) -> None:
    built = host.shelf.build("1.0.0")
    host.folders.folder(built.signed.ref.id).mkdir(parents=True)
    assert refusal(lambda: host.bring(built), Permanent).rule == "folder-in-the-way"


def test_prune_keeps_the_newest_the_protected_and_the_live(host: Host) -> None:
    ids = [host.prepare(f"1.{minor}.0") for minor in range(6)]
    host.store.switch(ids[0])
    assert set(host.store.prune({ids[1]})) == {ids[2], ids[3]}
    assert host.store.prepared() == (ids[5], ids[4], ids[1], ids[0])
    assert host.store.prune({ids[1]}) == ()
    assert host.names() == {name for i in (0, 1, 4, 5) for name in (ids[i], f".{ids[i]}.json")}


def test_prune_spares_a_release_that_current_leads_into(host: Host) -> None:
    ids = [host.prepare(f"1.{minor}.0", {"public/index.html": "x"}) for minor in range(4)]
    (host.root / "current").symlink_to(f"releases/{ids[0]}/public")
    assert host.store.live().id == ""
    assert host.store.prune() == (ids[1],)


def test_partial_downloads_are_removed_when_nobody_needs_them(host: Host) -> None:
    release = host.prepare("1.0.0")
    wanted, unwanted = (host.downloads / f"{digit * 64}.part" for digit in "ab")
    wanted.touch()
    unwanted.touch()
    host.store.prune({release, "2.0.0-aaaaaaaa"})
    assert list(host.downloads.iterdir()) == [wanted]


def test_what_a_killed_agent_left_is_removed_at_the_next_prepare(host: Host) -> None:
    host.folders.releases.mkdir(parents=True)
    for name in (".2.0.0-aaaaaaaa.unpacking-01", ".1.0.0-bbbbbbbb.removing-01"):
        (host.folders.releases / name / "deep").mkdir(parents=True)
    (host.folders.releases / ".3.0.0-cccccccc.json").touch()
    (host.folders.releases / "..3.0.0-cccccccc.json.01020304.new").touch()
    (host.root / ".current.new").symlink_to("nowhere")
    release = host.prepare("1.0.0")
    host.store.switch(release)
    assert host.names() == {release, f".{release}.json"}
    assert {path.name for path in host.root.iterdir()} == {"releases", "current"}


def test_shared_paths_lead_to_the_shared_folder_and_outlive_releases(host: Host) -> None:
    toml = TOML + 'shared = ["media", "conf/local.ini", "var/new"]\n'
    files: dict[str, str | bytes] = {"media/logo.png": "seed", "conf/local.ini": "a=1", "conf/base.ini": "b=2"}
    first = host.prepare("1.0.0", files, toml)
    assert (host.root / "shared/media/logo.png").read_text() == "seed"
    (host.root / "shared/media/upload.png").write_text("of a user")
    (host.root / "shared/conf/local.ini").write_text("a=9")
    second = host.prepare("1.1.0", files, toml)
    for release in (first, second):
        folder = host.folders.folder(release)
        assert (folder / "media/upload.png").read_text() == "of a user"
        assert (folder / "conf/local.ini").read_text() == "a=9"
        assert (folder / "conf/base.ini").read_text() == "b=2"
        assert (folder / "var/new").is_dir()
        assert (folder / "media").readlink() == host.root / "shared/media"
    host.store.switch(second)
    shutil.rmtree(host.folders.folder(first))
    assert (host.root / "current/media/upload.png").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_shared_entries_belong_to_the_owner_of_the_shared_folder(host: Host) -> None:
    (host.root / "shared").mkdir(parents=True)
    os.chown(host.root / "shared", 12345, 12346)
    host.prepare("1.0.0", {"media/a/b.png": "x"}, TOML + 'shared = ["media", "var/run/new"]\n')
    for name in ("media", "media/a/b.png", "var", "var/run/new"):
        status = (host.root / "shared" / name).stat()
        assert (status.st_uid, status.st_gid) == (12345, 12346)


def test_a_manifest_is_asked_for_by_id(host: Host) -> None:
    built = host.shelf.build("1.0.0")
    host.bring(built)
    assert host.store.manifest(built.signed.ref.id) == built.signed
    assert refusal(lambda: host.store.manifest("1.0.0-00000000"), Permanent).rule == "not-prepared"
    host.folders.sidecar(built.signed.ref.id).write_text("{")
    assert refusal(lambda: host.store.manifest(built.signed.ref.id), Permanent).rule == "not-prepared"
