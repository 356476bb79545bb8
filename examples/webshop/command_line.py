"""Noonday's own commands, typed as a user types them."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from noonday_shared.errors import Temporary

_QUIET_WITHIN = 60.0


def program(name: str) -> str:
    """A command that was installed with this Python."""
    return str(Path(sys.executable).parent / name)


@dataclass(frozen=True, slots=True)
class Typed:
    """`env`: NOONDAY_URL and NOONDAY_TOKEN. `out`: where the audience looks."""

    env: Mapping[str, str]
    out: TextIO
    cwd: Path

    def show(self, *args: str) -> int:
        """Type `noonday ARGS` before the audience, with its live output. Blocks until it ends; its exit status."""
        self.say(f"\n$ noonday {shlex.join(args)}")
        on_terminal = self.out.isatty()
        with subprocess.Popen(
            [program("noonday"), *args],
            env=os.environ | dict(self.env),
            cwd=self.cwd,
            stdin=subprocess.DEVNULL,
            stdout=None if on_terminal else subprocess.PIPE,
            stderr=None if on_terminal else subprocess.STDOUT,
            text=True,
        ) as process:
            try:
                for line in process.stdout or ():
                    self.say(f"  {line.rstrip()}")
                return process.wait()
            except BaseException:
                process.kill()
                raise

    def ask(self, *args: str) -> Any:
        """What `noonday ARGS --json` answers. Raises `Temporary` with its words when it fails or takes a minute."""
        return json.loads(self.quiet(*args, "--json"))

    def quiet(self, *args: str) -> str:
        """What `noonday ARGS` prints. Raises `Temporary` with its words when it fails or takes a minute."""
        try:
            done = subprocess.run(
                [program("noonday"), *args],
                env=os.environ | dict(self.env),
                cwd=self.cwd,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_QUIET_WITHIN,
                check=True,
            )
        except subprocess.CalledProcessError as error:
            words = (error.stderr or error.stdout).strip()
            raise Temporary(f"noonday {shlex.join(args)} ended with status {error.returncode}: {words}") from error
        except subprocess.TimeoutExpired as error:
            raise Temporary(f"noonday {shlex.join(args)} did not end within {_QUIET_WITHIN:g} s.") from error
        return done.stdout

    def say(self, line: str) -> None:
        print(line, file=self.out, flush=True)
