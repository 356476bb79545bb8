"""The process manager that an app runs under."""

from __future__ import annotations

from typing import Protocol


class ProcessManager(Protocol):
    """Raises `Temporary` when the manager can't be asked now and `Permanent` when the program or unit is unknown to it.

    A restart that returns is not believed: the proof of running code follows it.
    """

    @property
    def name(self) -> str:
        """As in 'supervisord web', 'systemd web.service'."""
        ...

    def restart(self, within: float) -> None:
        """Stop the app, if it runs, and start it. Blocks at most `within` seconds, then raises `Deadline`; and
        not longer than its `Patience` lasts, then raises `Permanent`."""

    def let_end(self, within: float) -> float:
        """Let a restart end that an agent before this one ordered and whose command still runs, at most what is left of
        `within` since it began; then end it. The seconds of that time in which its effect may still show itself; 0.0
        when there is no such restart, or when the manager carries orders out whoever gave them."""
        ...

    def pid(self) -> int | None:
        """The main process now, or None while none runs."""
        ...

    def state(self) -> str:
        """The manager's own words, as in 'RUNNING', 'BACKOFF', 'inactive'."""
        ...

    def check(self) -> None:
        """Ask for what `restart` and `pid` will need and change nothing. Raises as above, naming what to mend."""
