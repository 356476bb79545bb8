"""A balancer behind commands of the host's owner."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, field

from noonday_agent.commands import CommandResult, run_command
from noonday_agent.config import CommandBalancer as CommandSettings
from noonday_agent.processes.patience import Patience
from noonday_agent.underway import Underway
from noonday_shared.errors import NoondayError, Permanent, Temporary

_TAIL = 400


@dataclass(frozen=True, slots=True)
class CommandBalancer:
    """Each command may be run again at any time, and has `timeout` seconds for its whole process group: less when
    `patience` ends before. One that gives an order is noted in `underway`."""

    settings: CommandSettings
    name: str
    patience: Patience = field(default_factory=Patience)
    underway: Underway | None = None

    def in_service(self) -> bool:
        return self._answer("in_service", self._deadline())

    def take_out(self) -> None:
        self._do("take_out")

    def is_out(self) -> bool:
        # No command tells an order that was forgotten from an app that is not well; this one tells once it matters.
        return not self.in_service()

    def idle(self) -> bool:
        return self._answer("idle", self._deadline())

    def put_back(self) -> None:
        self._do("put_back")

    def state(self) -> str:
        deadline = self._deadline()
        if self._answer("in_service", deadline):
            return "IN"
        return "OUT" if self._answer("idle", deadline) else "not in service, not idle"

    def check(self) -> None:
        """Runs the two commands that only ask; the other two are looked up."""
        for verb in ("take_out", "put_back"):
            program = self._argv(verb)[0]
            if shutil.which(program) is None:
                raise Permanent(
                    f"{self.name}: {verb} names {program}, which is no program here.",
                    rule="command-missing",
                    next_action=f"install {program}, or mend {verb} in agent.toml",
                )
        self.state()

    def _deadline(self) -> float:
        return time.monotonic() + self.settings.timeout

    def _argv(self, verb: str) -> tuple[str, ...]:
        argv: tuple[str, ...] = getattr(self.settings, verb)
        return argv

    def _do(self, verb: str) -> None:
        try:
            result = self._run(verb, self._deadline(), self.underway)
        finally:
            if self.underway is not None:
                self.underway.ended()
        if result.exit != 0:
            raise self._failed(verb, result)

    def _answer(self, verb: str, deadline: float) -> bool:
        result = self._run(verb, deadline)
        if result.exit not in (0, 1):
            raise self._failed(verb, result)
        return result.exit == 0

    def _run(self, verb: str, deadline: float, underway: Underway | None = None) -> CommandResult:
        if self.patience.over():
            raise self.patience.given_up(f"{self.name}: {verb}")
        within, over = max(deadline - time.monotonic(), 0.0), self.patience.over
        try:
            result = run_command(self._argv(verb), within=within, cancelled=over, underway=underway)
        except NoondayError as error:
            text = f"{self.name}: {verb}: {error.text}"
            raise type(error)(text, next_action=error.next_action, rule=error.rule) from error
        if result.cancelled:
            raise self.patience.given_up(f"{self.name}: {verb}")
        if result.timed_out:
            raise self._failed(verb, result)
        return result

    def _failed(self, verb: str, result: CommandResult) -> NoondayError:
        how = f"did not end within {self.settings.timeout:g} s" if result.timed_out else f"ended with {result.exit}"
        tail = " ".join(result.output_tail.split())[-_TAIL:]
        return Temporary(
            f"{self.name}: {verb} {how}; " + (f"its last words: {tail!r}." if tail else "it said nothing."),
            rule="balancer-command",
            next_action=f"run this app's {verb} command, as it is in agent.toml, by hand",
        )
