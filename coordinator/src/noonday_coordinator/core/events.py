"""The facts. Everything the coordinator knows is folded from these, so each carries all that the fold needs.

An event never changes its meaning: a field may be added with a default, a new event may be added.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from noonday_coordinator.core.caveats import Per, Status
from noonday_coordinator.core.policy import Policy
from noonday_shared.messages import Goal, Outcome, Phase, TroubleReport
from noonday_shared.names import ReleaseRef
from noonday_shared.release.manifest import ReleaseManifest


class Stage(StrEnum):
    PREPARING = "preparing"
    ROLLING = "rolling"
    EXAMINING = "examining"
    GATE = "gate"
    ROLLING_BACK = "rolling-back"
    ENDED = "ended"


class End(StrEnum):
    DONE = "done"
    ROLLED_BACK = "rolled-back"
    ABORTED = "aborted"
    FAILED = "failed"
    SUPERSEDED = "superseded"
    """Another rollout took over: its hosts are that one's now."""


Kind = Literal["deploy", "rollback", "reconcile"]


@dataclass(frozen=True, slots=True)
class Report:
    """What a host last said of one app, as far as decisions and history need it. Numbered by (boot, seq)."""

    boot: int
    seq: int
    term: int
    generation: int
    outcome: Outcome
    phase: Phase
    step: str = ""
    going_back: bool = False
    live: str = ""
    proven: ReleaseRef | None = None
    prepared: tuple[str, ...] = ()
    in_service: bool | None = None
    healthy: bool | None = None
    restarts: int = 0
    trouble: TroubleReport | None = None
    seconds_out: float = 0.0
    timings: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing seen on the new release, and what it means. `counts` are records by host; instants since the epoch."""

    key: str
    kind: Literal[
        "new-error",
        "new-record",
        "known-error",
        "more-often",
        "slower",
        "statuses",
        "silence",
        "gauge",
        "hard-limit",
        "shared-trouble",
        "incomplete",
    ]
    blames: bool
    """Whether it is held against the release."""
    words: str
    """The finding as a sentence, as in 'ERROR new with 1.2.0: 31 records on web-1, never on 3 old servers'."""
    level: str = ""
    text: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    first_seen: float = 0.0
    samples: tuple[str, ...] = ()
    unit: str = ""
    """What was tested: 'template:…', 'cluster:…', 'status:5xx', 'slower:p95', 'restarts'; empty for hard limits."""
    e: float = 0.0
    """The odds that the evidence gives against 'nothing is worse': 1 / 20 of them is a one in twenty chance."""
    rate_here: float = 0.0
    """Episodes by request (or by second) on hosts with the new release, ..."""
    rate_there: float = 0.0
    """... and on the others."""
    nearest: str = ""
    """The known template that is most like it; empty when none is."""
    holds: bool = False
    """A person should look, so nothing is promoted meanwhile."""
    per: Per = ""
    """What the rates are measured in."""
    a_second: float = 0.0
    """Episodes by second and host with the new release, whatever the rates are measured in."""
    excuse: str = ""
    """Why it is not held against the release though its numbers would be, as in 'caveat', 'shared', 'reworded'."""


@dataclass(frozen=True, slots=True)
class CoordinatorStarted:
    """A coordinator took over: the term grows by one."""

    term: int


@dataclass(frozen=True, slots=True)
class ClockSet:
    """The coordinator's clock was set `by` so many seconds, back when that is negative: every wait moves with it."""

    by: float


@dataclass(frozen=True, slots=True)
class LogRestored:
    """The log was put back from a backup: what happened since is not in it, but hosts may have been told it."""

    backup_at: float
    """When the backup was made, in seconds since the epoch."""
    term: int
    """Above every term, ..."""
    generation: int
    """... and every generation that may have been given out since."""


@dataclass(frozen=True, slots=True)
class HostEnrolled:
    host: str
    labels: dict[str, str]
    public_key: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class HostRemoved:
    host: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class HostReported:
    host: str
    app: str
    report: Report


@dataclass(frozen=True, slots=True)
class HostDrained:
    host: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class HostUndrained:
    host: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class ReleasePushed:
    app: str
    release: ReleaseRef
    size: int
    manifest: ReleaseManifest
    why: str = ""


@dataclass(frozen=True, slots=True)
class ReleasePruned:
    """Its archive is no longer kept. What it was, and what became of it, stays known."""

    app: str
    release: ReleaseRef


@dataclass(frozen=True, slots=True)
class ReleaseUnblocked:
    app: str
    release: ReleaseRef
    why: str = ""


