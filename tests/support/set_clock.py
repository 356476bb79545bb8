"""`noonday` on a machine whose time of day is set: `python -m support.set_clock FILE ARGS`.

FILE holds by how many seconds, at each instant; without one the clock is right.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from noonday_coordinator.cli.main import main
from noonday_shared.clock import SystemClock

FILE = Path(sys.argv.pop(1))


def now(_: SystemClock) -> float:
    text = FILE.read_text() if FILE.exists() else ""
    return time.time() + float(text or 0.0)


if __name__ == "__main__":
    setattr(SystemClock, "now", now)  # noqa: B010 - what is assigned to a class, mypy takes for another thing
    main()
