"""What a person or a program may ask of the coordinator. `submit.py` answers with events or a refusal."""

from __future__ import annotations

from dataclasses import dataclass

from noonday_coordinator.core.caveats import Per, Status
from noonday_coordinator.core.policy import Policy
from noonday_shared.names import ReleaseRef
from noonday_shared.release.manifest import ReleaseManifest


@dataclass(frozen=True, slots=True)
class Deploy:
    """`allow_outage` lets the only host of a fleet be taken out, as the policy's key of that name does. `supersede`: a
    rollout under way ends, and this one takes over its hosts."""

    app: str
    version: str
    policy: Policy
    allow_outage: bool = False
    supersede: bool = False
    why: str = ""


@dataclass(frozen=True, slots=True)
class Rollback:
    """Under way: that rollout goes back. Otherwise: straight to the previous release, on all hosts."""

    app: str
    policy: Policy
    why: str = ""


@dataclass(frozen=True, slots=True)
class Reconcile:
    """Bring hosts that serve something else to the release of record."""

    app: str
    policy: Policy
    why: str = ""


@dataclass(frozen=True, slots=True)
class Promote:
    """Skip what is left of the examine, or answer yes at a gate or a question."""

    app: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Abort:
    """Stop, and bring the hosts that were touched back; the release is not blocked."""

    app: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Pause:
    app: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Resume:
    app: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class DrainHost:
    """Take all apps of a host out of their load balancers, and keep them out."""

    host: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class UndrainHost:
    host: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Enroll:
    host: str
    labels: dict[str, str]
    public_key: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Remove:
    host: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Push:
    """`keep`: so many archives of the app stay, with those that are needed; 0 for all."""

    app: str
    release: ReleaseRef
    size: int
    manifest: ReleaseManifest
    keep: int = 0
    why: str = ""


@dataclass(frozen=True, slots=True)
class Unblock:
    app: str
    version: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class MarkCaveat:
    """`key`: of a kind of record, or the name of another unit. The others as in `core.caveats.Mark`."""

    app: str
    key: str
    status: Status
    why: str
    rate: float = 0.0
    per: Per = "request"
    cluster: int = 0
    level: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class ForgetCaveat:
    app: str
    key: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class WatchLogs:
    app: str
    until: float


Command = (
    Deploy
    | Rollback
    | Reconcile
    | Promote
    | Abort
    | Pause
    | Resume
    | DrainHost
    | UndrainHost
    | Enroll
    | Remove
    | Push
    | Unblock
    | MarkCaveat
    | ForgetCaveat
    | WatchLogs
)
