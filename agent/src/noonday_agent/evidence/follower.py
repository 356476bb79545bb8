"""One path of a log, followed over rotation, truncation, absence and the switch of a symlink on the way to it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from noonday_agent.evidence.tail import Position, Tail
from noonday_shared.clock import Clock
from noonday_shared.errors import NoondayError

MOST_BEHIND = 256 << 20
"""Bytes that may wait unread in a file; more is skipped and counted as dropped."""
LINGER = 5.0
"""Seconds without a new byte after which a file that lost its name is let go: its writer may still hold it."""
LINGER_DELETED = 60.0
"""The same for a deleted file, of which no other reader will ever see the rest."""
_MOST_OLD = 4
_MOST_REMEMBERED = 8
_MOST_SIBLINGS = 2000


@dataclass(slots=True)
class _Old:
    """A file that no longer has the name."""

    tail: Tail
    linger: float
    until: float


class Follower:
    """A pull interface without a thread of its own; one thread calls it.

    A file that exists when following starts is read from its end, and one that comes later from its start; a file met
    before (by this object, or by the agent before its restart) goes on where reading ended. `remembered` is what
    `positions` said then, and None when this path was never followed.
    Lines of two files in one call are not in order of time: first what is left of the older one.
    """

    def __init__(
        self,
        path: Path,
        clock: Clock,
        remembered: Iterable[Position] | None = None,
        *,
        most_behind: int = MOST_BEHIND,
    ) -> None:
        self.path = path
        self.trouble = ""
        """Why nothing is read now, as a sentence; empty while all is well or the file is only missing."""
        self._clock = clock
        self._most_behind = most_behind
        self._known = {position.file: position for position in remembered or ()}
        self._tail: Tail | None = None
        self._old: list[_Old] = []
        self._dropped = 0
        self._begun = remembered is not None
        if self._known:
            self._reopen_renamed()
        self._look()

    def read(self, most: int) -> list[bytes]:
        """At most about `most` bytes of whole lines, without their ends; empty when nothing new is there."""
        lines: list[bytes] = []
        for old in list(self._old):
            used = self._read_tail(old.tail, most, lines)
            most -= used
            self._let_go_unless_used(old, used > 0 or most <= 0, lines)
        if self._tail is not None:
            most -= self._read_tail(self._tail, most, lines)
        if most > 0 and self._look() and self._tail is not None:
            self._read_tail(self._tail, most, lines)
        return lines

    @property
    def name(self) -> str:
        return str(self.path)

    @property
    def missing(self) -> bool:
        return self._tail is None

    @property
    def behind(self) -> int:
        """Bytes that wait unread in the files that are open."""
        return sum(tail.behind for tail in self._tails())

    @property
    def dropped(self) -> int:
        """Bytes that were skipped since the start: too long a line, too far behind, lost to a truncation."""
        return self._dropped + sum(tail.dropped for tail in self._tails())

    @property
    def positions(self) -> list[Position]:
        """What a later follower needs to go on from here, newest last."""
        for tail in self._tails():
            self._remember(tail)
        return list(self._known.values())

    def skip_to_end(self) -> None:
        """Leave unread, and count as dropped, what is in the files now."""
        for tail in self._tails():
            tail.skip_back(0)

    def close(self) -> None:
        for tail in self._tails():
            tail.close()
        self._tail, self._old = None, []

    def _tails(self) -> list[Tail]:
        return [old.tail for old in self._old] + ([self._tail] if self._tail else [])

    def _look(self) -> bool:
        """Whether another file has the name now, and was opened. A missing one may still be held by its writer."""
        try:
            found = os.stat(self.path)
        except FileNotFoundError:
            self._begun, self.trouble = True, ""
            if self._tail is not None and self._tail.deleted:
                self._retire(LINGER_DELETED)
            return False
        except OSError as error:
            self.trouble = _sentence(self.path, error)
            return False
        file = (found.st_dev, found.st_ino)
        if not self._begun:
            # Also when it can't be opened: what it holds now is history.
            self._begun, self._known[file] = True, Position.end_of(found)
        if self._tail is not None and self._tail.file == file:
            self.trouble = ""
            return False
        return self._open()

    def _open(self) -> bool:
        try:
            tail = Tail(self.path)
        except (OSError, NoondayError) as error:
            self.trouble = _sentence(self.path, error)
            return False
        self._retire(LINGER)
        again = next((old for old in self._old if old.tail.file == tail.file), None)
        if again is not None:
            self._old.remove(again)
            tail.close()
            tail = again.tail
        elif position := self._known.get(tail.file):
            tail.resume(position)
        self._tail, self.trouble = tail, ""
        return True

    def _retire(self, linger: float) -> None:
        if self._tail is None:
            return
        self._remember(self._tail)
        self._old.append(_Old(self._tail, linger, self._clock.monotonic() + linger))
        self._tail = None

    def _let_go_unless_used(self, old: _Old, used: bool, lines: list[bytes]) -> None:
        now = self._clock.monotonic()
        if used:
            old.until = now + old.linger
        if now >= old.until or len(self._old) > _MOST_OLD:
            lines.extend(old.tail.rest())
            self._dropped += old.tail.dropped + old.tail.behind
            self._remember(old.tail)
            self._old.remove(old)
            old.tail.close()

    def _remember(self, tail: Tail) -> None:
        with suppress(OSError):
            position = tail.position
            self._known.pop(tail.file, None)
            self._known[tail.file] = position
        while len(self._known) > _MOST_REMEMBERED:
            self._known.pop(next(iter(self._known)))

    def _read_tail(self, tail: Tail, most: int, lines: list[bytes]) -> int:
        if most <= 0:
            return 0
        try:
            tail.skip_back(self._most_behind)
            found, used = tail.read(most)
        except OSError as error:
            self.trouble = _sentence(self.path, error)
            return 0
        lines.extend(found)
        return used

    def _reopen_renamed(self) -> None:
        """Find the file that was being read, should it have got another name while nobody followed."""
        last = next(reversed(self._known.values()))
        with suppress(OSError, NoondayError), os.scandir(self.path.parent) as entries:
            for _, entry in zip(range(_MOST_SIBLINGS), entries, strict=False):
                renamed = entry.inode() == last.inode and entry.name != self.path.name
                if renamed and entry.name.startswith(self.path.stem):
                    tail = Tail(Path(entry.path))
                    if tail.resume(last):
                        self._old.append(_Old(tail, LINGER, self._clock.monotonic() + LINGER))
                    else:
                        tail.close()


def _sentence(path: Path, error: OSError | NoondayError) -> str:
    if isinstance(error, NoondayError):
        return error.text
    return f"{path} can't be read: {error.strerror or error}."
