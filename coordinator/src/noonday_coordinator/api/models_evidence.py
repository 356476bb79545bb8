"""What the HTTP API takes and answers about caveats, and about both sides of a rollout."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from noonday_coordinator.api.models import Ask, Reply
from noonday_shared.names import ReleaseRef


class CaveatAsk(Ask):
    why: str = Field(min_length=1, max_length=1000, description="kept in the history")


class CaveatReply(Reply):
    """`status` known: nobody marked it, but a good release showed this error before. Rate as in a finding's."""

    key: str
    status: Literal["accepted", "muted", "known"]
    level: str = ""
    text: str = Field(default="", description="the masked record; empty for what is none, as for a gauge")
    cluster: bool = Field(default=False, description="it covers every kind of record that is like it")
    rate: float = Field(default=0.0, description="at which it was accepted; 0: any")
    per: str = ""
    by: str = ""
    why: str = ""
    at: float | None = None
    first_seen: float | None = None
    last_seen: float | None = None
    episodes: int = 0
    releases: tuple[str, ...] = Field(default=(), description="ids of those that showed it")


class Caveats(Reply):
    app: str
    caveats: tuple[CaveatReply, ...] = Field(default=(), description="marked ones first, each newest first")
    known: int = Field(default=0, description="errors of good releases that nobody marked")


class Side(Reply):
    """Some hosts over the time that is compared. None: not told by anyone."""

    hosts: tuple[str, ...] = ()
    seconds: float = Field(default=0.0, description="of evidence, over all hosts")
    requests: int = 0
    statuses: dict[str, int] = Field(default_factory=dict, description="requests by class: 4xx, 5xx")
    failed: float | None = Field(default=None, description="share of requests that were answered with 5xx")
    errors: int = Field(default=0, description="records at ERROR and above")
    error_rate: float | None = Field(default=None, description="episodes of them, in `per`")
    p50: float | None = Field(default=None, description="seconds; the edge that this share of requests was not over")
    p95: float | None = None
    p99: float | None = None
    cpu_per_request: float | None = Field(default=None, description="seconds")
    rss: float | None = Field(default=None, description="bytes, the hosts' mean at the end")
    restarts: int = Field(default=0, description="unasked")
    balancer: dict[str, int] = Field(default_factory=dict, description="what the load balancer counted")
    dropped: int = Field(default=0, description="bytes of log that were not read")


class Change(Reply):
    """A kind of record. `here`, `there`: episodes on the canary's side and on the other."""

    key: str
    level: str
    text: str
    known: bool = Field(description="a good release showed it before the rollout")
    here: int
    there: int
    rate_here: float
    rate_there: float


class Comparison(Reply):
    """`canary`: hosts on the new release. `controls`: hosts on another, at the same time. `before`: the canary's hosts
    before the rollout."""

    rollout: str
    app: str
    release: ReleaseRef
    previous: ReleaseRef | None = None
    since: float | None = None
    until: float | None = None
    per: Literal["request", "second"] = "request"
    canary: Side = Side()
    controls: Side = Side()
    before: Side = Side()
    against: Literal["controls", "before"] = Field(default="controls", description="the other side of `changes`")
    changes: tuple[Change, ...] = Field(default=(), description="what differs most, first")
    words: str = Field(default="", description="what is missing, as a sentence; empty when nothing is")
