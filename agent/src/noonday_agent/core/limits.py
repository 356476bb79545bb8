"""The deadlines of an attempt, in seconds, as agent.toml sets them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from noonday_agent.core.journal import HOOKS, Stage


@dataclass(frozen=True, slots=True)
class Limits:
    idle_within: float = 30.0
    on_busy: Literal["proceed", "give-up"] = "proceed"
    restart_within: float = 60.0
    healthy_within: float = 60.0
    successes: int = 2
    return_within: float = 60.0
    hook_within: float = 60.0
    settle_within: float = 5.0
    """For a proof that is against the release: a restart may still be on its way."""

    def of(self, stage: Stage) -> float:
        """Seconds that `stage` may take. The executor bounds PREPARE by the assignment's own deadline."""
        if stage in HOOKS:
            return self.hook_within + 10.0
        return {
            Stage.PREPARE: 86_400.0,
            Stage.DRAIN: 30.0,
            Stage.WAIT_IDLE: self.idle_within,
            Stage.SWITCH: 30.0,
            Stage.RESTART: self.restart_within + 10.0,
            Stage.PROVE: self.healthy_within,
            Stage.WARM_UP: self.healthy_within,
            Stage.RETURN: self.return_within,
            Stage.CONFIRM: self.return_within,
        }[stage]
