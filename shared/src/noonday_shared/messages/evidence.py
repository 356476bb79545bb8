"""What a host saw of one release of one app: cumulative, so a lost message costs nothing."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from noonday_shared.envelope import Wire
from noonday_shared.messages.latency import BUCKETS
from noonday_shared.names import AppName, HostName

KIND = "evidence"
IDENTITY_VERSION = 2
"""Grows when equal lines get other keys; the coordinator compares only equal versions."""


MOST = 10**15
"""Greatest count that is believed: no host sees more, and sums of it are still exact."""
MOST_GAUGE = 1e30
LONGEST_GAUGE = 200
"""Characters of a gauge's name."""

Tally = Annotated[int, Field(ge=0, le=MOST)]
Instant = Annotated[float, Field(ge=0, le=1e11, allow_inf_nan=False)]
"""Seconds since the epoch, by the host's clock."""
Gauge = Annotated[float, Field(ge=-MOST_GAUGE, le=MOST_GAUGE, allow_inf_nan=False)]
Key = Annotated[str, Field(min_length=1, max_length=32)]
Word = Annotated[str, Field(max_length=16)]
ReleaseId = Annotated[str, Field(max_length=100)]
_Number = Annotated[int, Field(ge=0, le=2**63 - 1)]


class Template(Wire):
    """What one kind of record looks like, told when it is first counted and again now and then.

    `text` is masked and redacted. `samples`: at most three records, redacted. Instants: seconds since the epoch.
    """

    key: Key
    level: Word
    logger: str = Field(default="", max_length=200)
    text: str = Field(max_length=2048)
    first_seen: Instant
    samples: tuple[Annotated[str, Field(max_length=4096)], ...] = Field(default=(), max_length=3)
    by_second: bool = False
    """Whether most of its episodes so far are seconds, since its records carry no request's id."""


Count = tuple[Tally, Tally]
"""(records, episodes): an episode is a distinct request id, or else a distinct second with at least one record."""


class LogLine(Wire):
    at: Instant
    release: ReleaseId = ""
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
    boot: _Number
    epoch: _Number
    seq: _Number
    identity_version: int = Field(default=IDENTITY_VERSION, ge=0, le=2**31)
    release: ReleaseId = ""
    """Id of the release (`<version>-<digest8>`) that wrote what is counted here."""
    since: Instant
    sent_at: Instant
    counted_for: float | None = Field(default=None, ge=0, le=1e11, allow_inf_nan=False)
    """Seconds from `since` to `sent_at` by a clock that nobody sets."""
    requests: Tally = 0
    statuses: dict[Word, Tally] = Field(default_factory=dict, max_length=16)
    """Requests by status class: '2xx', '5xx', …"""
    records: Tally = 0
    counts: dict[Key, Count] = Field(default_factory=dict, max_length=4000)
    """By template key: what changed since the last message, and some of the others in turn; all cumulative.

    A key that had to make room and came back counts from zero again: a smaller count than before is a new beginning."""
    templates: tuple[Template, ...] = Field(default=(), max_length=400)
    overflow: dict[Word, Tally] = Field(default_factory=dict, max_length=64)
    """Records by level whose template did not fit: they are counted, but not told apart."""
    latency: tuple[Tally, ...] = Field(default=(), max_length=BUCKETS)
    """Requests by duration, in the buckets of `messages.latency`; empty when the log tells no durations."""
    balancer: dict[Word, Tally] = Field(default_factory=dict, max_length=16)
    """What the load balancer counted for this server since `since`: 'requests', 'errors', '5xx', …; may be empty."""
    started_at: Instant = 0.0
    """When the app's main process was started, in seconds since the epoch; 0 when it is not known."""
    restarts: Tally = 0
    """Starts since the last activation that the agent did not ask for."""
    dropped: Tally = 0
    """Bytes of log that were not read or not kept."""
    gauges: dict[Annotated[str, Field(max_length=LONGEST_GAUGE)], Gauge] = Field(default_factory=dict, max_length=64)
    lines: tuple[LogLine, ...] = Field(default=(), max_length=500)

    @model_validator(mode="after")
    def _latency_has_our_edges(self) -> Self:
        if len(self.latency) not in (0, BUCKETS):
            raise ValueError(f"latency has {len(self.latency)} buckets; here it has {BUCKETS}")
        return self

    @property
    def order(self) -> tuple[int, int, int]:
        return (self.boot, self.epoch, self.seq)
