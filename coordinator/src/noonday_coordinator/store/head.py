"""Where the event log ended last, kept beside it: a chain alone can't show that its end was cut off."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from noonday_coordinator.store.chain import Head
from noonday_shared.errors import Permanent

_WIDTH = 96
_log = logging.getLogger(__name__)


class HeadFile:
    """Written after each append, so it never runs ahead of the log; behind it after a power cut, or on a full disk.

    Overwritten in place and not flushed: that costs microseconds, and needs no room on the disk.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = -1
        self._told = ""

    def read(self) -> Head | None:
        """None when there is none, or none that can be understood."""
        try:
            return Head.parse(self.path.read_text())
        except (OSError, UnicodeDecodeError):
            return None

    def write(self, head: Head) -> None:
        """Never raises: the log is whole without it."""
        try:
            if self._fd < 0:
                self._fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            os.pwrite(self._fd, f"{head}\n".ljust(_WIDTH).encode(), 0)
        except OSError as error:
            if str(error) != self._told:
                _log.warning(
                    "%s can't be written: %s. Until it can, a cut at the log's end shows later.", self.path, error
                )
            self._told = str(error)

    def close(self) -> None:
        """Safe to repeat."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def cut_off(kept: Head, last: int, hash_there: str, log: Path) -> Permanent | None:
    """The refusal of a log that does not lead to `kept`. `hash_there`: what its record of that number carries."""
    if kept.seq <= last and hash_there in (kept.hash, ""):
        return None
    what = (
        f"it ends at record {last}, and ended at {kept.seq}" if kept.seq > last else f"record {kept.seq} is another one"
    )
    return Permanent(
        f"The event log can't be used: {log} was cut off or replaced: {what}.",
        rule="event-log",
        next_action=f"restore a backup: noonday restore. To go on with the log as it is all the same, remove "
        f"{log.with_suffix('.head')}",
    )
