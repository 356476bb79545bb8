"""An archive made into a folder of releases/, whole or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path

from noonday_agent.releases.disk import disk_errors, need_space, sync_filesystem
from noonday_agent.releases.effort import Effort
from noonday_agent.releases.layout import ReleaseFolders
from noonday_agent.releases.pruning import UNPACKING
from noonday_shared.files import sync_folder, write_whole
from noonday_shared.release.extract import safe_extract
from noonday_shared.release.manifest import SignedRelease
from noonday_shared.release.signed import check_contents


def unpack_release(
    archive: Path, raw_manifest: bytes, signed: SignedRelease, folders: ReleaseFolders, *, limit: int, effort: Effort
) -> None:
    """Unpack a verified archive beside the others, flushed to disk before it gets its name.

    Raises `BadInput` for the archive, `Permanent` for the disk (rule `disk-full` or `disk-error`), and as
    `Effort.go_on`. Whatever it raises, no part of the release stays.
    """
    release = signed.ref.id
    what = f"Unpacking {signed.app} {signed.version}"
    partial = folders.releases / f".{release}{UNPACKING}{secrets.token_hex(4)}"
    with disk_errors(folders.root, what, needed=signed.unpacked):
        try:
            need_space(folders.releases, signed.unpacked, what)
            check_contents(safe_extract(archive, partial, limit=limit, go_on=effort.go_on), signed)
            for path in signed.manifest.shared:
                _share(partial / path, folders.shared / path, folders.shared)
            sync_filesystem(partial)
            # The manifest first: the folder's name is what makes the release whole, so nothing may come after it.
            write_whole(folders.sidecar(release), raw_manifest)
            partial.rename(folders.folder(release))
        except BaseException:  # whatever ended it, half of a release must not stay
            shutil.rmtree(partial, ignore_errors=True)
            folders.sidecar(release).unlink(missing_ok=True)
            raise
        sync_folder(folders.releases)


def _share(own: Path, kept: Path, shared: Path) -> None:
    """Put a link to `kept` in the place of the release's `own`, which is its first contents if it has none yet."""
    if not os.path.lexists(kept):
        _make_owned(kept.parent, shared)
        _seed(own, kept, shared)
    if own.is_dir() and not own.is_symlink():
        shutil.rmtree(own)
    else:
        own.unlink(missing_ok=True)
    own.parent.mkdir(parents=True, exist_ok=True)
    # A whole path, as releases/ or shared/ may themselves be links to another disk.
    own.symlink_to(kept)


def _seed(own: Path, kept: Path, shared: Path) -> None:
    draft = kept.with_name(f".{kept.name}.seed")
    if draft.is_dir():
        shutil.rmtree(draft)
    draft.unlink(missing_ok=True)
    if os.path.lexists(own):
        shutil.move(own, draft)
    else:
        draft.mkdir(mode=0o755)
    for path in (draft, *draft.rglob("*")):
        _own_like(shared, path)
    draft.rename(kept)


def _make_owned(folder: Path, shared: Path) -> None:
    missing = [path for path in (folder, *folder.parents) if path.is_relative_to(shared) and not path.exists()]
    for path in reversed(missing):
        path.mkdir()
        path.chmod(0o755)
        _own_like(shared if path != shared else shared.parent, path)


def _own_like(model: Path, path: Path) -> None:
    # The app writes to its shared files and seldom runs as the agent's user: who owns shared/ owns what is in it.
    if os.geteuid() == 0:
        status = model.stat()
        os.chown(path, status.st_uid, status.st_gid, follow_symlinks=False)
