"""The records of a systemd unit, through a `journalctl` that follows them."""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import struct
import subprocess
import termios

from noonday_agent.evidence.tail import LONGEST_LINE
from noonday_shared.clock import Clock
from noonday_shared.logs.levels import level_of_number
from noonday_shared.logs.shape import Shape

RETRY = 10.0
"""Seconds until a journalctl that ended is started again."""
LONGEST_ENTRY = 1 << 20
_CHUNK = 64 << 10
_NOTICE = 5
_SHOWN = 300
_FIELDS = "MESSAGE,PRIORITY"

_log = logging.getLogger(__name__)


class Journal:
    """A `Source`. Begins at the present end, or after `cursor`: what `cursor` said to an earlier agent.

    An app that writes plain lines to its output gets them back as they were. An entry that says how bad it is only by
    its priority, as with native journal calls, gets that level as its first word.
    """

    def __init__(self, unit: str, clock: Clock, cursor: str = "", *, program: str = "journalctl") -> None:
        self.unit = unit
        self.name = f"journal of {unit}"
        self.trouble = ""
        self.dropped = 0
        self.cursor = cursor
        self._clock = clock
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None
        self._said = ""
        self._partial = b""
        self._skipping = False
        self._heard = False
        self._retry_at = clock.monotonic()
        self._shape = Shape()
        self._start()

    def read(self, most: int) -> list[bytes]:
        if self._process is None and self._clock.monotonic() >= self._retry_at:
            self._start()
        lines: list[bytes] = []
        while most > 0 and self._process is not None and self._process.stdout is not None:
            try:
                chunk = os.read(self._process.stdout.fileno(), min(_CHUNK, most))
            except BlockingIOError:
                break
            if not chunk:
                self._ended()
                break
            most -= len(chunk)
            self._split(chunk, lines)
        return lines

    @property
    def behind(self) -> int:
        """What waits in the pipe: journalctl holds the rest back until that is read."""
        if self._process is None or self._process.stdout is None:
            return 0
        answer = fcntl.ioctl(self._process.stdout.fileno(), termios.FIONREAD, b"\0" * 4)
        return int(struct.unpack("i", answer)[0])

    def skip_to_end(self) -> None:
        if waiting := self.behind:
            self.dropped += waiting + len(self._partial)
            self.close()
            self.cursor = ""
            self._start()

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._let_go(self._process)

    def _start(self) -> None:
        self._retry_at = self._clock.monotonic() + RETRY
        self._heard = False
        place = [f"--after-cursor={self.cursor}", "--no-tail"] if self.cursor else ["--lines=0"]
        command = [self._program, f"--unit={self.unit}", "--output=json", f"--output-fields={_FIELDS}", "--all"]
        self._said = ""
        try:
            self._process = subprocess.Popen(
                [*command, "--quiet", "--no-pager", "--follow", *place],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                bufsize=0,
            )
        except OSError as error:
            self._say(f"{self._program} can't be run: {error.strerror}")
            return
        if self._process.stdout is not None:
            os.set_blocking(self._process.stdout.fileno(), False)

    def _ended(self) -> None:
        if self._process is None:
            return
        process = self._process
        self._let_go(process)
        self._say(f"journalctl ended with {process.returncode}, saying {self._said!r}")
        if not self._heard:
            # A cursor that journalctl does not take would end it again and again.
            self.cursor = ""

    def _let_go(self, process: subprocess.Popen[bytes]) -> None:
        if process.stdout is not None:
            process.stdout.close()
        try:
            process.wait(1.0)
        except subprocess.TimeoutExpired:
            process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):  # stuck in the kernel: nothing more can be done
                process.wait(1.0)
        self._process, self._partial, self._skipping = None, b"", False

    def _say(self, why: str) -> None:
        trouble = f"The {self.name} is not read: {why}. It is tried again."
        if trouble != self.trouble:
            _log.warning("%s", trouble)
        self.trouble = trouble

    def _split(self, chunk: bytes, lines: list[bytes]) -> None:
        if self._skipping:
            end = chunk.find(b"\n")
            self.dropped += len(chunk) if end < 0 else end + 1
            if end < 0:
                return
            self._skipping, chunk = False, chunk[end + 1 :]
        entries = (self._partial + chunk).split(b"\n")
        self._partial = entries.pop()
        for entry in entries:
            self._take(entry, lines)
        if len(self._partial) > LONGEST_ENTRY:
            self.dropped += len(self._partial)
            self._partial, self._skipping = b"", True

    def _take(self, entry: bytes, lines: list[bytes]) -> None:
        if not entry.startswith(b"{"):
            self._said = entry[:_SHOWN].decode("utf-8", "replace").strip()
            return
        try:
            found = json.loads(entry)
            message, cursor = found.get("MESSAGE"), found.get("__CURSOR")
            raw = bytes(message) if isinstance(message, list) else str(message or "").encode("utf-8", "replace")
        except (ValueError, TypeError, AttributeError, RecursionError):
            self.dropped += len(entry)
            return
        self._heard, self.trouble = True, ""
        if isinstance(cursor, str):
            self.cursor = cursor
        for number, line in enumerate(raw.split(b"\n")):
            self.dropped += max(len(line) - LONGEST_LINE, 0)
            kept = line.rstrip(b"\r")[:LONGEST_LINE]
            lines.append(kept if number else self._with_level(kept, str(found.get("PRIORITY", ""))))

    def _with_level(self, line: bytes, priority: str) -> bytes:
        if not priority.isascii() or not priority.isdigit() or int(priority) >= _NOTICE or self._shape.begins(line):
            return line
        return f"{level_of_number(int(priority))}: ".encode() + line
