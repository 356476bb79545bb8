"""The only thing that is sent to a host: what it should be, for one app."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from noonday_shared.envelope import Wire
from noonday_shared.names import AppName, HostName, ReleaseRef

KIND = "assignment"


class Goal(StrEnum):
    PREPARED = "prepared"
    """Have the release fetched, verified and unpacked; go on serving what is live."""
    SERVING = "serving"
    """Serve the release, in the load balancer."""
    OUT = "out"
    """Be out of the load balancer; the app goes on running."""


class Assignment(Wire):
    """The whole truth of what the host should be for one app.

    Ordered by (term, generation, issued_at): a greater one replaces a smaller one, and what is not greater has no
    effect. Within one term and generation only `observe`, `taken`, `watch_until` and the instants may change.
    Instants are seconds since the epoch, `deadline` is seconds from the moment the host takes it up.
    """

    app: AppName
    host: HostName
    term: int = Field(ge=1)
    generation: int = Field(ge=1)
    goal: Goal
    release: ReleaseRef | None = None
    source: str = ""
    previous: ReleaseRef | None = None
    rollout: str = ""
    restart_for: str = ""
    """Id of a rollout for which the app is restarted once on the release that it serves; empty: no restart is asked."""
    deadline: float = Field(default=600.0, gt=0, le=86_400)
    issued_at: float
    expires_at: float
    observe: bool = False
    stay: bool = False
    """What is live stays. Where that can't be proven the host is left in service as it is, and says so: nobody made
    room for a restart."""
    taken: bool = False
    """The host said that it took this up. One that knows nothing of it has forgotten, as when its disk was put back: it
    begins nothing, and is told anew when there is room."""
    watch_until: float = 0.0

    @model_validator(mode="after")
    def _goal_needs_release(self) -> Self:
        if self.release is None and self.goal is not Goal.OUT:
            raise ValueError(f"goal {self.goal.value} needs a release")
        return self

    @property
    def order(self) -> tuple[int, int, float]:
        return (self.term, self.generation, self.issued_at)
