"""What ends the demo's processes and folder when the demo itself was killed.

Every process of a demo carries its mark in the environment. The guard waits for the end of its standard input, whose
other end only the demo holds: the kernel closes it however the demo dies.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

MARK = "NOONDAY_DEMO"
_END_WITHIN = 5.0
_GUARD_WITHIN = 20.0


@contextmanager
def guarded(folder: Path) -> Iterator[None]:
    """Mark all processes that are started inside with `folder`; at the end none of them is left, nor the folder."""
    before = os.environ.get(MARK)
    os.environ[MARK] = str(folder)
    guard = subprocess.Popen(
        [sys.executable, "-m", "examples.webshop.guard", str(folder)],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield
    finally:
        os.environ.pop(MARK) if before is None else os.environ.update({MARK: before})
        assert guard.stdin is not None
        guard.stdin.close()
        guard.wait(_GUARD_WITHIN)


def sweep(folder: Path, *, spare: Collection[int] = ()) -> None:
    """End every process with this mark but those in `spare`, and remove the folder."""
    left = [process for process in _marked(folder) if process.pid not in spare]
    for end in (psutil.Process.terminate, psutil.Process.kill):
        for process in left:
            with suppress(psutil.NoSuchProcess):
                end(process)
        left = _left_after(_END_WITHIN, left)
    shutil.rmtree(folder, ignore_errors=True)


def _marked(folder: Path) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get(MARK) == str(folder):
                yield process


def _left_after(within: float, processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that still run after `within` seconds; returns at once when all have ended."""
    deadline = time.monotonic() + within
    while (left := [process for process in processes if _runs(process)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def _runs(process: psutil.Process) -> bool:
    # A zombie has ended; it waits for its parent, which may be the demo that waits for us.
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def main() -> None:
    folder = Path(sys.argv[1])
    sys.stdin.buffer.read()
    sweep(folder, spare={os.getpid()})


if __name__ == "__main__":
    main()
