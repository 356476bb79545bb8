"""Whether a known record that has gone quiet is only worded otherwise: new ones like it come about as often."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from noonday_coordinator.statistics.spending import band_of
from noonday_coordinator.verdict.catalogue import nearness
from noonday_coordinator.verdict.nearest import ALIKE

if TYPE_CHECKING:
    from noonday_coordinator.verdict.session import RolloutSession

HALF = 2.0
"""Up to half as much is no silence."""
_MOST_LIKE = 300
"""New kinds that are compared, those that come about as often first: a release may reword hundreds."""


def replaced(session: RolloutSession, name: str) -> bool:
    """Of a unit on the new side, since the rollout began. Which known record a new one is nearest to does not matter:
    of several that differ by a word or two it may be any."""
    about = session.counting.about[name]
    known = session.units.get(name)
    usual = min(session.rates_of(name)[1], session.past.rate_of(name, session.new_hosts))
    expected = usual * session.exposure["usual"][0]
    # Less two standard deviations: the like ones too come by chance.
    due = expected / HALF - 2 * math.sqrt(expected / HALF)
    found = known.x if known else 0.0
    if found >= due:
        return True
    band = band_of(about.level)
    new = [
        unit for unit in session.units.values() if unit.x and not unit.about.known and band_of(unit.about.level) == band
    ]
    # By the ratio: a new one that stands for several known ones comes more often than each.
    new.sort(key=lambda unit: (abs(math.log(unit.x / expected)), unit.about.unit))
    for unit in new[:_MOST_LIKE]:
        if found >= due:
            break
        found += unit.x if nearness(unit.about.text, about.text) >= ALIKE else 0.0
    return found >= due