@dataclass(frozen=True, slots=True)
class Assigned:
    """What a host should be from now on, for one app. Sent to it, signed in the present term, until taken up."""

    host: str
    app: str
    generation: int
    goal: Goal
    release: ReleaseRef | None
    previous: ReleaseRef | None = None
    rollout: str = ""
    deadline: float = 600.0
    observe: bool = False
    restart_for: str = ""
    """Id of the rollout for which the host, its twin, restarts the app on the release that it serves."""
    stay: bool = False
    """What it serves stays: where it can't be proven it is left in service as it is, and said to be so."""
    again: bool = False
    """The same as before, which never reached the host in its whole time."""


@dataclass(frozen=True, slots=True)
class RolloutStarted:
    """`waves[0]` is the canary; each wave is a tuple of hosts in order. `kind` rollback: no canary, no examine;
    reconcile: single hosts are brought to the release of record."""

    rollout: str
    app: str
    kind: Kind
    release: ReleaseRef
    previous: ReleaseRef | None
    policy: Policy
    waves: tuple[tuple[str, ...], ...]
    skipped: dict[str, str] = field(default_factory=dict)
    """Hosts of the app that it leaves out, and why."""
    beside: tuple[str, ...] = ()
    """Hosts of the app that it does not move, but counts when it takes others out."""
    sick: tuple[str, ...] = ()
    """Hosts that did not serve well before it began: what fails there says nothing of the release."""
    half_rolled: dict[str, ReleaseRef] = field(default_factory=dict)
    """Hosts that a superseded rollout had begun to bring to another release, and which."""
    why: str = ""
    """In the words of who asked for it."""


@dataclass(frozen=True, slots=True)
class StageEntered:
    """`deadline` is an instant (seconds since the epoch), 0 when the stage ends by a person or by hosts' deadlines."""

    rollout: str
    stage: Stage
    wave: int
    reason: str
    deadline: float = 0.0


@dataclass(frozen=True, slots=True)
class HostJudged:
    """The rollout takes note of where one host ended: its state in words of `HostState`."""

    rollout: str
    host: str
    state: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class VerdictReached:
    rollout: str
    verdict: Literal["promote", "roll back", "hold"]
    reason: str
    requests: int = 0
    findings: tuple[Finding, ...] = ()
    judged_at: float = 0.0
    """When the evidence was judged, in seconds since the epoch; 0 when it was not."""
    control_requests: int = 0
    """Requests that hosts on the old release answered meanwhile."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The rollout waits for a person: `promote`, `rollback` or `abort` answers. `holds`: something stands against the
    release, so nothing goes on before the answer; otherwise it goes on by itself when what it lacks comes."""

    rollout: str
    question: str
    holds: bool = False


@dataclass(frozen=True, slots=True)
class Promoted:
    rollout: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class RollbackRequested:
    rollout: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class AbortRequested:
    rollout: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Paused:
    rollout: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Resumed:
    rollout: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class RolloutEnded:
    rollout: str
    end: End
    reason: str
    undone: dict[str, str] = field(default_factory=dict)
    """Hosts that served the release and have something else again, and what."""


@dataclass(frozen=True, slots=True)
class CaveatMarked:
    """A person says that this is known. `rollout`: the one under way, in which it counts from now on; or empty."""

    app: str
    key: str
    status: Status
    why: str
    rate: float = 0.0
    per: Per = "request"
    cluster: int = 0
    level: str = ""
    text: str = ""
    rollout: str = ""


@dataclass(frozen=True, slots=True)
class CaveatForgotten:
    app: str
    key: str
    why: str = ""
    level: str = ""
    text: str = ""
    rollout: str = ""


@dataclass(frozen=True, slots=True)
class LogsWatched:
    """Somebody follows the app's logs until this instant (seconds since the epoch)."""

    app: str
    until: float


Event = (
    CoordinatorStarted
    | ClockSet
    | HostEnrolled
    | HostRemoved
    | HostReported
    | HostDrained
    | HostUndrained
    | ReleasePushed
    | ReleasePruned
    | ReleaseUnblocked
    | Assigned
    | RolloutStarted
    | StageEntered
    | HostJudged
    | VerdictReached
    | Asked
    | Promoted
    | RollbackRequested
    | AbortRequested
    | Paused
    | Resumed
    | RolloutEnded
    | CaveatMarked
    | CaveatForgotten
    | LogsWatched
    | LogRestored
)


@dataclass(frozen=True, slots=True)
class Record:
    """An event in the log: its number, instant (seconds since the epoch), and who caused it."""

    seq: int
    at: float
    by: str
    event: Event
