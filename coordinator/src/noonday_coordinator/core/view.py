"""What the coordinator sees now and does not keep: who was heard when, and what the evidence says so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from noonday_coordinator.core.events import Finding

MOST_ANEW = 10
"""Times that hosts get their patience anew in one wait: a broker that comes and goes prolongs none for ever."""

CATCH_UP = 0.5
"""Seconds in which one that begins to listen takes in what hosts said before: their reports wait in a queue."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the evidence of one rollout says at one instant.

    `verdict` promote means: nothing stands against it so far. Time and requests are the policy's, not the judge's.
    """

    verdict: Literal["promote", "roll back", "hold"]
    reason: str
    requests: int = 0
    """Requests that new-release hosts answered since they returned."""
    control_requests: int = 0
    findings: tuple[Finding, ...] = ()
    at: float = 0.0
    enough: bool = False
    """Whether something much worse would have been noticed by now, also on fewer requests than the policy wants."""
    doubt: str = ""
    """What looks worse than before, though it may be luck: a promote waits for more of it, for a while. In words."""


@dataclass(frozen=True, slots=True)
class View:
    """Instants are seconds since the epoch."""

    last_seen: Mapping[str, float] = field(default_factory=dict)
    """By host: when its last report came."""
    judgements: Mapping[str, Judgement] = field(default_factory=dict)
    """By rollout."""
    since: float = 0.0
    """When this coordinator began to listen; silence before it means nothing."""
    deaf: bool = False
    """Whether it is cut off from the broker now."""
    hears_since: float = 0.0
    """When it was last cut off and came back; 0 when it never was."""
    came_back: tuple[float, ...] = ()
    """When it came back the last `MOST_ANEW` times."""
    on_its_way: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """By host and app: until when what this coordinator said to it may be taken up."""

    def back(self, now: float) -> View:
        """After it was cut off."""
        return replace(self, deaf=False, hears_since=now, came_back=(*self.came_back, now)[-MOST_ANEW:])

    def has_caught_up(self, now: float) -> bool:
        """Whether what it knows of hosts is of now, and not of when it last listened."""
        return now >= self.listens_since + CATCH_UP

    def silent_for(self, host: str, now: float) -> float:
        """Seconds since the host was last heard, or since this coordinator listens."""
        return now - max(self.last_seen.get(host, 0.0), self.since)

    def in_vain(self, deadline: float, patience: float, now: float) -> bool:
        """Whether a wait for hosts is over: `deadline` has passed, and they had `patience` seconds to tell this
        coordinator what they did while there was none, or while it was cut off; that time begins anew with each such
        return, but only so often."""
        if self.deaf or now < deadline:
            return False
        often = len(self.came_back) == MOST_ANEW and self.came_back[0] >= deadline
        return now >= self.listens_since + patience or (often and now >= deadline + MOST_ANEW * patience)

    def may_take_up(self, host: str, app: str, told_at: float, longest: float, now: float) -> bool:
        """Whether what the host was told at `told_at` may be on its way to it: said by this coordinator, or by another
        one before, whose words hold for `longest` seconds."""
        unknown = told_at < self.since and now < self.since + longest
        return unknown or now < self.on_its_way.get((host, app), 0.0)

    @property
    def listens_since(self) -> float:
        """From when on it has heard all that was said."""
        return max(self.since, self.hears_since)
