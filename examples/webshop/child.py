"""A process that the demo started: its output in a file, ended in order, then by force."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from noonday_shared.errors import Temporary

_KILL_WITHIN = 5.0


class Child:
    """Runs in a session of its own, so a Ctrl-C at the terminal reaches the demo alone, which ends all in order."""

    def __init__(self, name: str, argv: Sequence[str], *, output: Path, env: Mapping[str, str] | None = None) -> None:
        self.name = name
        self._output = output
        with output.open("ab") as file:
            self._process = subprocess.Popen(
                list(argv),
                env=dict(os.environ if env is None else env),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def must_run(self) -> None:
        """Raises `Temporary` with its last words when it has ended."""
        if self._process.poll() is not None:
            words = self._output.read_text(encoding="utf-8", errors="replace")[-1500:].strip()
            raise Temporary(f"{self.name} ended with status {self._process.returncode}. Its last words: {words}")

    def stop(self, within: float = 15.0) -> None:
        """May be repeated."""
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(within)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(_KILL_WITHIN)
