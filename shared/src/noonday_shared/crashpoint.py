"""Named points at which a test lets this process die as a power cut would: no handler, no flush, no farewell."""

from __future__ import annotations

import os
import signal

_WANTED = os.environ.get("NOONDAY_CRASH_AT", "")


def crashpoint(name: str) -> None:
    """SIGKILL this process if it was started with NOONDAY_CRASH_AT=`name`; otherwise nothing."""
    if name == _WANTED:
        os.kill(os.getpid(), signal.SIGKILL)
