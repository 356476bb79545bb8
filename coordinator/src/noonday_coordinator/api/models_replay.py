"""What the API takes and answers when a rollout is judged once more."""

from __future__ import annotations

from pydantic import Field

from noonday_coordinator.api.models import Ask, FindingReply, Reply, VerdictName
from noonday_coordinator.core.policy import Policy
from noonday_shared.names import ReleaseRef


class ReplayAsk(Ask):
    policy: Policy | None = Field(default=None, description="the one to judge by; the rollout's own when absent")


class VerdictChange(Reply):
    """From this instant on the evidence said so."""

    at: float
    verdict: VerdictName
    reason: str


class KeptVerdict(Reply):
    """A verdict as it was recorded, and what the evidence says of it again."""

    at: float
    verdict: VerdictName
    reason: str
    again: VerdictName
    again_reason: str
    differs: tuple[str, ...] = Field(default=(), description="what is not the same, bit for bit; empty: nothing")


class Replay(Reply):
    rollout: str
    app: str
    release: ReleaseRef
    by_policy: bool = Field(description="whether it was judged by another policy than the rollout's own")
    same: bool = Field(description="own policy: whether all is the same bit for bit; another: whether its verdict is")
    decided: str = Field(default="", description="the last verdict on record: promote, roll back or hold; empty: none")
    decided_at: float | None = None
    verdict: VerdictName = Field(description="what the evidence comes to: the first roll back, else its last word")
    reason: str
    started_at: float
    until: float = Field(description="end of the last window that was judged: nobody knows what came after")
    windows: int
    changes: tuple[VerdictChange, ...] = Field(default=(), description="oldest first")
    kept: tuple[KeptVerdict, ...] = Field(default=(), description="oldest first; none by another policy")
    requests: int = 0
    control_requests: int = 0
    findings: tuple[FindingReply, ...] = Field(default=(), description="when `verdict` was reached")
