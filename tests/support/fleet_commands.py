"""What people and programs type at the test fleet, and what the API answers."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from click.testing import CliRunner
from pydantic import BaseModel

from noonday_coordinator.api import models as m
from noonday_coordinator.cli.main import main
from support.coordinator_process import NOONDAY, CoordinatorProcess

M = TypeVar("M", bound=BaseModel)

WITHIN = 60.0
"""Seconds in which anything that a test waits for must have come, on a busy machine."""


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended."""

    exit: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Of a command with `--json` and one document."""
        return json.loads(self.out)

    @property
    def refusal(self) -> m.Problem:
        """Of a command with `--json` that was refused or failed."""
        return m.Problem.model_validate_json(self.err.splitlines()[-1])


class Commands:
    """Of one coordinator, with its first token."""

    def __init__(self, folder: Path, coordinator: CoordinatorProcess) -> None:
        self.folder = folder
        self.coordinator = coordinator

    def get(self, path: str, model: type[M]) -> M:
        """What the API answers. Raises a `NoondayError`."""
        with closing(self.coordinator.client()) as client:
            return client.get(path, model)

    def cli(self, *args: str, **env: str) -> Ran:
        """`noonday ARGS` inside this process, which is quick. Only one at a time."""
        done = CliRunner().invoke(main, args, env=self.env() | env)
        return Ran(done.exit_code, done.stdout, done.stderr)

    def noonday(self, *args: str, within: float = WITHIN, **env: str) -> Ran:
        """`noonday ARGS` as a process, as a person or a CI job runs it."""
        done = subprocess.run(
            [str(NOONDAY), *args],
            env=os.environ | self.env() | env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=within,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def ok(self, *args: str) -> Any:
        """The JSON of a command that must end well."""
        ran = self.cli(*args, "--json")
        assert ran.exit == 0, f"noonday {shlex.join(args)}: {ran}"
        return ran.json

    def refused(self, *args: str) -> m.Problem:
        """Why a command is refused, which it must be."""
        ran = self.cli(*args, "--json")
        assert ran.exit == 2, f"noonday {shlex.join(args)}: {ran}"
        return ran.refusal

    def env(self) -> dict[str, str]:
        made = self.coordinator.made
        return {
            "NOONDAY_URL": self.coordinator.url,
            "NOONDAY_TOKEN": made.token,
            "NOONDAY_RELEASE_KEY": str(made.release_key),
            "HOME": str(self.folder),
        }
