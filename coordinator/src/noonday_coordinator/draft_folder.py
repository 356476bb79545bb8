"""A folder for what is not whole yet: whatever happens, nothing of it is left."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def draft_folder(parent: Path, name: str) -> Iterator[Path]:
    """A new hidden folder in `parent`, for its owner alone; it is gone afterwards, with what is still in it."""
    folder = parent / f".{name}.{secrets.token_hex(4)}"
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
