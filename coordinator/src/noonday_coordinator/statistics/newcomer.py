"""The test of a unit that nobody has seen before: its absence from history counts, but an incident may begin today.

Two nulls. Either the unit always had this rate: then history without it is exposure on the old side, and E_past is
large soon. What passed before its first episode is such history on the new side too, as a release may begin to fail
late; all windows since then are pooled. Or something shared began during the rollout: then only hosts at the same time
compare, and E_now is what there is. With a chance of `incident` for the second,

    E = 1 / (5 (1 - incident) / E_past  +  5/4 incident / E_now)

keeps P(E ever >= 1 / alpha) <= alpha: by Ville's inequality the first null has a fifth of alpha, since E_past is soon
great enough to afford it, and the second the rest. Measured with four old hosts, alpha = 0.0075: when an incident
brought a new template to all hosts, 0.1 to 0.5 times a window each, E_past alone blamed the release for 50 to 95 % of
them, this for 1 % (of 400 each).

E_past is an e-process at the instants of episodes, the first of which sets the scale and isn't counted: Perez-Ortiz,
Lardy, de Heide and Grünwald, E-statistics, group invariance and anytime-valid testing, arXiv 2208.07610.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

from noonday_coordinator.statistics.eprocess import LEAST_EPISODES, LEAST_WINDOWS, EProcess
from noonday_coordinator.statistics.ratio_prior import RatioPrior
from noonday_coordinator.statistics.window import Window

INCIDENT = 0.02
"""Chance that something shared by all hosts begins during a rollout and brings this: one rollout in fifty."""
_PAST_SHARE = 0.2
"""Of alpha."""


@dataclass(frozen=True)
class Newcomer:
    """Immutable. Feed it every window since the rollout began, those before the first episode too."""

    now: EProcess
    fresh: EProcess
    """What `now` was before any window."""
    total: Window
    """All windows pooled, without the first episode; the exposure of history, and of both sides before that episode, is
    in `e_b`."""
    incident: float = INCIDENT
    found: bool = False
    """Whether the first episode has come."""
    seen: float = 0.0
    """Episodes on the new side, the first one too."""
    hits: int = 0
    """Windows in which the new side had any."""

    @classmethod
    def of(cls, prior: RatioPrior, *, history: float, incident: float = INCIDENT, episodes: float = 0.0) -> Newcomer:
        """`history`: the exposure in which it occurred `episodes` times, in the units of the windows' exposures.

        A few episodes are a short record, not none: then nothing has to set the scale, and the next one counts.
        """
        if not (history >= 0 and math.isfinite(history) and 0 < incident < 1):
            raise ValueError(f"history {history!r} and incident {incident!r}: an exposure and a chance")
        fresh = EProcess.of(prior)
        return cls(fresh, fresh, Window(0, episodes, 0, history).checked(), incident, found=episodes > 0)

    def update(self, x: float, y: float, e_c: float, e_b: float) -> Newcomer:
        """With one window more. The first episode is left out; of two sides in one window, the new one's."""
        Window(x, y, e_c, e_b).checked()
        found = self.found or x + y > 0
        seen, hits = self.seen + x, self.hits + (1 if x else 0)
        if found and not self.found:
            x, y = (max(x - 1, 0), y) if x > 0 else (x, max(y - 1, 0))
        counted = (x, y, e_c, e_b) if found else (0.0, 0.0, 0.0, e_c + e_b)
        total = Window(*(a + b for a, b in zip(self.total, counted, strict=True)))
        return replace(self, now=self.now.update(x, y, e_c, e_b), total=total, found=found, seen=seen, hits=hits)

    def next_stage(self, prior: RatioPrior) -> Newcomer:
        """Goes on with other hosts on the two sides."""
        return replace(self, now=self.now.next_stage(prior), fresh=EProcess.of(prior, rho0=self.fresh.grid.rho0))

    @cached_property
    def log_e(self) -> float:
        """Natural log of E; at most 0 before anything was seen."""
        past = self.fresh.update(*self.total).log_e
        logs = [
            math.log((1 - self.incident) / _PAST_SHARE) - past,
            math.log(self.incident / (1 - _PAST_SHARE)) - self.now.log_e,
        ]
        top = max(logs)
        return -top - math.log(sum(math.exp(value - top) for value in logs))

    @property
    def e_value(self) -> float:
        return math.exp(self.log_e) if self.log_e < 709 else math.inf

    @property
    def enough(self) -> bool:
        """Whether the new side showed enough to be blamed at all: 3 episodes, the first one too, in 2 windows."""
        return self.seen >= LEAST_EPISODES and self.hits >= LEAST_WINDOWS
