"""What a host saw of one release of one app: cumulative, so a lost message costs nothing."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from noonday_shared.envelope import Wire
from noonday_shared.messages.latency import BUCKETS
from noonday_shared.names import AppName, HostName

KIND = "evidence"
IDENTITY_VERSION = 2
"""Grows when equal lines get other keys; the coordinator compares only equal versions."""


class Template(Wire):
    """What one kind of record looks like, told when it is first counted and again now and then.

    `text` is masked and redacted. `samples`: at most three records, redacted. Instants: seconds since the epoch.
    """

    key: str = Field(max_length=32)
    level: str = Field(max_length=16)
    logger: str = Field(default="", max_length=200)
    text: str = Field(max_length=2048)
    first_seen: float
    samples: tuple[str, ...] = Field(default=(), max_length=3)


Count = tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]]
"""(records, episodes): an episode is a distinct request id, or else a distinct second with at least one record."""


class LogLine(Wire):
    at: float
    release: str = ""
    text: str = Field(max_length=4096)
    key: str = Field(default="", max_length=32)
    """Template of the record that the line belongs to; empty for a request."""


class Evidence(Wire):
    """Counters of one (host, app, release) since `since`; a greater (boot, epoch, seq) replaces a smaller one.

    `epoch` grows with each start of counting (a new release, a restart of the app by us). `lines` is not cumulative:
    it holds what was logged since the last message, and only while somebody watches.
    """

    host: HostName
    app: AppName
    boot: int = Field(ge=0)
    epoch: int = Field(ge=0)
    seq: int = Field(ge=0)
    identity_version: int = IDENTITY_VERSION
    release: str = ""
    """Id of the release (`<version>-<digest8>`) that wrote what is counted here."""
    since: float
    sent_at: float
    requests: int = Field(default=0, ge=0)
    statuses: dict[str, int] = Field(default_factory=dict, max_length=16)
    """Requests by status class: '2xx', '5xx', …"""
    records: int = Field(default=0, ge=0)
    counts: dict[str, Count] = Field(default_factory=dict, max_length=4000)
    """By template key: what changed since the last message, and some of the others in turn; all cumulative.

    A key that had to make room and came back counts from zero again: a smaller count than before is a new beginning."""
    templates: tuple[Template, ...] = Field(default=(), max_length=400)
    overflow: dict[str, int] = Field(default_factory=dict, max_length=64)
    """Records by level whose template did not fit: they are counted, but not told apart."""
    latency: tuple[int, ...] = Field(default=(), max_length=BUCKETS)
    """Requests by duration, in the buckets of `messages.latency`; empty when the log tells no durations."""
    balancer: dict[str, int] = Field(default_factory=dict, max_length=16)
    """What the load balancer counted for this server since `since`: 'requests', 'errors', '5xx', …; may be empty."""
    started_at: float = 0.0
    """When the app's main process was started, in seconds since the epoch; 0 when it is not known."""
    restarts: int = Field(default=0, ge=0)
    """Starts since the last activation that the agent did not ask for."""
    dropped: int = Field(default=0, ge=0)
    """Bytes of log that were not read or not kept."""
    gauges: dict[str, float] = Field(default_factory=dict, max_length=64)
    lines: tuple[LogLine, ...] = Field(default=(), max_length=500)

    @property
    def order(self) -> tuple[int, int, int]:
        return (self.boot, self.epoch, self.seq)
