"""Which way a polled server was last turned, and when: a small file that outlives the agent."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from noonday_shared.clock import Clock
from noonday_shared.errors import Temporary
from noonday_shared.files import write_whole


class Way(StrEnum):
    IN = "in"
    OUT = "out"


@dataclass(frozen=True, slots=True)
class Marker:
    """The file's text is the way, its mtime the instant of the turn. `owner` leads every error.

    All raise `Temporary` when the disk can't be read or written.
    """

    path: Path
    clock: Clock
    owner: str

    def way(self) -> Way | None:
        """None when nothing was ever turned here."""
        try:
            return Way(self.path.read_text(encoding="ascii").strip())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise disk_trouble(self.owner, self.path, error) from error

    def turn(self, way: Way) -> None:
        """Remember `way` and the instant. A repeat changes nothing, so that it does not begin the settle time anew."""
        # An instant that is still to come was written before the clock was set back, and would never settle.
        if self.way() is way and self._age() >= 0:
            return
        now = self.clock.now()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self.path, f"{way}\n")
            os.utime(self.path, (now, now))
        except OSError as error:
            raise disk_trouble(self.owner, self.path, error) from error

    def forget(self) -> None:
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            raise disk_trouble(self.owner, self.path, error) from error

    def settled(self, way: Way, settle: float) -> bool:
        """Whether the last turn was to `way` and is `settle` seconds old."""
        return self.way() is way and self._age() >= settle

    def _age(self) -> float:
        try:
            return self.clock.now() - self.path.stat().st_mtime
        except OSError as error:
            raise disk_trouble(self.owner, self.path, error) from error


def disk_trouble(owner: str, path: Path, error: OSError | ValueError) -> Temporary:
    reason = (error.strerror if isinstance(error, OSError) else None) or "its text is neither 'in' nor 'out'"
    return Temporary(
        f"{owner}: {path} can't be used: {reason}.",
        rule="balancer-disk",
        next_action=f"look at {path.parent}: its disk, its owner and its mode",
    )
