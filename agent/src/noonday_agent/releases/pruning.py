"""What is removed: old releases, and what a killed agent left half-done."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Container
from pathlib import Path

from noonday_agent.releases.layout import ReleaseFolders

UNPACKING = ".unpacking-"
"""In the name of every folder that is not whole yet."""
_REMOVING = ".removing-"


def remove_release(folders: ReleaseFolders, release: str) -> None:
    """Raises `OSError`. Killed in the middle, it leaves what `sweep_unfinished` removes, and never half a release."""
    doomed = folders.releases / f".{release}{_REMOVING}{secrets.token_hex(4)}"
    folders.folder(release).rename(doomed)
    folders.sidecar(release).unlink(missing_ok=True)
    shutil.rmtree(doomed)


def sweep_unfinished(folders: ReleaseFolders) -> None:
    """Remove what no running work can own: call it only while nothing is unpacked or removed."""
    for path in folders.releases.glob(".*"):
        if UNPACKING in path.name or _REMOVING in path.name:
            shutil.rmtree(path, ignore_errors=True)
        elif path.name.endswith(".new") or _is_orphan(path, folders):
            path.unlink(missing_ok=True)


def sweep_downloads(downloads: Path, wanted: Container[str]) -> None:
    """Remove downloads, whole or partial, but those whose digest begins with one of `wanted` (8 digits each)."""
    for path in downloads.glob("*.part"):
        if path.name[:8] not in wanted:
            path.unlink(missing_ok=True)


def _is_orphan(path: Path, folders: ReleaseFolders) -> bool:
    return path.name.endswith(".json") and not folders.has(path.name[1 : -len(".json")])
