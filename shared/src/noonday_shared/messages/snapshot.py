"""What a host is: everything about every app on it, whole, every time."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from noonday_shared.envelope import Wire
from noonday_shared.errors import Trouble
from noonday_shared.messages.assignment import Goal
from noonday_shared.names import AppName, HostName, ReleaseRef

KIND = "state"


class Phase(StrEnum):
    """Where an app on a host stands now."""

    SETTLED = "settled"
    PREPARING = "preparing"
    DRAINING = "draining"
    SWITCHING = "switching"
    RESTARTING = "restarting"
    PROVING = "proving"
    WARMING_UP = "warming-up"
    RETURNING = "returning"
    HOOK = "hook"
    OUT = "out"


class Outcome(StrEnum):
    """What became of the newest assignment."""

    NONE = "none"
    WORKING = "working"
    DONE = "done"
    REVERTED = "reverted"
    """The agent put the previous release back in service; `trouble` says why."""
    FAILED = "failed"
    """Nothing was changed, or the host is out of the load balancer and says so in `in_service`."""


class TroubleReport(Wire):
    rule: str = Field(max_length=100)
    step: str = Field(max_length=100)
    text: str = Field(max_length=8000)
    next_action: str = Field(default="", max_length=2000)

    @classmethod
    def of(cls, trouble: Trouble) -> TroubleReport:
        return cls(
            rule=trouble.rule[:100],
            step=trouble.step[:100],
            text=trouble.text[:8000],
            next_action=trouble.next_action[:2000],
        )

    def __str__(self) -> str:
        return f"{self.step}: {self.text}" + (f" Next: {self.next_action}" if self.next_action else "")


class AppSnapshot(Wire):
    """One app on one host. Instants are seconds since the epoch; `seconds_out` and `timings` are seconds."""

    app: AppName
    term: int = 0
    generation: int = 0
    goal: Goal | None = None
    outcome: Outcome = Outcome.NONE
    going_back: bool = False
    phase: Phase = Phase.SETTLED
    step: str = ""
    step_since: float = 0.0
    step_deadline: float = 0.0
    live: str = ""
    """Id of the release that `current` points to; empty when there is none."""
    proven: ReleaseRef | None = None
    """The release last proven to run and to be healthy here."""
    prepared: tuple[str, ...] = ()
    in_service: bool | None = None
    """In all of its balancers; None when one of them can't be asked."""
    balancers: dict[str, str] = Field(default_factory=dict)
    healthy: bool | None = None
    restarts: int = 0
    """Starts of the app since the last activation that were not asked for by the agent."""
    trouble: TroubleReport | None = None
    timings: dict[str, float] = Field(default_factory=dict)
    seconds_out: float = 0.0


class Snapshot(Wire):
    """Numbered by (boot, seq): a greater one replaces a smaller one whole."""

    host: HostName
    boot: int = Field(ge=0)
    seq: int = Field(ge=0)
    sent_at: float
    agent_version: str = ""
    apps: tuple[AppSnapshot, ...] = ()
    load_1m: float = 0.0
    disk_free: int = 0
    notices: tuple[str, ...] = ()
    """Sentences a person should read: refused assignments, a second agent with this name."""

    @property
    def order(self) -> tuple[int, int]:
        return (self.boot, self.seq)

    def app(self, name: str) -> AppSnapshot | None:
        return next((app for app in self.apps if app.app == name), None)
