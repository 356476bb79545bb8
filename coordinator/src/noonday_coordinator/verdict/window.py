"""One slice of time of one app: what each host did in it. The verdict is a fold over these, so they are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from noonday_shared.messages.evidence import Template

WINDOW = 10.0
"""Seconds that a window is long while a rollout observes the app; longer between rollouts."""

CUMULATIVE = "cpu_seconds"
"""The only gauge of which a window holds the increase."""


@dataclass(frozen=True, slots=True)
class HostWindow:
    """One host: increases since its last evidence, not totals. `release`: id of the release that did it all."""

    release: str
    seconds: float
    """Between the two messages that the increases are the difference of."""
    requests: int = 0
    statuses: Mapping[str, int] = field(default_factory=dict)
    latency: tuple[int, ...] = ()
    """Increases by bucket of `noonday_shared.messages.latency`; empty when it is not told."""
    counts: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """By template key: records, episodes."""
    balancer: Mapping[str, int] = field(default_factory=dict)
    gauges: Mapping[str, float] = field(default_factory=dict)
    age: float = 0.0
    """Seconds since the app's start at the window's end; 0 when it is not known."""
    restarts: int = 0
    """Increase of unasked starts."""
    dropped: int = 0
    """Increase of bytes of log that were not read: the window is incomplete when it is not 0."""
    overflow: Mapping[str, int] = field(default_factory=dict)
    """Increase by level of records whose template did not fit: counted, but not told apart."""
    first: bool = False
    """The first of its counting (a new release, a restart by us): its counts began at 0."""


@dataclass(frozen=True, slots=True)
class Window:
    """`ends`: seconds since the epoch, by the coordinator's clock. A host without evidence in it is absent."""

    ends: float
    hosts: Mapping[str, HostWindow]
    templates: tuple[Template, ...] = ()
    """Dictionary entries told since the window before, by key: with them the fold needs nothing else."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """By host: why what it said is of no use, in words."""
