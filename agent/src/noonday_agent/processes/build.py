"""From settings to the process manager that they name."""

from __future__ import annotations

from typing import assert_never

from noonday_agent.config import CommandProcess, ProcessSettings, SupervisordProcess, SystemdProcess
from noonday_agent.processes.command import Command
from noonday_agent.processes.patience import Patience
from noonday_agent.processes.protocol import ProcessManager
from noonday_agent.processes.systemd import Systemd
from noonday_agent.underway import Underway
from noonday_shared.clock import Clock


def build_process(
    settings: ProcessSettings,
    clock: Clock | None = None,
    patience: Patience | None = None,
    underway: Underway | None = None,
) -> ProcessManager:
    """The driver for `settings.kind`, whose waits last as long as `patience`, and whose command, where it restarts by
    one, is noted in `underway`. Asks nobody yet: `check` does."""
    match settings:
        case SupervisordProcess():
            # XML-RPC is memory that only this driver needs.
            from noonday_agent.processes.supervisord import Supervisord  # noqa: PLC0415

            return Supervisord(settings, clock, patience)
        case SystemdProcess():
            return Systemd(settings, clock, patience=patience)
        case CommandProcess():
            return Command(settings, clock, patience, underway)
        case _:
            assert_never(settings)
