"""The caveats that hold at one instant of a rollout, and what they cover."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from noonday_coordinator.core.caveats import Mark, Per
from noonday_coordinator.core.state import Rollout
from noonday_coordinator.verdict.counting import About, Family, family_of
from noonday_coordinator.verdict.unit import Unit

if TYPE_CHECKING:
    from noonday_coordinator.verdict.session import RolloutSession

_AT_THIS_RATE = 2.0
"""A caveat covers up to twice the rate at which it was accepted, and what chance adds to that."""
_CHANCE = 3.0
SECONDS: Family = "restarts"
"""The family that is measured in seconds, whatever the others are."""


class Caveats:
    """Those of the rollout's start, and what people said since."""

    def __init__(self, session: RolloutSession, rollout: Rollout) -> None:
        marks: dict[str, Mark | None] = {**session.trial.marks, **rollout.marked}
        self._marks = {key: mark for key, mark in marks.items() if mark is not None}
        self._clusters = {mark.cluster: mark for mark in self._marks.values() if mark.cluster}
        self._session = session

    def of(self, about: About) -> Mark | None:
        """By the record's own key, by the unit's name, or as one of the kinds of record that were marked together."""
        own = self._marks.get(about.key) or self._marks.get(about.unit)
        return own or self._clusters.get(self._session.counting.cluster_of(about))

    def muted(self, name: str) -> Mark | None:
        """Of what has no rate: a gauge, a silence, too much news."""
        mark = self._marks.get(name)
        return mark if mark is not None and mark.status == "muted" else None

    def covers(self, mark: Mark, unit: Unit) -> bool:
        by_requests = per(self._session, unit.about.unit) == "request"
        if mark.status == "muted" or mark.rate <= 0 or (mark.per == "request" and not by_requests):
            return True
        family = SECONDS if mark.per == "second" else family_of(unit.about.unit)
        expected = _AT_THIS_RATE * mark.rate * self._session.exposure[family][0]
        return unit.x <= expected + _CHANCE * math.sqrt(expected)


def per(session: RolloutSession, unit: str) -> Per:
    """What this unit's rates are measured in."""
    family = family_of(unit)
    if family == "restarts" or (family == "usual" and not session.by_requests):
        return "second"
    return "request"
