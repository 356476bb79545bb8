"""`noonday backup` and `noonday restore` on a coordinator's folder, whole and damaged."""

from __future__ import annotations

import io
import json
import shutil
import sqlite3
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from noonday_coordinator import backup as module
from noonday_coordinator.cli.main import main
from noonday_coordinator.core.events import CoordinatorStarted, LogRestored
from noonday_coordinator.core.evolve import fold
from noonday_coordinator.init import Made, init
from noonday_coordinator.store.catalogue import CatalogueStore
from noonday_coordinator.store.chain import Head
from noonday_coordinator.store.event_log import EventLog
from noonday_coordinator.store.log_file import audit_file
from noonday_coordinator.store.windows import WindowStore
from support.eventually import eventually

ARCHIVE = "web-1.0.0-aaaaaaaa.tar.gz"
BACKUPS = 20


@dataclass
class Home:
    """A coordinator's folder that lives: its stores are open, as in a coordinator that runs."""

    made: Made
    log: EventLog
    outside: Path

    @property
    def folder(self) -> Path:
        return self.made.config.parent

    @property
    def file(self) -> Path:
        return self.outside / "noonday.backup"

    def noonday(self, *args: str | Path) -> Result:
        return CliRunner().invoke(main, [str(arg) for arg in args])

    def backup(self, *args: str) -> Result:
        return self.noonday("backup", self.file, "--config", self.made.config, *args)

    def restore(self) -> Result:
        return self.noonday("restore", self.file, self.outside / "new")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = init(tmp_path / "noonday", broker_url="amqp://guest:guest@127.0.0.1/")
    data = tmp_path / "noonday" / "data"
    with (
        closing(EventLog.open(data / "events.sqlite")) as log,
        closing(WindowStore.open(data / "windows.sqlite")),
        closing(CatalogueStore.open(data / "catalogue.sqlite")),
    ):
        log.append([CoordinatorStarted(term) for term in range(1, 8)], at=5.0, by="coordinator")
        (data / "artifacts" / "web").mkdir(parents=True)
        (data / "artifacts" / ".drafts").mkdir()
        (data / "artifacts" / ".drafts" / "half").write_text("half an upload")
        (data / "artifacts" / "web" / ARCHIVE).write_bytes(b"archive" * 1000)
        (data / "artifacts" / "web" / f"{ARCHIVE}.manifest").write_text("signed")
        (data / "artifacts.secret").write_text("secret")
        (tmp_path / "outside").mkdir()
        yield Home(made, log, tmp_path / "outside")


def everything(folder: Path) -> dict[str, bytes]:
    """By path; without what lives and dies with a coordinator."""
    names = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("events.")]
    kept = [path for path in names if path.suffix not in (".sqlite", ".sqlite-wal", ".sqlite-shm")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in kept}


def test_a_backup_of_a_running_coordinator_gives_a_folder_that_is_the_same(home: Home) -> None:
    done = home.backup()
    assert done.exit_code == 0, done.output
    assert "7 records and 1 releases" in done.stdout
    assert home.file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in home.outside.iterdir()] == [home.file.name]
    home.log.append([CoordinatorStarted(8)], at=6.0, by="coordinator")
    done = home.restore()
    assert done.exit_code == 0, done.output
    assert "with 7 records" in done.stdout
    before, after = everything(home.folder), everything(home.outside / "new")
    assert {path: raw for path, raw in before.items() if "drafts" not in path and path != "release.key"} == after
    for path in (home.outside / "new").rglob("*"):
        assert path.is_dir() or path.stat().st_mode & 0o077 == 0, path


def test_backups_made_while_another_thread_appends_all_the_while_are_each_whole_and_a_moment_of_the_log(
    home: Home,
) -> None:
    heads = dict[Path, Head]()
    with appending(home.log):
        for number in range(BACKUPS):
            grown(home.log)
            file = home.outside / f"{number}.backup"
            before = home.log.head.seq
            done = home.noonday("backup", file, "--config", home.made.config, "--json")
            assert done.exit_code == 0, done.output
            heads[file] = read_head(done)
            assert before <= heads[file].seq <= home.log.head.seq
    assert len(set(heads.values())) == BACKUPS, "each is of another moment"
    for file, head in heads.items():
        folder = file.with_suffix(".restored")
        assert home.noonday("restore", file, folder).exit_code == 0
        found = audit_file(folder / "data" / "events.sqlite", head)
        assert (found.records, found.chained_from, found.words) == (head.seq + 1, 1, ""), "and that it was put back"
        assert home.log.leads_to(head)


@contextmanager
def appending(log: EventLog) -> Iterator[None]:
    """Another thread appends inside the block, one record after the other."""
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            log.append([CoordinatorStarted(8)], at=7.0, by="coordinator")

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(30)


def grown(log: EventLog) -> None:
    """Return once it has a record more."""
    before = log.head.seq
    eventually(lambda: log.head.seq > before, what="a record more")


def read_head(done: Result) -> Head:
    head = Head.parse(json.loads(done.stdout)["head"])
    assert head is not None
    return head


def test_a_log_that_was_put_back_says_so_and_goes_on_above_all_that_hosts_may_know(home: Home) -> None:
    home.backup()
    home.restore()
    path = home.outside / "new" / "data" / "events.sqlite"
    with closing(EventLog.open(path)) as log:
        *before, last = log.read()
        state = fold(log.read())
    assert [record.event for record in before] == [record.event for record in home.log.read()]
    assert isinstance(last.event, LogRestored)
    assert state.term > 1_700_000_000
    assert state.generation > 1_700_000_000_000
    assert audit_file(path).words == ""


