"""`noonday backup`: all that a coordinator needs, from its folder into one file, also while it runs.

A tar of `coordinator.toml`, `coordinator.key`, the policies in `apps/`, and `data/` with the event log, the windows,
the catalogue and the pushed releases. `backup.json` is its last member: it names all others with size and sha256.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import sqlite3
import tarfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import IO

from noonday_coordinator.config import FILE_NAME, CoordinatorConfig, load
from noonday_coordinator.draft_folder import draft_folder
from noonday_coordinator.store.chain import Head
from noonday_coordinator.store.log_file import as_ours, audit_file, reader
from noonday_shared.clock import Clock
from noonday_shared.errors import BadInput, NoondayError, Permanent, Temporary
from noonday_shared.files import sync_folder

FORMAT = 1
INDEX = "backup.json"
KEY = "coordinator.key"
CA = "ca.pem"
LOG = "data/events.sqlite"
LOSSY = ("windows.sqlite", "catalogue.sqlite")
SECRET = "artifacts.secret"  # noqa: S105  # a file's name
RELEASES = "artifacts"


@dataclass(frozen=True, slots=True)
class BackedUp:
    """`at`: when the log was copied, in seconds since the epoch. `notes`: what is not in it, as sentences."""

    file: Path
    at: float
    size: int
    head: Head
    releases: int
    notes: tuple[str, ...]


def backup(config_file: Path, file: Path, *, clock: Clock, releases: bool = True) -> BackedUp:
    """Write `file`, which is there only once it is whole and was checked; readable by its owner alone.

    Blocks for as long as the disk takes. Raises `BadInput`, `Temporary` when there is no room, `Permanent` when the log
    is damaged.
    """
    config = load(config_file)
    if file.exists():
        raise BadInput(f"{file} is there already, and a backup overwrites nothing.", next_action="give another name")
    if not (config.data_dir / "events.sqlite").exists():
        text = f"There is no event log in {config.data_dir}, so there is nothing to back up."
        raise BadInput(text, next_action="give the coordinator's own file: --config coordinator.toml")
    with _explained(file), draft_folder(file.parent, file.name) as folder:
        at = clock.now()
        notes = _copy_stores(config, folder)
        head = _checked(folder / "events.sqlite")
        draft = folder / "draft.tar"
        with os.fdopen(_private(draft), "wb") as raw:
            kept = _Pack(raw)
            _add_all(kept, config, config_file, folder, releases=releases)
            kept.finish({"at": at, "version": version("noonday-coordinator"), "head": str(head)})
            raw.flush()
            os.fsync(raw.fileno())
        size = draft.stat().st_size
        draft.rename(file)
        sync_folder(file.parent)
    if not releases:
        notes.append("The pushed releases are not in it: keep them, or push them again.")
    return BackedUp(file, at, size, head, kept.archives, tuple(notes))


class _Pack:
    """A tar that remembers what went into it."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._tar = tarfile.open(fileobj=raw, mode="w|", format=tarfile.PAX_FORMAT)  # noqa: SIM115  # `finish` closes it
        self._index: dict[str, dict[str, object]] = {}
        self.archives = 0

    def add(self, path: Path, name: str) -> None:
        with path.open("rb") as source:
            size = os.fstat(source.fileno()).st_size
            watched = _Hashing(source)
            self._put(name, size, watched)
        self._index[name] = {"size": size, "sha256": watched.sha256.hexdigest()}

    def add_release(self, path: Path, name: str) -> None:
        """One that is taken away meanwhile, since it is no longer kept, is left out."""
        try:
            self.add(path, name)
        except FileNotFoundError:
            return
        self.archives += path.name.endswith(".tar.gz")

    def finish(self, said: dict[str, object]) -> None:
        raw = json.dumps({"format": FORMAT, **said, "files": self._index}, indent=1).encode()
        self._put(INDEX, len(raw), io.BytesIO(raw))
        self._tar.close()

    def _put(self, name: str, size: int, source: IO[bytes] | _Hashing) -> None:
        member = tarfile.TarInfo(name)
        member.size, member.mode = size, 0o600
        self._tar.addfile(member, source)


class _Hashing:
    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self.sha256 = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        piece = self._source.read(size)
        self.sha256.update(piece)
        return piece


def _add_all(kept: _Pack, config: CoordinatorConfig, config_file: Path, folder: Path, *, releases: bool) -> None:
    kept.add(config_file, FILE_NAME)
    kept.add(config.coordinator_key_file, KEY)
    if config.broker.ca_file is not None:
        kept.add(config.broker.ca_file, CA)
    for policy in sorted(config.apps_dir.glob("*.toml")):
        kept.add(policy, f"apps/{policy.name}")
    for name in ("events.sqlite", *LOSSY):
        if (folder / name).exists():
            kept.add(folder / name, f"data/{name}")
    if (config.data_dir / SECRET).exists():
        kept.add(config.data_dir / SECRET, f"data/{SECRET}")
    if releases:
        # After the log: whatever release is in that has its archive here, since a push brings the archive first.
        root = config.data_dir / RELEASES
        for path in sorted(root.glob("[!.]*/*")):
            kept.add_release(path, f"data/{RELEASES}/{path.relative_to(root)}")


def _copy_stores(config: CoordinatorConfig, folder: Path) -> list[str]:
    """Each as it is at one instant, while others write it. What was left out, as sentences."""
    with as_ours(config.data_dir / "events.sqlite", "copied"):
        _copy(config.data_dir / "events.sqlite", folder / "events.sqlite")
    notes = []
    for name in LOSSY:
        source = config.data_dir / name
        if not source.exists():
            continue
        try:
            _copy(source, folder / name)
        except sqlite3.DatabaseError as error:
            (folder / name).unlink(missing_ok=True)
            notes.append(f"{name} is damaged ({error}), so it is not in it. What it holds comes again with time.")
    return notes


def _copy(source: Path, copy: Path) -> None:
    os.close(_private(copy))
    with closing(reader(source)) as here, closing(sqlite3.connect(copy)) as there:
        try:
            here.backup(there)
            # One file alone: the copy needs no log beside it.
            there.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_FULL:  # of the copy's disk: here nothing is written
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(copy)) from error
            raise
        found = there.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if found != "ok":
        raise sqlite3.DatabaseError(found)


def _checked(log: Path) -> Head:
    found = audit_file(log)
    if found.words:
        text = f"No backup was made, since what it would hold can't be trusted: {found.words}"
        raise Permanent(text, rule="event-log", next_action="keep the last backup, and: noonday audit")
    return found.head


@contextmanager
def _explained(file: Path) -> Iterator[None]:
    try:
        yield
    except NoondayError:
        raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            text = f"There is no room for the backup in {file.parent}; nothing was kept of it."
            raise Temporary(
                text, rule="disk-full", next_action=f"df -h {file.parent}, or give another place"
            ) from error
        text = f"The backup can't be made: {error.filename}: {error.strerror}."
        raise BadInput(text, next_action="run it as the coordinator's user, as in: sudo -u noonday") from error


def _private(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
