"""What a host saw of one release of one app: cumulative, so a lost message costs nothing."""

from __future__ import annotations

from pydantic import Field

from noonday_shared.envelope import Wire
from noonday_shared.names import AppName, HostName

KIND = "evidence"
IDENTITY_VERSION = 1
"""Grows when equal lines get other keys; the coordinator compares only equal versions."""


class SignatureCount(Wire):
    """One normalised ERROR record or stack trace, counted since `Evidence.since`. Instants: seconds since the epoch."""

    key: str = Field(max_length=32)
    level: str = Field(max_length=16)
    logger: str = Field(default="", max_length=200)
    text: str = Field(max_length=2048)
    count: int = Field(ge=0)
    first_seen: float
    last_seen: float
    samples: tuple[str, ...] = Field(default=(), max_length=3)


class LogLine(Wire):
    at: float
    release: str = ""
    text: str = Field(max_length=4096)


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
    signatures: tuple[SignatureCount, ...] = Field(default=(), max_length=500)
    overflow: int = Field(default=0, ge=0)
    """Error records whose signature did not fit."""
    dropped: int = Field(default=0, ge=0)
    """Bytes of log that were not read or not kept."""
    gauges: dict[str, float] = Field(default_factory=dict, max_length=64)
    lines: tuple[LogLine, ...] = Field(default=(), max_length=500)

    @property
    def order(self) -> tuple[int, int, int]:
        return (self.boot, self.epoch, self.seq)
