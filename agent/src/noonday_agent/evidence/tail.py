"""One open log file, read from an offset to its end, in whole lines."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from noonday_shared.errors import Temporary

LONGEST_LINE = 64 << 10
CHUNK = 32 << 10
_HEAD = 256


@dataclass(frozen=True, slots=True)
class Position:
    """How far a file was read. `head` is the digest of its first `head_length` bytes: an inode number comes back,
    and a file that was cut short may have grown again, but neither begins with the same bytes."""

    device: int
    inode: int
    offset: int
    head: str
    head_length: int

    @classmethod
    def end_of(cls, found: os.stat_result) -> Position:
        """The present end of a file that may not be open to us."""
        return cls(found.st_dev, found.st_ino, found.st_size, _digest(b""), 0)

    @property
    def file(self) -> tuple[int, int]:
        return (self.device, self.inode)


class Tail:
    """Follows the file, not its name: goes on after a rename or a deletion. Never blocks on a pipe or a device."""

    def __init__(self, path: Path) -> None:
        """Raises `FileNotFoundError` or `PermissionError`, and `Temporary` for what is no regular file."""
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            os.close(fd)
            raise Temporary(f"{path} is not a regular file.", next_action=f"name a file instead of {path}")
        self._fd = fd
        self.file = (found.st_dev, found.st_ino)
        self._offset = 0
        self._head = b""
        self._partial = b""
        self._skipping = False
        self.dropped = 0

    def resume(self, position: Position) -> bool:
        """Go to where reading ended. False, and at the start, when this is another file or was cut short since."""
        start = os.pread(self._fd, position.head_length, 0)
        size = os.fstat(self._fd).st_size
        same = self.file == position.file and size >= position.offset and _digest(start) == position.head
        self._seek(position.offset if same else 0)
        return same

    def skip_back(self, most: int) -> None:
        """Leave at most `most` bytes unread, and count what that drops."""
        back = self.behind - most
        if back > 0:
            self._drop(back + self._cut_partial())
            self._seek(self._offset + back)

    def read(self, most: int) -> tuple[list[bytes], int]:
        """Whole lines without their ends, and how many bytes were read for them; at most `most`, 0 at the end."""
        lines: list[bytes] = []
        used = 0
        self._notice_truncation()
        while used < most:
            chunk = os.pread(self._fd, min(CHUNK, most - used), self._offset)
            if not chunk:
                break
            self._offset += len(chunk)
            used += len(chunk)
            self._split(chunk, lines)
        return lines, used

    def rest(self) -> list[bytes]:
        """The last line, when the file ended without a newline and nobody will write one."""
        rest, self._partial = self._partial, b""
        return [rest] if rest else []

    @property
    def behind(self) -> int:
        """Bytes in the file that were not read yet."""
        return max(os.fstat(self._fd).st_size - self._offset, 0)

    @property
    def deleted(self) -> bool:
        return os.fstat(self._fd).st_nlink == 0

    @property
    def position(self) -> Position:
        """Where a later reader has to begin: at the start of the line that is not whole yet."""
        offset = self._offset - len(self._partial)
        head = os.pread(self._fd, min(_HEAD, offset), 0)
        return Position(*self.file, offset, _digest(head), len(head))

    def close(self) -> None:
        os.close(self._fd)

    def _seek(self, offset: int) -> None:
        self._offset = offset
        # In the middle of a line: its rest would pass for a line of its own.
        self._skipping = offset > 0 and os.pread(self._fd, 1, offset - 1) != b"\n"

    def _notice_truncation(self) -> None:
        start = os.pread(self._fd, _HEAD, 0)
        known = min(len(self._head), self._offset)
        if len(start) < known or start[:known] != self._head[:known] or os.fstat(self._fd).st_size < self._offset:
            self._drop(self._cut_partial())
            self._seek(0)
        self._head = start

    def _split(self, chunk: bytes, lines: list[bytes]) -> None:
        if not self._partial and chunk[0] == 0:
            # A writer that keeps its offset over a copytruncate leaves a hole of NULs before its next line.
            chunk = chunk.lstrip(b"\0")
        if self._skipping:
            end = chunk.find(b"\n")
            self._drop(len(chunk) if end < 0 else end + 1)
            if end < 0:
                return
            self._skipping = False
            chunk = chunk[end + 1 :]
        found = (self._partial + chunk).split(b"\n")
        self._partial = found.pop()
        if b"\r" in chunk:
            found = [line.rstrip(b"\r") for line in found]
        lines.extend(found if max(map(len, found), default=0) <= LONGEST_LINE else map(self._shortened, found))
        if len(self._partial) > LONGEST_LINE:
            lines.append(self._shortened(self._partial))
            self._partial = b""
            self._skipping = True

    def _shortened(self, line: bytes) -> bytes:
        self._drop(max(len(line) - LONGEST_LINE, 0))
        return line[:LONGEST_LINE]

    def _cut_partial(self) -> int:
        lost, self._partial = len(self._partial), b""
        return lost

    def _drop(self, count: int) -> None:
        self.dropped += count


def _digest(head: bytes) -> str:
    return blake2b(head, digest_size=8).hexdigest()
