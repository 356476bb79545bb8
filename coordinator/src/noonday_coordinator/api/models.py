"""What the HTTP API takes and answers. The CLI and the page are clients of exactly these shapes.

Instants are seconds since the epoch, and None when there is none. Unknown fields are ignored: an older client may read
a newer server. Every error, whatever its status, is a `Problem`.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from noonday_shared.names import AppName, HostName, ReleaseRef, Version
from noonday_shared.release.manifest import ReleaseManifest

PREFIX = "/api/v1"

MANIFEST_BYTES = "Noonday-Manifest-Bytes"
"""Header of a push: the request's body is the signed manifest (this many bytes), then at once the archive."""


VerdictName = Literal["promote", "roll back", "hold"]


class Reply(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Ask(BaseModel):
    """Base of what a client sends: an unknown key is refused, so that a misspelt option never passes in silence."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Problem(Reply):
    rule: str
    text: str
    next_action: str = ""


class Done(Reply):
    """A command was taken; `words` say what it did."""

    words: str


class Health(Reply):
    version: str


# Status and hosts


class BrokerStatus(Reply):
    connected: bool
    trouble: str = Field(default="", description="why there is no connection, as a sentence")


class AppStatus(Reply):
    app: str
    current: ReleaseRef | None = Field(default=None, description="the release of record")
    previous: ReleaseRef | None = Field(default=None, description="what a rollback goes back to")
    rollout: str = Field(default="", description="id of the rollout under way")
    stage: str = ""
    waiting_for: str = Field(default="", description="what the rollout under way waits for, as a sentence")
    asked: str = Field(default="", description="the question a person has to answer; empty when there is none")
    hosts_in: tuple[str, ...] = Field(default=(), description="in service")
    hosts_out: tuple[str, ...] = Field(default=(), description="out of service, or not known to be in it")
    drift: tuple[str, ...] = Field(
        default=(), description="hosts at rest that serve something else than the release of record, as sentences"
    )
    held_back: tuple[str, ...] = Field(
        default=(), description="hosts that wait too long to be told again what they should serve, as sentences"
    )
    trouble: str = Field(default="", description="why its policy can't be used, as a sentence")
    judgement: str = Field(default="", description="of the rollout under way: promote, roll back or hold")
    dry_run: bool = Field(
        default=False, description="the policy only judges; of the rollout under way, if there is one"
    )
    would: str = Field(default="", description="in a dry run: what would be done now, as a sentence")


class Status(Reply):
    version: str
    term: int
    now: float
    since: float = Field(description="when this coordinator began to listen")
    broker: BrokerStatus
    apps: tuple[AppStatus, ...] = ()


class AppOnHost(Reply):
    """What a host last said of one app. `seconds_out` and `timings` are seconds."""

    app: str
    reported_at: float | None = None
    live: str = Field(default="", description="id of the release that `current` points to")
    proven: ReleaseRef | None = Field(default=None, description="the release last proven to run and be healthy")
    prepared: tuple[str, ...] = Field(default=(), description="ids of the releases unpacked there")
    in_service: bool | None = None
    healthy: bool | None = None
    phase: str = ""
    step: str = ""
    outcome: str = ""
    going_back: bool = False
    restarts: int = 0
    trouble: str = ""
    generation: int = 0
    goal: str = Field(default="", description="what the host was last told to be: prepared, serving or out")
    assigned: ReleaseRef | None = Field(default=None, description="the release of that assignment")
    assigned_generation: int = 0
    seconds_out: float = 0.0
    timings: dict[str, float] = Field(default_factory=dict)
    balancers: dict[str, str] = Field(default_factory=dict)
    drift: str = Field(
        default="", description="why it is not on the release of record; empty when it is, or on its way"
    )
    held_back: str = Field(
        default="", description="what it waits for too long before it is told again what it should serve"
    )


class HostInfo(Reply):
    host: str
    labels: dict[str, str]
    last_seen: float | None = None
    silent: float = Field(description="seconds since it was last heard, or since this coordinator listens")
    drained_by: str = ""
    agent_version: str = ""
    load_1m: float | None = None
    disk_free: int | None = Field(default=None, description="bytes")
    notices: tuple[str, ...] = ()
    apps: tuple[AppOnHost, ...] = ()


class Stranger(Reply):
    """A host that reports and is not enrolled: what it says changes nothing."""

    host: str
    last_seen: float


class Hosts(Reply):
    now: float
    hosts: tuple[HostInfo, ...] = ()
    strangers: tuple[Stranger, ...] = ()


class EnrollAsk(Ask):
    host: HostName
    labels: dict[str, str] = Field(default_factory=dict)
    public_key: str = Field(
        default="", description="the host's own; empty: a key is made and its private part answered"
    )
    rotate: bool = Field(default=False, description="replace the key of a host that is enrolled already")
    why: str = Field(default="", max_length=1000, description="kept in the history")


class Enrolled(Reply):
    host: str
    agent_toml: str = Field(description="the [broker] and [trust] part of that host's agent.toml")
    host_key: str = Field(default="", description="private key for host_key_file, answered once; empty: it was given")
    words: str = ""


# Rollouts


class DeployAsk(Ask):
    version: Version
    allow_outage: bool = False
    supersede: bool = Field(default=False, description="take over from the rollout under way, if there is one")
    why: str = Field(default="", max_length=1000, description="kept in the history")


class WhyAsk(Ask):
    why: str = Field(default="", max_length=1000, description="kept in the history")


class PlanReply(Reply):
    """`waves[0]` is the canary. `seconds`: what waits and steps add up to, at least."""

    app: str
    release: ReleaseRef
    previous: ReleaseRef | None = None
    hosts: tuple[str, ...] = ()
    waves: tuple[tuple[str, ...], ...] = ()
    limit: int = Field(default=0, description="hosts out of the load balancer at once, at most")
    nothing_to_do: bool = False
    checks: tuple[str, ...] = ()
    policy: tuple[str, ...] = Field(default=(), description="how it is judged, as sentences")
    dry_run: bool = False
    seconds: float = 0.0
    skipped: dict[str, str] = Field(default_factory=dict, description="hosts that are left out, and why")


class HostAstray(Reply):
    host: str
    live: str = Field(default="", description="id of the release there")
    why: str = Field(description="goes on from the host's name")
    by_itself: bool = Field(default=False, description="it comes home without being asked to, as soon as there is room")


class ReconcilePlan(Reply):
    """`hosts` are brought to `release`, one at a time; `not_now`: hosts that are astray too, and what hinders."""

    app: str
    release: ReleaseRef
    hosts: tuple[HostAstray, ...] = ()
    not_now: dict[str, str] = Field(default_factory=dict)


class Started(Reply):
    rollout: str | None = None
    nothing_to_do: bool = False
    words: str


class FindingReply(Reply):
    key: str = Field(description="of the kind of record, or the unit's name; `noonday caveats` takes it")
    kind: str = Field(
        description="new-error, new-record, known-error, more-often, slower, statuses, silence, gauge, hard-limit, "
        "shared-trouble or incomplete"
    )
    blames: bool = Field(description="whether it is held against the release")
    holds: bool = Field(default=False, description="a person should look, so nothing is promoted meanwhile")
    excuse: str = Field(default="", description="why it is not held against it: caveat, shared, over, reworded, …")
    words: str
    level: str = ""
    text: str = ""
    counts: dict[str, int] = Field(default_factory=dict, description="records by host")
    first_seen: float | None = None
    samples: tuple[str, ...] = ()
    unit: str = Field(default="", description="what was tested; empty for hard limits")
    e: float = Field(default=0.0, description="odds that the evidence gives against 'nothing is worse'")
    rate_here: float = Field(default=0.0, description="on hosts with the new release, see `per`")
    rate_there: float = Field(default=0.0, description="on the others")
    per: str = Field(default="", description="what the rates are in: request or second; empty: plain values")
    nearest: str = Field(default="", description="the known kind of record that is most like it")


class HostInRollout(Reply):
    host: str
    wave: int = Field(description="0 is the canary, -1 of a host that was left out from the start")
    group: str = Field(default="", description="label and value that the policy groups hosts by, as in 'rack=b'")
    state: str = Field(
        description="waiting, prepared, working, serving, reverted, failed, going-back, back, lost, kept or skipped"
    )
    since: float
    reason: str = ""
    silent: float | None = Field(
        default=None, description="seconds since it was last heard; None: the rollout has ended"
    )
    report: AppOnHost | None = Field(
        default=None, description="as it is now, or was when the rollout ended; None: not enrolled"
    )


class RolloutSummary(Reply):
    id: str
    app: str
    kind: Literal["deploy", "rollback", "reconcile"]
    release: ReleaseRef
    previous: ReleaseRef | None = None
    by: str
    started_at: float
    ended_at: float | None = None
    stage: str = Field(description="preparing, rolling, examining, gate, rolling-back or ended")
    end: Literal["done", "rolled-back", "aborted", "failed", "superseded"] | None = None
    reason: str = Field(default="", description="why it is where it is, or why it ended")
    verdict: str = Field(default="", description="promote, roll back or hold; empty: none yet")
    left_out: dict[str, str] = Field(
        default_factory=dict, description="hosts that it went on or ended without, and why"
    )


class Examine(Reply):
    """The time in which evidence is gathered; it may go on until `latest` when requests are few."""

    started_at: float
    ends_at: float
    latest: float


class RolloutInfo(RolloutSummary):
    now: float
    why: str = Field(default="", description="what it is for, in the words of who asked for it")
    wave: int = 0
    waves: tuple[tuple[str, ...], ...] = ()
    stage_since: float
    deadline: float | None = None
    hosts: tuple[HostInRollout, ...] = ()
    findings: tuple[FindingReply, ...] = ()
    verdict_reason: str = ""
    judgement: str = Field(default="", description="promote, roll back or hold: what the evidence says now")
    policy: tuple[str, ...] = Field(default=(), description="how it is judged, as sentences")
    dry_run: bool = Field(default=False, description="it is judged, and nothing is done about it")
    would: str = Field(default="", description="in a dry run: what would be done, or would have been, as a sentence")
    requests: int = Field(default=0, description="answered by new-release hosts since they returned")
    control_requests: int = Field(default=0, description="answered by old-release hosts meanwhile")
    least_requests: int = 0
    examine: Examine | None = Field(default=None, description="while the canary is examined")
    asked: str = Field(default="", description="the question a person has to answer")
    paused_by: str = ""
    waiting_for: str = Field(default="", description="what it waits for now, and until when, as a sentence")


class Rollouts(Reply):
    rollouts: tuple[RolloutSummary, ...] = Field(default=(), description="newest first")


class EventReply(Reply):
    """One record of the log. `data` is the event itself, for programs; `words` are for people."""

    seq: int
    at: float
    by: str
    kind: str
    words: str
    app: str = ""
    rollout: str = ""
    host: str = ""
    data: dict[str, Any] = Field(default_factory=dict)


class Events(Reply):
    events: tuple[EventReply, ...] = Field(default=(), description="oldest first")
    last: int = Field(default=0, description="pass it as `after` to get what comes next")
    ended: bool = Field(default=False, description="nothing can come after these")


class AuditReply(Reply):
    """What a look along the chain of the event log found."""

    whole: bool
    records: int = Field(description="that are as they were written")
    chained_from: int = Field(description="the first record that carries a hash: those before it were kept without")
    head: str = Field(description="number and hash of the newest of them: note it elsewhere, and a cut-off end shows")
    broken: int = Field(default=0, description="the first record that is not as it was written; 0: none")
    words: str = Field(default="", description="what is wrong, as a sentence")


# Releases, findings, logs


class ReleaseInfo(Reply):
    app: str
    version: str
    digest: str
    id: str
    size: int = Field(description="bytes of the archive")
    pushed_at: float
    pushed_by: str
    why: str = Field(default="", description="in the words of who pushed it")
    good: bool = Field(default=False, description="a rollout of it was completed")
    blocked: str = Field(default="", description="why it must not be rolled out; empty when it may")
    pruned: bool = Field(default=False, description="its archive is no longer kept; push it again to roll it out")
    current: bool = False
    previous: bool = False
    hosts: tuple[str, ...] = Field(default=(), description="on which it is live")
    manifest: ReleaseManifest


class Releases(Reply):
    app: str
    releases: tuple[ReleaseInfo, ...] = Field(default=(), description="newest push first")


class Pushed(Reply):
    app: AppName
    version: str
    digest: str
    new: bool = Field(description="False: exactly this was pushed before")
    words: str


class Findings(Reply):
    """Of a rollout, or of the app's newest one; `rollout` is empty when there never was one."""

    app: str
    rollout: str = ""
    release: ReleaseRef | None = None
    live: bool = Field(default=False, description="the rollout is under way, and this is what is known by now")
    verdict: str = ""
    verdict_reason: str = ""
    requests: int = 0
    control_requests: int = 0
    dry_run: bool = False
    would: str = ""
    findings: tuple[FindingReply, ...] = ()


class LogLineReply(Reply):
    seq: int
    at: float
    host: str
    release: str = Field(default="", description="id of the release that wrote it")
    text: str
    key: str = Field(default="", description="of the kind of record; empty for a request")


class Logs(Reply):
    """Asking keeps the hosts sending for half a minute. Lines are not kept beyond a bounded ring in memory."""

    app: str
    lines: tuple[LogLineReply, ...] = Field(default=(), description="oldest first")
    last: int = Field(default=0, description="pass it as `after` to get what comes next")
    new_with: str = Field(default="", description="version, when only lines were asked for that are new with it")


# Doctor


class Check(Reply):
    name: str
    state: Literal["ok", "warn", "fail"]
    text: str
    next_action: str = ""


class Doctor(Reply):
    worst: Literal["ok", "warn", "fail"]
    checks: tuple[Check, ...]
