"""What the facts add up to. Frozen: `evolve` makes a new one. Instants are seconds since the epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from noonday_coordinator.core.caveats import Mark
from noonday_coordinator.core.events import Assigned, End, Finding, Kind, Report, Stage
from noonday_coordinator.core.policy import Policy
from noonday_shared.messages import Goal
from noonday_shared.names import ReleaseRef

EMPTY: Mapping[str, str] = MappingProxyType({})


class HostState(StrEnum):
    """Where a host stands in a rollout."""

    WAITING = "waiting"
    PREPARED = "prepared"
    WORKING = "working"
    SERVING = "serving"
    REVERTED = "reverted"
    FAILED = "failed"
    GOING_BACK = "going-back"
    BACK = "back"
    LOST = "lost"
    """It could not be brought back."""
    KEPT = "kept"
    """The way back stopped before it, so it keeps what it has until a person asks for more."""
    SKIPPED = "skipped"
    """It was left out before anything was done to it."""


TOUCHED = frozenset({HostState.WORKING, HostState.SERVING, HostState.REVERTED, HostState.FAILED})
"""States of hosts that a rollback must bring back."""

LEFT_OUT = frozenset({HostState.SKIPPED, HostState.REVERTED, HostState.FAILED})
"""States of hosts that a completed rollout went on without."""


@dataclass(frozen=True, slots=True)
class AppOnHost:
    assigned: Assigned | None = None
    assigned_at: float = 0.0
    assigned_term: int = 0
    """The term in which it was told so first."""
    report: Report | None = None
    reported_at: float = 0.0
    unhealthy_since: float = 0.0
    """0 while it is well, or not known."""
    stands_since: float = 0.0
    """When it was last let in or taken out, went on to another phase, or its agent began anew."""
    told_again: int = 0
    """How often in a row it was told the same again, since that never reached it."""
    from_backup: bool = False
    """What it was told last is known from a backup: it may have been told more."""
    assigned_in: int = 0
    reported_in: int = 0
    """Numbers of the records that hold the two; 0: none."""

    @property
    def taken(self) -> bool:
        """Whether it says that it follows what it was told last. A coordinator that was replaced unknowingly gives
        out the same numbers: what is said of an older term's order is no word of this one."""
        told, report = self.assigned, self.report
        if told is None or report is None or report.generation != told.generation:
            return False
        return report.term == 0 or report.term >= self.assigned_term

    @property
    def behind(self) -> bool:
        """Whether it says that it follows something older than what it was told last."""
        told, report = self.assigned, self.report
        if told is None or report is None or report.generation > told.generation:
            return False
        return not self.taken

    @property
    def would_change(self) -> bool:
        """Whether what it was told last would take it out of service, since it has something else."""
        told, report = self.assigned, self.report
        if told is None or told.release is None or report is None:
            return False
        return report.live != told.release.id

    def holds(self, release: ReleaseRef) -> bool:
        """Whether it says that the release lies unpacked there."""
        return self.report is not None and release.id in self.report.prepared

    @property
    def in_service(self) -> bool:
        return self.report is not None and self.report.in_service is True

    @property
    def serves_well(self) -> bool:
        return self.report is not None and self.report.in_service is True and self.report.healthy is True

    @property
    def ill(self) -> bool:
        """Whether its app is known to fail its own health check, in service or not."""
        return self.report is not None and self.report.healthy is False


@dataclass(frozen=True, slots=True)
class Host:
    name: str
    labels: Mapping[str, str]
    public_key: str
    apps: Mapping[str, AppOnHost] = field(default_factory=dict)
    drained_by: str = ""

    def carries(self, labels: Mapping[str, str]) -> bool:
        return all(self.labels.get(key) == value for key, value in labels.items())

    def app(self, name: str) -> AppOnHost:
        return self.apps.get(name, AppOnHost())


@dataclass(frozen=True, slots=True)
class Release:
    ref: ReleaseRef
    size: int
    manifest: str
    """As JSON: it is only ever shown, and that of hardly any release."""
    pushed_at: float
    pushed_by: str
    blocked: str = ""
    """Why it must not be rolled out until a person unblocks it; empty when it may."""
    good: bool = False
    """Whether a rollout of it was ever completed: only then do its errors count as known."""
    pruned: bool = False
    """Whether its archive is no longer kept."""
    why: str = ""
    """In the words of who pushed it."""


@dataclass(frozen=True, slots=True)
class App:
    name: str
    current: ReleaseRef | None = None
    previous: ReleaseRef | None = None
    active: str = ""
    """Id of the rollout under way; empty when there is none."""
    recorded: str = ""
    """Id of the rollout that made `current` the release of record."""
    past: tuple[ReleaseRef, ...] = ()
    """Releases of record before `current` that were not left by a rollback, newest last."""
    watch_until: float = 0.0
    releases: Mapping[str, Release] = field(default_factory=dict)
    """By version."""
    caveats: Mapping[str, Mark] = field(default_factory=dict)
    """By key of a kind of record, or by another unit's name."""

    @property
    def fallback(self) -> ReleaseRef | None:
        """Where a rollout would lead back to: the release of record, unless a rollback that was to leave it stopped on
        the way."""
        return self.previous if self.is_blocked(self.current) and self.previous else self.current

    def is_blocked(self, ref: ReleaseRef | None) -> bool:
        known = self.releases.get(ref.version) if ref else None
        return known is not None and known.ref == ref and bool(known.blocked)


