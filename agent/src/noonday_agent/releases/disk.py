"""The disk that releases lie on: asked before, and made to speak in sentences when it fails."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from noonday_shared.errors import Permanent

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def need_space(folder: Path, needed: int, what: str) -> None:
    """Raises `Permanent` (rule `disk-full`) when fewer than `needed` bytes are free on the filesystem of `folder`."""
    if shutil.disk_usage(folder).free < needed:
        raise _disk_full(folder, needed, what)


@contextmanager
def disk_errors(folder: Path, what: str, *, needed: int = 0) -> Iterator[None]:
    """Turns `OSError` into `Permanent`: rule `disk-full` with the bytes needed (0: few) and free, or `disk-error`."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise _disk_full(folder, needed, what) from error
        raise Permanent(
            f"{what}: {error.strerror or error} ({error.filename or folder}). Nothing was switched.",
            rule="disk-error",
            next_action=f"check the filesystem and the owner of {folder}, then deploy again",
        ) from error


def sync_filesystem(folder: Path) -> None:
    """Flush everything below `folder`: one call where an fsync for each of many thousand files takes minutes."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(fd) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(folder))
    finally:
        os.close(fd)


def _disk_full(folder: Path, needed: int, what: str) -> Permanent:
    free = shutil.disk_usage(folder).free
    needs = f"needs {needed} bytes" if needed else "needs a little room"
    return Permanent(
        f"{what} {needs} on the filesystem of {folder}, and {free} bytes are free. Nothing was switched.",
        rule="disk-full",
        next_action=f"free space there (df -h {folder}), or lower 'keep' in agent.toml, then deploy again",
    )
