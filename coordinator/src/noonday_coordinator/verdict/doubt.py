"""What looks worse than before, but not so much that it could not be luck: a reason to examine for longer.

E of everything that is tested may be looked at for ever, so a longer examine costs no false alarm. It costs time, so it
is asked for only where E is what would turn the release back if this were all that is tested, 1 / sensitivity, or where
an ERROR that only the new release shows came again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from noonday_coordinator.statistics.spending import band_of, log_threshold
from noonday_coordinator.verdict.blame import nearest_of, seen_elsewhere
from noonday_coordinator.verdict.caveats import Caveats
from noonday_coordinator.verdict.quiet import gone_quiet
from noonday_coordinator.verdict.reworded import reworded
from noonday_coordinator.verdict.unit import LEAST_WINDOWS, Unit
from noonday_coordinator.verdict.wording import headline, share

if TYPE_CHECKING:
    from noonday_coordinator.verdict.session import RolloutSession

_MOST_TOLD = 2


def doubt(session: RolloutSession, caveats: Caveats) -> str:
    """In words; empty when there is none."""
    found = [*_louder(session, caveats), *_quieter(session, caveats)]
    if not found:
        return ""
    more = f" (and {len(found) - _MOST_TOLD} more)" if len(found) > _MOST_TOLD else ""
    return f"{'; '.join(found[:_MOST_TOLD])}{more}, which may be luck"


def _louder(session: RolloutSession, caveats: Caveats) -> Iterator[str]:
    for _, unit in sorted(session.units.items()):
        if _loud(session, unit) and not _excused(session, unit, caveats):
            here, there = session.rates(unit)
            name = unit.about.unit
            words = f"'{headline(unit.about.text)}'" if unit.about.text else name
            does = "comes more often" if unit.about.known else "is new and came again"
            yield f"{words} {does} ({share(session, name, here)} here, {share(session, name, there)} there)"


def _loud(session: RolloutSession, unit: Unit) -> bool:
    band = band_of(unit.about.level)
    if not unit.alpha or unit.hits < LEAST_WINDOWS or band == "other":
        return False
    if not unit.about.known and not unit.y and band == "error":
        return True  # twice is no chance thing any more, and too seldom to be held against anything
    return unit.enough and unit.log_e >= log_threshold(session.policy.sensitivity)


def _excused(session: RolloutSession, unit: Unit, caveats: Caveats) -> bool:
    mark = caveats.of(unit.about)
    if session.overrides.of(unit.about).ignored or (mark is not None and caveats.covers(mark, unit)):
        return True
    if seen_elsewhere(session, unit):
        return True
    nearest = nearest_of(session, unit)
    return nearest is not None and reworded(session, unit, nearest)


def _quieter(session: RolloutSession, caveats: Caveats) -> Iterator[str]:
    for name, about, _ in gone_quiet(session, session.policy.sensitivity):
        if caveats.muted(f"silence:{about.key}") is None:
            here, there = session.rates_of(name)
            words = f"({share(session, name, here)} here, {share(session, name, there)} there)"
            yield f"'{headline(about.text)}' comes less often {words}"