def test_the_second_restore_of_one_backup_is_above_the_first(home: Home) -> None:
    home.backup()
    found = []
    for name in ("one", "two"):
        assert home.noonday("restore", home.file, home.outside / name).exit_code == 0
        with closing(EventLog.open(home.outside / name / "data" / "events.sqlite")) as log:
            found.append(fold(log.read()).generation)
    assert found[1] > found[0]


def test_nothing_is_ever_overwritten(home: Home) -> None:
    home.backup()
    raw = home.file.read_bytes()
    done = home.backup()
    assert (done.exit_code, home.file.read_bytes()) == (2, raw)
    done = home.noonday("restore", home.file, home.folder)
    assert done.exit_code == 2
    assert "is there already" in done.stderr
    (home.outside / "new" / "data").mkdir(parents=True)
    (home.outside / "new" / "data" / "windows.sqlite").write_text("mine")
    assert home.restore().exit_code == 2
    assert [path.name for path in (home.outside / "new").iterdir()] == ["data"]


def test_places_that_the_configuration_names_elsewhere_are_kept(home: Home) -> None:
    away = home.outside / "var"
    text = home.made.config.read_text().replace('data_dir = "data"', f'data_dir = "{away}"')
    home.log.close()
    shutil.move(home.folder / "data", away)
    home.made.config.write_text(text)
    assert home.backup().exit_code == 0
    shutil.move(away, home.outside / "lost")
    done = home.restore()
    assert done.exit_code == 0, done.output
    assert (away / "events.sqlite").exists()
    assert not (home.outside / "new" / "data").exists()


def test_releases_may_be_left_out(home: Home) -> None:
    done = home.backup("--without-releases")
    assert "are not in it" in done.stderr
    with tarfile.open(home.file) as tar:
        assert not [name for name in tar.getnames() if "artifacts/" in name]
    assert home.restore().exit_code == 0


def test_a_damaged_log_is_no_backup(home: Home) -> None:
    with closing(sqlite3.connect(home.log.path)) as raw, raw:
        raw.execute("UPDATE events SET by = 'mallory' WHERE seq = 3")
    done = home.backup()
    assert done.exit_code == 1
    assert "Record 3 of the event log" in done.stderr
    assert list(home.outside.iterdir()) == []


def test_a_damaged_store_of_evidence_is_left_out_and_named(home: Home) -> None:
    for path in (home.folder / "data").glob("windows.sqlite-*"):
        path.unlink()
    (home.folder / "data" / "windows.sqlite").write_bytes(b"no database at all " * 100)
    done = home.backup()
    assert done.exit_code == 0, done.output
    assert "windows.sqlite is damaged" in done.stderr


def test_a_backup_that_finds_no_room_leaves_nothing_behind(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "x")

    monkeypatch.setattr(module, "_add_all", lambda *_, **__: full())
    done = home.backup()
    assert done.exit_code == 1
    assert "There is no room for the backup" in done.stderr
    assert list(home.outside.iterdir()) == []


def test_without_a_coordinator_s_folder_nothing_is_backed_up(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["backup", str(tmp_path / "b"), "--config", str(tmp_path / "coordinator.toml")])
    assert done.exit_code == 2
    made = init(tmp_path / "noonday", broker_url="amqp://guest:guest@127.0.0.1/")
    done = CliRunner().invoke(main, ["backup", str(tmp_path / "b"), "--config", str(made.config)])
    assert done.exit_code == 2
    assert "nothing to back up" in done.stderr


@pytest.mark.parametrize("damage", ["cut", "turned", "text", "outside", "missing", "newer"])
def test_a_backup_that_is_not_whole_is_refused_and_leaves_no_folder(home: Home, damage: str) -> None:
    home.backup()
    raw = home.file.read_bytes()
    place = raw.index(b"archivearchive")
    match damage:
        case "cut":
            home.file.write_bytes(raw[: len(raw) * 2 // 3])
        case "turned":
            home.file.write_bytes(raw[:place] + b"X" + raw[place + 1 :])
        case "text":
            home.file.write_text("no backup")
        case "outside":
            _add(home.file, "../evil", b"x")
        case "missing":
            _without(home.file, "coordinator.key")
        case "newer":
            _reindexed(home.file, format=2)
    done = home.restore()
    assert done.exit_code == 2, done.output
    assert "backup" in done.stderr
    assert list((home.outside / "new").iterdir()) == []
    assert not (home.outside / "evil").exists()


def _add(file: Path, name: str, raw: bytes) -> None:
    with tarfile.open(file, "a") as tar:
        member = tarfile.TarInfo(name)
        member.size = len(raw)
        tar.addfile(member, io.BytesIO(raw))


def _without(file: Path, name: str) -> None:
    _rewritten(file, lambda one, raw: None if one == name else raw)


def _reindexed(file: Path, **changes: object) -> None:
    _rewritten(
        file, lambda one, raw: json.dumps({**json.loads(raw), **changes}).encode() if one == "backup.json" else raw
    )


def _rewritten(file: Path, change: Callable[[str, bytes], bytes | None]) -> None:
    with tarfile.open(file) as tar:
        kept = [(one.name, change(one.name, tar.extractfile(one).read())) for one in tar]  # type: ignore[union-attr]
    file.unlink()
    for name, raw in kept:
        if raw is not None:
            _add(file, name, raw)