@dataclass(frozen=True, slots=True)
class InRollout:
    state: HostState = HostState.WAITING
    since: float = 0.0
    reason: str = ""
    moved: bool = False
    """Whether it was ever told to serve the release, or to go back."""
    at_end: tuple[int, int] | None = None
    """Once the rollout has ended: numbers of the records with what it was told and what it said last by then, 0 for
    none. None before, and for one that was not enrolled any more."""


@dataclass(frozen=True, slots=True)
class Rollout:
    id: str
    app: str
    kind: Kind
    release: ReleaseRef
    previous: ReleaseRef | None
    policy: Policy
    waves: tuple[tuple[str, ...], ...]
    by: str
    started_at: float
    hosts: Mapping[str, InRollout]
    """Also those that it leaves out."""
    stage: Stage = Stage.PREPARING
    stage_since: float = 0.0
    deadline: float = 0.0
    wave: int = 0
    reason: str = ""
    paused_by: str = ""
    paused_at: float = 0.0
    resumed_at: float = 0.0
    """When the last pause ended; 0 when there was none."""
    asked: str = ""
    held: bool = False
    """What was asked stands against the release, so it goes on only after an answer."""
    promoted: bool = False
    overruled: bool = False
    """A person let it go on in spite of the evidence, which no longer turns it back."""
    aborting: bool = False
    end: End | None = None
    ended_at: float = 0.0
    verdict: str = ""
    findings: tuple[Finding, ...] = ()
    """While it is under way; afterwards they are in the log, with the verdict."""
    requests: int = 0
    marked: Mapping[str, Mark | None] = field(default_factory=dict)
    """Caveats that people changed since it began; None: forgotten. Empty once it has ended."""
    beside: tuple[str, ...] = ()
    sick: tuple[str, ...] = ()
    half_rolled: Mapping[str, ReleaseRef] = field(default_factory=dict)
    """These three as in `RolloutStarted`."""
    undone: Mapping[str, str] = field(default_factory=dict)
    """As in `RolloutEnded`."""
    failures: int = 0
    """How often a host could not take the release, over the whole rollout; those that were sick before don't count."""
    from_backup: bool = False
    """It was under way when the backup was made from which the log was put back."""

    @property
    def members(self) -> tuple[str, ...]:
        """All hosts, in the order in which they are released."""
        return tuple(host for wave in self.waves for host in wave)

    @property
    def last_move(self) -> float:
        """From when on it is waited for the next move of a host; a pause begins that wait anew."""
        return max(self.stage_since, self.resumed_at, *(member.since for member in self.hosts.values()))

    def in_state(self, *states: HostState) -> tuple[str, ...]:
        return tuple(host for host in self.members if self.hosts[host].state in states)

    @property
    def skipped(self) -> tuple[str, ...]:
        return tuple(name for name, member in self.hosts.items() if member.state is HostState.SKIPPED)

    @property
    def left_out(self) -> dict[str, str]:
        """Hosts that it went on without, or ended without, and why."""
        return {name: member.reason for name, member in self.hosts.items() if member.state in LEFT_OUT} | dict(
            self.undone
        )


@dataclass(frozen=True, slots=True)
class State:
    term: int = 0
    hosts: Mapping[str, Host] = field(default_factory=dict)
    apps: Mapping[str, App] = field(default_factory=dict)
    rollouts: Mapping[str, Rollout] = field(default_factory=dict)
    generation: int = 0
    """The greatest generation given out so far, over all hosts and apps."""
    restored_at: float = 0.0
    """When the log was last put back from a backup; 0: never."""

    def app(self, name: str) -> App:
        return self.apps.get(name, App(name))

    def active(self, app: str) -> Rollout | None:
        return self.rollouts.get(self.app(app).active)

    def hosts_with(self, labels: Mapping[str, str]) -> tuple[Host, ...]:
        """Enrolled hosts that carry all of `labels`, by name."""
        return tuple(host for _, host in sorted(self.hosts.items()) if host.carries(labels))

    def on(self, host: str, app: str) -> AppOnHost:
        """What is known of the app on the host: nothing where the host was removed."""
        enrolled = self.hosts.get(host)
        return enrolled.app(app) if enrolled else AppOnHost()

    def returns_to(self, host: str, app: str) -> ReleaseRef | None:
        """What the host serves once it is let back in: the release proven there, unless that is blocked by now, else
        the app's own; None before the first rollout."""
        report, known = self.hosts[host].app(app).report, self.app(app)
        proven = report.proven if report else None
        if proven is None or (known.is_blocked(proven) and not known.is_blocked(known.current)):
            return known.current or proven
        return proven

    def goal_of(self, host: str, app: str) -> Goal | None:
        assigned = self.hosts[host].app(app).assigned
        return assigned.goal if assigned else None
