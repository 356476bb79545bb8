"""`noonday restore`: a coordinator's folder from a backup, on this machine or another one."""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from noonday_coordinator.backup import CA, FORMAT, INDEX, KEY, LOG
from noonday_coordinator.config import FILE_NAME, CoordinatorConfig, load
from noonday_coordinator.core.events import LogRestored
from noonday_coordinator.draft_folder import draft_folder
from noonday_coordinator.store.event_log import EventLog
from noonday_coordinator.store.log_file import audit_file
from noonday_shared.clock import Clock
from noonday_shared.errors import BadInput, NoondayError
from noonday_shared.files import sync_folder

BY = "restore"
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Restored:
    """`at`: when the backup was made, in seconds since the epoch. `records`: that were in it."""

    config: Path
    data: Path
    at: float
    records: int


def restore(file: Path, folder: Path, *, clock: Clock) -> Restored:
    """Make `folder` the coordinator's that was backed up. Nothing is ever overwritten, and nothing is in its place
    before all of it was checked. Raises `BadInput`."""
    if (folder / FILE_NAME).exists():
        raise _taken(folder / FILE_NAME)
    with _explained(file), _drafted(folder) as draft:
        index = _checked(file, _unpack(file, draft), draft)
        config = load(draft / FILE_NAME)
        records = _note(draft / LOG, index, clock.now())
        moves = _moves(config, draft, folder)
        for _, place in moves:
            if place.exists():
                raise _taken(place)
        for path, place in moves:
            place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            shutil.move(path, place)
            sync_folder(place.parent)
    data = _place(config.data_dir, draft, folder)
    return Restored(folder / FILE_NAME, data, float(index["at"]), records)


def _unpack(file: Path, draft: Path) -> dict[str, dict[str, object]]:
    """Every member into `draft`; by name its size and sha256."""
    found: dict[str, dict[str, object]] = {}
    with tarfile.open(file, "r:") as tar:
        for member in tar:
            name = PurePosixPath(member.name)
            if (
                not member.isfile()
                or name.is_absolute()
                or ".." in name.parts
                or not (source := tar.extractfile(member))
            ):
                raise _no_backup(file, f"{member.name[:100]!r} does not belong in one")
            path = draft / name
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            made = hashlib.sha256()
            with path.open("xb") as copy:
                path.chmod(0o600)
                while piece := source.read(_PIECE):
                    made.update(piece)
                    copy.write(piece)
            found[member.name] = {"size": member.size, "sha256": made.hexdigest()}
    if INDEX not in found:
        raise _no_backup(file, "its end is missing")
    return found


def _checked(file: Path, found: dict[str, dict[str, object]], draft: Path) -> dict[str, Any]:
    """What the backup says of itself, once all of it is as it says."""
    index: dict[str, Any] = json.loads((draft / INDEX).read_text())
    if index.get("format") != FORMAT:
        text = f"The backup has format {index.get('format')}, and this version knows {FORMAT}."
        raise BadInput(text, rule="bad-backup", next_action="restore it with the Noonday that made it, or a newer one")
    del found[INDEX]
    changed = sorted({*found, *index["files"]} - {name for name in found if found[name] == index["files"].get(name)})
    if changed:
        raise _no_backup(file, f"{', '.join(changed[:3])}: not as it was when the backup was made")
    audit = audit_file(draft / LOG)
    if audit.words or str(audit.head) != index["head"]:
        raise _no_backup(file, audit.words.rstrip(".") or "its event log is another one")
    return index


def _moves(config: CoordinatorConfig, draft: Path, folder: Path) -> list[tuple[Path, Path]]:
    """What goes where, in order. The configuration is last: a folder that has one is whole."""
    data = _place(config.data_dir, draft, folder)
    moves = [(path, data / path.name) for path in sorted((draft / "data").iterdir())]
    moves += [(path, _place(config.apps_dir, draft, folder) / path.name) for path in sorted(draft.glob("apps/*"))]
    moves.append((draft / KEY, _place(config.coordinator_key_file, draft, folder)))
    if config.broker.ca_file is not None:
        moves.append((draft / CA, _place(config.broker.ca_file, draft, folder)))
    return [*moves, (draft / FILE_NAME, folder / FILE_NAME)]


def _place(path: Path, draft: Path, folder: Path) -> Path:
    """Where coordinator.toml puts it: in `folder`, unless it names a place of its own."""
    draft = draft.absolute()
    return folder.absolute() / path.relative_to(draft) if path.is_relative_to(draft) else path


def _note(log: Path, index: dict[str, Any], now: float) -> int:
    """Write into the log that it was put back. Hosts follow the greatest term and generation, and may have seen greater
    ones than the backup knows; seconds and milliseconds of today are greater than any that was counted up."""
    with closing(EventLog.open(log)) as opened:
        records = opened.head.seq
        event = LogRestored(backup_at=float(index["at"]), term=int(now), generation=int(now * 1000))
        opened.append([event], at=now, by=BY)
    log.with_name(f"{log.name}.lock").unlink(missing_ok=True)
    return records


def _drafted(folder: Path) -> AbstractContextManager[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    return draft_folder(folder, "restore")


@contextmanager
def _explained(file: Path) -> Iterator[None]:
    try:
        yield
    except NoondayError:
        raise
    except (tarfile.TarError, EOFError, ValueError, KeyError) as error:
        raise _no_backup(file, str(error)) from error
    except OSError as error:
        text = f"The backup can't be restored: {error.filename}: {error.strerror}."
        raise BadInput(text, next_action="check disk space and owners: df -h, ls -l") from error


def _taken(path: Path) -> BadInput:
    return BadInput(
        f"{path} is there already, and a restore overwrites nothing.",
        rule="already-made",
        next_action=f"stop the coordinator, move it away (mv {path} {path}.old), then restore again",
    )


def _no_backup(file: Path, why: str) -> BadInput:
    text = f"{file} is no whole backup of Noonday: {why}. Nothing was restored."
    return BadInput(text, rule="bad-backup", next_action="restore another one")
