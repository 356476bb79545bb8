"""An app that commands of the host's owner restart; its main process is the one in a pid file."""

from __future__ import annotations

import logging
import os
import shutil

import psutil

from noonday_agent.commands import CommandResult, run_command
from noonday_agent.config import CommandProcess
from noonday_agent.processes.patience import Patience
from noonday_agent.underway import Leftover, Underway
from noonday_shared.clock import Clock, SystemClock, wait_until
from noonday_shared.errors import Deadline, Permanent, Temporary

log = logging.getLogger(__name__)

_POLL = 0.02


class Command:
    """`ProcessManager` by command. What the command starts lives on; it needs an output of its own.

    A restart is noted in `underway` until its effect is seen or given up.
    """

    def __init__(
        self,
        settings: CommandProcess,
        clock: Clock | None = None,
        patience: Patience | None = None,
        underway: Underway | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock or SystemClock()
        self._patience = patience or Patience()
        self._underway = underway

    @property
    def name(self) -> str:
        return f"command {os.path.basename(self._settings.restart[0])}"

    def restart(self, within: float) -> None:
        """Returns when the command has ended and the pid file names a process that was not there before."""
        try:
            self._restart(within)
        finally:
            if self._underway is not None:
                self._underway.ended()

    def let_end(self, within: float) -> float:
        left = self._underway.outlived() if self._underway is not None else None
        if left is None:
            return 0.0
        if left.runs:
            log.warning("%s outlived the agent that had ordered it: it is let end first", self.name)
        try:
            wait_until(lambda: not left.runs, what=self.name, within=left.seconds_left(within), clock=self._clock)
        except Deadline:
            self._end(left, within)
        seconds = left.seconds_left(within)
        if not seconds and not left.runs and self._underway is not None:
            self._underway.ended()  # nothing of it is to come any more, so no further step looks for it
        return seconds

    def _end(self, left: Leftover, within: float) -> None:
        if not left.pid and self._main() is not None:
            # Only what writes to its output is known, and that may be the app, which is there.
            log.warning("%s may not have ended after %g s; the app runs, so it is left", self.name, within)
            return
        left.end()
        log.warning("%s had not ended after %g s and was killed with its group", self.name, within)

    def pid(self) -> int | None:
        main = self._main()
        return main.pid if main else None

    def state(self) -> str:
        return "running" if self._main() else "not running"

    def check(self) -> None:
        program = self._settings.restart[0]
        if not shutil.which(program):
            raise Permanent(
                f"{program} is not there, or not executable.",
                rule="command-missing",
                next_action="mend process.restart in agent.toml",
            )
        if not self._settings.pid_file.parent.is_dir():
            raise Permanent(
                f"{self._settings.pid_file.parent} is no folder, so there can't be a pid file in it.",
                rule="pid-file",
                next_action="mend process.pid_file in agent.toml",
            )
        self._main()

    def _restart(self, within: float) -> None:
        deadline = self._clock.monotonic() + within
        before = self._main()
        # Only its owner knows what a command leaves behind that is ended halfway: just what follows may be given up.
        argv, noted = self._settings.restart, self._underway
        self._judge(run_command(argv, within=within, leave_children=True, underway=noted), within)
        self._patience.wait(
            lambda: self._main() not in (None, before),
            what=f"a restart by {self.name}, which ended and named no new process yet",
            late=f"{self.name} ended well, but {self._settings.pid_file} names no new process ({within:g} s in all)",
            within=max(deadline - self._clock.monotonic(), 0.0),
            clock=self._clock,
            next_action="make the command stop the old process, start a new one and write its pid",
            every=_POLL,
        )

    def _judge(self, result: CommandResult, within: float) -> None:
        said = " ".join(result.output_tail.split())[-500:] or "nothing"
        if result.timed_out:
            raise Deadline(
                f"{self.name} had not ended after {within:g} s and was killed with its group; it said: {said}.",
                next_action="run the command by hand; compare its time with restart_within",
            )
        if not result.ok:
            raise Temporary(
                f"{self.name} failed with {result.exit}; it said: {said}.",
                rule="restart-failed",
                next_action="run the command by hand",
            )
        if result.left_behind:
            log.warning("%s left a program that writes to a closed pipe; redirect its output to a file", self.name)

    def _main(self) -> psutil.Process | None:
        pid = self._read_pid()
        if pid is None:
            return None
        try:
            process = psutil.Process(pid)
            return None if process.status() == psutil.STATUS_ZOMBIE else process
        except psutil.NoSuchProcess:
            return None

    def _read_pid(self) -> int | None:
        """None while the file is missing or still empty."""
        try:
            text = self._settings.pid_file.read_text(encoding="utf-8", errors="replace").strip()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unreadable(error.strerror or str(error)) from error
        if text and not (text.isascii() and text.isdigit() and 0 < int(text[:20]) < 1 << 31):
            raise self._unreadable(f"it holds {text[:40]!r} and not the id of a process")
        return int(text) if text else None

    def _unreadable(self, why: str) -> Temporary:
        return Temporary(
            f"{self._settings.pid_file} can't be used: {why}.",
            rule="pid-file",
            next_action="look at what writes it, and check process.pid_file in agent.toml",
        )
