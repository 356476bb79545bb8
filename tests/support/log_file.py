"""A log file that a test writes to."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.fake_clock import FakeClock


@pytest.fixture
def log() -> Iterator[Path]:
    """In a folder that any user may enter, for the tests that take permissions away."""
    folder = Path(tempfile.mkdtemp(prefix="noonday-log-"))
    folder.chmod(0o755)
    yield folder / "app.log"
    shutil.rmtree(folder)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def write(path: Path, *lines: str, end: str = "\n") -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write("\n".join(lines) + end)
