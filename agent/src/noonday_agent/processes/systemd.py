"""An app that is a systemd service, asked through systemctl."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from noonday_agent.commands import run_command
from noonday_agent.config import SystemdProcess
from noonday_agent.processes.patience import Patience
from noonday_shared.clock import Clock, SystemClock
from noonday_shared.errors import NoondayError, Permanent, Temporary

_POLL = 0.02
_PROPERTIES = "MainPID,ActiveState,SubState,LoadState,Result,NRestarts,Job"
_NO_SUCH_UNIT = 5


class Systemd:
    """`ProcessManager` for one unit. Keeps nothing; `systemctl` is the program to call."""

    def __init__(
        self,
        settings: SystemdProcess,
        clock: Clock | None = None,
        systemctl: str = "systemctl",
        patience: Patience | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock or SystemClock()
        self._patience = patience or Patience()
        self._systemctl = systemctl

    @property
    def name(self) -> str:
        return f"systemd {self._settings.unit}"

    def restart(self, within: float) -> None:
        """Returns as soon as systemd has a new main process, also while it is still activating."""
        before = self._show().pid
        # A release that crashed in a loop has used up the unit's start limit: the way back must not be refused for it.
        self._call("reset-failed")
        self._order("restart", "--no-block")
        self._patience.wait(
            lambda: self._came_up(before),
            what=f"a restart by {self.name}, which has no new main process yet",
            late=f"{self.name} has no new main process; systemd goes on with it",
            within=within,
            clock=self._clock,
            next_action=f"systemctl status {self._settings.unit}; compare TimeoutStopSec with restart_within",
            every=_POLL,
        )

    def let_end(self, within: float) -> float:
        return 0.0

    def pid(self) -> int | None:
        return self._show().pid or None

    def state(self) -> str:
        return self._show().state

    def check(self) -> None:
        self._show()

    def _came_up(self, before: int) -> bool:
        unit = self._show()
        # Only without a job is 'failed' the end of this start, and not what was there before it.
        if unit.state == "failed" and not unit.job:
            raise Temporary(
                f"{self.name} failed to start: {unit.result}, restarted {unit.restarts} times.",
                rule="start-failed",
                next_action=f"journalctl -u {self._settings.unit} -n 50",
            )
        return unit.pid not in (0, before) and unit.state in ("active", "activating", "reloading")

    def _show(self) -> _Unit:
        unit = _Unit.read(_pairs(self._order("show", "-p", _PROPERTIES)))
        if unit.load in ("not-found", "masked", "error", "bad-setting"):
            raise self._unknown(unit.load)
        return unit

    def _order(self, verb: str, *options: str) -> str:
        exit_status, output = self._call(verb, *options)
        if exit_status == 0:
            return output
        if exit_status == _NO_SUCH_UNIT:
            raise self._unknown("not-found")
        raise self._failed(verb, output)

    def _call(self, verb: str, *options: str) -> tuple[int, str]:
        argv = (self._systemctl, "--no-ask-password", verb, *options, self._settings.unit)
        result = run_command(argv, within=self._settings.timeout)
        if result.timed_out:
            raise self._failed(verb, f"no answer within {self._settings.timeout:g} s")
        return result.exit, result.output_tail

    def _failed(self, verb: str, output: str) -> NoondayError:
        words = " ".join(output.split())[-300:] or "no reason given"
        if "denied" in words or "authentication required" in words:
            return Permanent(
                f"The agent may not {verb} {self._settings.unit}: {words}.",
                rule="systemd-permission",
                next_action="run the agent as root, or allow it by a polkit rule",
            )
        return Temporary(
            f"systemctl {verb} {self._settings.unit} failed: {words}.",
            rule="systemd-unavailable",
            next_action=f"try it by hand: systemctl {verb} {self._settings.unit}",
        )

    def _unknown(self, load: str) -> Permanent:
        return Permanent(
            f"systemd can't use the unit {self._settings.unit}: {load}.",
            rule="unknown-unit",
            next_action="mend process.unit in agent.toml, or install the unit: systemctl daemon-reload",
        )


@dataclass(frozen=True, slots=True)
class _Unit:
    load: str
    state: str
    pid: int
    result: str
    restarts: str
    job: bool

    @classmethod
    def read(cls, values: Mapping[str, str]) -> _Unit:
        pid = values.get("MainPID", "")
        return cls(
            load=values.get("LoadState", ""),
            state=values.get("ActiveState", "unknown"),
            pid=int(pid) if pid.isdigit() else 0,
            result=values.get("Result", "unknown"),
            restarts=values.get("NRestarts", "0"),
            job=values.get("Job", "") not in ("", "0"),
        )


def _pairs(output: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in output.splitlines() if "=" in line)
