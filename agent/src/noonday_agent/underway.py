"""The command that an agent has under way, noted on disk: the agent after it finds there what outlived its death."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import time
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
from pydantic import TypeAdapter, ValidationError

from noonday_agent.probes.proof import Seen
from noonday_agent.probes.running import started
from noonday_shared.crashpoint import crashpoint
from noonday_shared.files import write_whole

GRACE = 2.0
"""Seconds between TERM and KILL for a group whose time is over."""

_KILLED_WITHIN = 1.0
_LOOK = 0.02
_TICK = 0.02
"""Seconds by which the kernel may call a process older than it is."""
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Leftover:
    """A command as it was noted. Instants are seconds since the machine's start, which no clock that is set moves.

    A process is never known by its number alone, which another one may have by now: by number and start, or by the
    pipe that the command was given for its output. The pipe is noted before the command starts, so a death between
    the start and the second note hides nothing.
    """

    boot: str
    since: float
    output: str
    """As in 'pipe:[4711]'."""
    pid: int = 0
    started: float = 0.0

    @property
    def runs(self) -> bool:
        """Whether the command itself does; what it started may live on."""
        if self.pid:
            return self._leads
        return any(_leads_session(pid) for pid, _ in self._members())

    @property
    def words(self) -> str:
        return f"process {self.pid}" if self.pid else f"what writes to {self.output}"

    def seconds_left(self, within: float) -> float:
        """Of `within` since its start. None once the machine was started anew: nothing of it can show itself then."""
        return max(self.since + within - _now(), 0.0) if self.boot == _boot() else 0.0

    def end(self) -> bool:
        """TERM, then KILL for its process group; where it has ended itself, for what shares its output. Whether there
        was anything to end. Blocks at most `GRACE` + 1 seconds."""
        members = self._members()
        if not members:
            return False
        _signal(members, signal.SIGTERM)
        begun = time.monotonic()
        while members := self._members(members):
            took = time.monotonic() - begun
            if took >= GRACE:
                _signal(members, signal.SIGKILL)
            if took >= GRACE + _KILLED_WITHIN:
                _log.warning("%s does not end though it was killed", self.words)
                break
            time.sleep(_LOOK)
        return True

    @property
    def _leads(self) -> bool:
        return self.boot == _boot() and self.pid != 0 and started(self.pid) == self.started

    def _members(self, known: Seen = frozenset()) -> Seen:
        """`known`: who was found to be one before."""
        if self.boot != _boot():
            return frozenset()
        # A group keeps its number as long as anybody is in it, so one whom we know there vouches for all others.
        ours = self._leads or any(_alive(each) and _group(each[0]) == self.pid for each in known)
        found = ((pid, since) for pid in psutil.pids() if (since := started(pid)) is not None)
        young = ((pid, since) for pid, since in found if since >= self.since - _TICK)
        return frozenset(
            each for each in young if (_group(each[0]) == self.pid if ours else _writes_to(each[0], self.output))
        )


_LEFTOVER = TypeAdapter(Leftover)


class Underway:
    """Notes one command at a time. All but `outlived` belong to the thread that runs it."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._kind = file.stem.rpartition(".")[2].partition("-")[0]
        self._noted: Leftover | None = None

    def begins(self, output: int) -> None:
        """It is about to start, with the pipe `output` to write to."""
        self._keep(Leftover(_boot(), _now(), os.readlink(f"/proc/self/fd/{output}")))

    def began(self, pid: int) -> None:
        crashpoint(f"agent:started:{self._kind}")
        if self._noted is not None:
            # One that has ended by now is never found again, but what shares its output is.
            self._keep(replace(self._noted, pid=pid, started=started(pid) or 0.0))
        crashpoint(f"agent:noted:{self._kind}")

    def ended(self) -> None:
        """It has, and what was waited for after it is there or given up: nothing of it is left to be looked for."""
        self._noted = None
        try:
            self._file.unlink(missing_ok=True)
        except OSError as error:
            # It names a process that is gone, which nobody else can be taken for.
            _log.warning("%s can't be removed: %s", self._file, error)

    def outlived(self) -> Leftover | None:
        """What an agent before this one had under way when it died, whether it still runs or not."""
        try:
            return _LEFTOVER.validate_json(self._file.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            _log.warning("%s can't be used, so nobody looks for what it names: %s", self._file, error)
            return None

    def end_outlived(self) -> None:
        """End it, if it still runs. Blocks as long as `Leftover.end`."""
        left = self.outlived()
        if left is None:
            return
        if left.end():
            _log.warning("%s outlived the agent that had started it, and was ended with its group", left.words)
        self.ended()

    def _keep(self, noted: Leftover) -> None:
        """A disk that is full must not keep an app from its restart: the journal was written a moment ago."""
        self._noted = noted
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(self._file, _LEFTOVER.dump_json(noted), mode=0o600)
        except OSError as error:
            _log.warning("%s can't be written, so a next agent would not know what runs now: %s", self._file, error)


RESTART = "restart"
"""The note of a restart, which is let end before it is judged; all others are of what may be ended at once."""


def note_of(state_dir: Path, app: str, what: str) -> Underway:
    return Underway(state_dir / "underway" / f"{app}.{what}.json")


def end_all_but_restart(state_dir: Path, app: str) -> None:
    """End whatever of this app outlived an agent. Blocks some seconds for each."""
    for file in sorted((state_dir / "underway").glob(f"{app}.*.json")):
        if file.name != f"{app}.{RESTART}.json":
            Underway(file).end_outlived()


def _now() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _boot() -> str:
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _alive(process: tuple[int, float]) -> bool:
    return started(process[0]) == process[1]


def _signal(processes: Seen, number: signal.Signals) -> None:
    for each in processes:
        with contextlib.suppress(OSError):
            if _alive(each):
                os.kill(each[0], number)


def _group(pid: int) -> int | None:
    with contextlib.suppress(OSError):
        return os.getpgid(pid)
    return None


def _leads_session(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return os.getsid(pid) == pid
    return False


def _writes_to(pid: int, output: str) -> bool:
    for number in (1, 2):
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/{pid}/fd/{number}") == output:
                return True
    return False
