"""What the agent remembers of one app over its own death. Frozen; written whole before and after each step.

Instants are seconds since the epoch, taken from the host's clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from noonday_shared.errors import Trouble
from noonday_shared.messages import Assignment, Outcome, Phase
from noonday_shared.names import ReleaseRef


class Stage(StrEnum):
    """One step of an attempt, in the order in which they come."""

    PREPARE = "prepare"
    PRE_ACTIVATE = "pre-activate"
    DRAIN = "drain"
    WAIT_IDLE = "wait-idle"
    SWITCH = "switch"
    RESTART = "restart"
    PROVE = "prove"
    WARM_UP = "warm-up"
    POST_ACTIVATE = "post-activate"
    RETURN = "return"
    CONFIRM = "confirm"
    POST_RETURN = "post-return"


HOOKS = frozenset({Stage.PRE_ACTIVATE, Stage.POST_ACTIVATE, Stage.POST_RETURN})

ONCE = HOOKS | {Stage.RESTART}
"""Stages whose effect must not happen twice: the journal says that they began before they do."""

PHASES = {
    Stage.PREPARE: Phase.PREPARING,
    Stage.PRE_ACTIVATE: Phase.HOOK,
    Stage.DRAIN: Phase.DRAINING,
    Stage.WAIT_IDLE: Phase.DRAINING,
    Stage.SWITCH: Phase.SWITCHING,
    Stage.RESTART: Phase.RESTARTING,
    Stage.PROVE: Phase.PROVING,
    Stage.WARM_UP: Phase.WARMING_UP,
    Stage.POST_ACTIVATE: Phase.HOOK,
    Stage.RETURN: Phase.RETURNING,
    Stage.CONFIRM: Phase.RETURNING,
    Stage.POST_RETURN: Phase.HOOK,
}


class Way(StrEnum):
    """Which stages an attempt goes through."""

    PREPARE = "prepare"
    """Only PREPARE."""
    FORWARD = "forward"
    """PREPARE to POST_RETURN, to `target`."""
    ADOPT = "adopt"
    """`current` points to `target` already: PROVE to CONFIRM, and FORWARD only if it is not what runs."""
    LEAVE = "leave"
    """DRAIN and WAIT_IDLE: the goal is to be out."""
    RESUME = "resume"
    """WARM_UP to CONFIRM: back into the load balancer with what is live."""
    RENEW = "renew"
    """DRAIN to CONFIRM, without hooks, to the release that is live: a restart that was asked for."""
    BACK = "back"
    """DRAIN to CONFIRM, to `previous`, without hooks."""
    STRANDED = "stranded"
    """Out, and neither release is well: what is left of the way back, then PROVE to CONFIRM. Without a deadline, except
    for requests that are waited for before a restart."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One way to one end, under one generation."""

    way: Way
    generation: int
    stage: Stage
    started_at: float
    stage_since: float
    target: ReleaseRef | None = None
    previous: str = ""
    """Id of the release to go back to, or the path `current` pointed to; empty when there is none."""
    begun: bool = False
    """A stage of `ONCE` began under this entry; if the agent finds it so at its start, it doesn't know how it ended."""
    perhaps_restarted: bool = False
    """The agent died in the restart: whether it was ordered is told by the app's processes."""
    let_in: int = 0
    """How often a balancer sent requests again before the restart, after it was told to stop."""
    switched: bool = False
    """`current` was moved in this attempt, or may have been."""
    home: bool = False
    """On the way back: `current` was moved back and the restart was ordered, which is not done again."""
    before_restart: tuple[tuple[int, float], ...] = ()
    """Processes (pid, start) of the app before its restart."""
    good: int = 0
    """Good health answers in a row."""
    why: Trouble | None = None
    """Why it goes back, or can't go on."""
    trouble: Trouble | None = None
    """What hinders the present stage; it may pass."""
    out_since: float = 0.0
    told: bool = False
    """Every balancer was told to stop, and none to send since."""
    was_out: bool = False
    """It was out because of us before this attempt."""
    was_in: bool = False
    """The load balancer was seen to send to it before this attempt."""
    adopted: bool = False
    """`current` pointed to `target` before this attempt."""

    @property
    def destination(self) -> str:
        """What `current` points to when this ends well."""
        if self.way in (Way.BACK, Way.STRANDED):
            return self.previous
        return self.target.id if self.target else ""


@dataclass(frozen=True, slots=True)
class Journal:
    app: str
    assignment: Assignment | None = None
    taken_at: float = 0.0
    outcome: Outcome = Outcome.NONE
    """What became of `assignment`."""
    trouble: Trouble | None = None
    proven: ReleaseRef | None = None
    """The release last proven to run and healthy here."""
    moved: bool = False
    """`current` was moved, or may have been, and nothing was proven to run since."""
    restarted_for: str = ""
    """The rollout for which the app was last restarted on its own release, or is being: each asks once."""
    attempt: Attempt | None = None
    out_by_us: bool = False
    """We took the app out of its load balancers and did not put it back."""
    keep_out: bool = False
    """What is live is a release that failed and there was none to go back to: only a new assignment lets it in."""
    timings: dict[str, float] = field(default_factory=dict)
    """Seconds by stage, of the present or last attempt; stages of the way back carry 'back:' in front."""
    seconds_out: float = 0.0
    """Out of the load balancer because of us, in the present or last attempt."""

    @property
    def phase(self) -> Phase:
        if self.attempt is None:
            return Phase.OUT if self.out_by_us else Phase.SETTLED
        return Phase.OUT if self.attempt.way is Way.STRANDED else PHASES[self.attempt.stage]
