"""Prepares, switches or prunes for real in a process of its own, and dies by SIGKILL at a named point.

Arguments: root, downloads, source, version, digest, public key, point.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

from noonday_agent.releases import store, unpack
from noonday_shared.clock import SystemClock
from noonday_shared.keys import PublicKey
from noonday_shared.names import ReleaseRef


def main(root: str, downloads: str, source: str, version: str, digest: str, key: str, point: str) -> None:
    releases = store.ReleaseStore(
        Path(root),
        keys=[PublicKey.parse(key)],
        downloads_dir=Path(downloads),
        keep=2,
        max_unpacked=1 << 24,
        clock=SystemClock(),
    )
    ref = ReleaseRef(version=version, digest=digest)
    _arm(point)
    if point.startswith("prune"):
        releases.prune()
    elif point.startswith("switch"):
        releases.switch(ref.id)
    else:
        releases.prepare(
            "web",
            ref,
            source,
            within=30,
            cancelled=lambda: point == "unpack" and _half_unpacked(Path(root)) and _die(),
            progress=_die if point == "download" else _live_on,
        )
    sys.exit("it lived on")


def _arm(point: str) -> None:
    replacements: dict[str, tuple[Any, str]] = {
        "before-manifest": (unpack, "write_whole"),
        "before-name": (Path, "rename"),
        "after-name": (unpack, "sync_folder"),
        "prune-before-delete": (shutil, "rmtree"),
        "switch-before-replace": (Path, "replace"),
        "switch-after-replace": (store, "sync_folder"),
    }
    if point in replacements:
        owner, name = replacements[point]
        setattr(owner, name, _die)


def _half_unpacked(root: Path) -> bool:
    return any(sum(1 for _ in folder.iterdir()) > 50 for folder in root.glob("releases/.*.unpacking-*"))


def _die(*_: object, **__: object) -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("nobody outlives SIGKILL")


def _live_on(*_: object) -> None:
    pass


if __name__ == "__main__":
    main(*sys.argv[1:])
