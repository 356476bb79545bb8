"""Kinds of record that the old servers write all the time, and the new release hardly any more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from noonday_coordinator.statistics.silence import Silence
from noonday_coordinator.statistics.spending import log_threshold
from noonday_coordinator.verdict.counting import About
from noonday_coordinator.verdict.replaced import replaced

if TYPE_CHECKING:
    from noonday_coordinator.verdict.session import RolloutSession


def gone_quiet(session: RolloutSession, alpha: float) -> Iterator[tuple[str, About, Silence]]:
    """By unit; `alpha`: the chance of a false alarm of each."""
    threshold = log_threshold(alpha)
    for name, silence in sorted(session.silences.items()):
        about = session.counting.about[name]
        if not silence.enough or silence.log_e < threshold or session.overrides.of(about).ignored:
            continue
        if not (session.falls_elsewhere(name) or replaced(session, name)):
            yield name, about, silence
