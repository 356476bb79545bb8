"""What became of one execution of a stage."""

from __future__ import annotations

from dataclasses import dataclass

from noonday_shared.errors import Trouble


@dataclass(frozen=True, slots=True)
class Done:
    """The stage is over. `processes`: what ran before the restart, learned in SWITCH."""

    processes: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Again:
    """Not yet; look again after so many seconds. `good`: a health answer that counts."""

    after: float
    trouble: Trouble | None = None
    good: bool = False


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is seen speaks against the release. Believed once it lasts, since a restart may still be on its way."""

    trouble: Trouble
    after: float = 0.05


@dataclass(frozen=True, slots=True)
class Unreachable:
    """A load balancer can't be asked or told now. It is tried for ever where giving up would leave a good app out.
    `others_out`: it was told to stop before, there are others, and none of those that answer lets the app in."""

    trouble: Trouble
    after: float = 0.5
    others_out: bool = False


@dataclass(frozen=True, slots=True)
class Failed:
    """Trying again can't help. `changed`: whether the stage may have had a part of its effect."""

    trouble: Trouble
    changed: bool = True


Result = Done | Again | Wrong | Unreachable | Failed
