"""Whether a new record took the place of a known one, which the release only words otherwise."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from noonday_coordinator.statistics.accustomed import NOTHING, Accustomed
from noonday_coordinator.statistics.spending import band_of, log_threshold
from noonday_coordinator.statistics.window import Window as Counts
from noonday_coordinator.verdict.catalogue import Entry, nearness
from noonday_coordinator.verdict.unit import Unit

if TYPE_CHECKING:
    from noonday_coordinator.verdict.session import RolloutSession

_BESIDE = 3.0
"""Odds that a record comes beside the known one it is like, which goes on as ever, and not in its place."""
_A_WORD_OR_TWO = 0.7
"""From here on two texts differ by so little that a person may have changed one into the other."""


def reworded(session: RolloutSession, unit: Unit, known: Entry) -> bool:
    """Whether it took the place of a known record: both together are no more on the new side than the known was.

    A known record that goes on as before was not replaced; but of many that differ by a word or two it may be another
    than the nearest, `known`, that was.
    """
    name = f"template:{known.key}"
    if band_of(known.level) != band_of(unit.about.level) or not (
        session.past.counts.get(name) or name in session.units
    ):
        return False
    if session.format_changed:
        return True
    if not Counts(unit.x, unit.y, *session.exposure["usual"]).compares:
        return False
    if not _goes_on(session, unit, name):
        return _explains(session, unit, known)
    gone = _gone(session, unit)
    return gone is not None and _explains(session, unit, gone)


def _goes_on(session: RolloutSession, unit: Unit, name: str) -> bool:
    known = session.units.get(name)
    if known is None or not known.x:
        return False
    burst = session.past.burst(name)
    expected = session.past.rate_of(name, session.new_hosts) * session.exposure["usual"][0] / burst
    return _beside(unit.x / burst, known.x / burst, expected) >= math.log(_BESIDE)


def _beside(new: float, known: float, expected: float) -> float:
    """Log of how much likelier it is that `known` alone has the rate that it had, than that both together have it."""
    both = new + known
    return new * (math.log(both / expected) - 1) + known * math.log(both / known) if expected > 0 else 0.0


def _gone(session: RolloutSession, unit: Unit) -> Entry | None:
    """The most usual of the records like it that the new side has never shown."""
    entries, band, text = session.trial.catalogue.entries, band_of(unit.about.level), unit.about.text
    names = {f"template:{key}": key for key, entry in entries.items() if band_of(entry.level) == band}
    gone = [
        (session.past.rate_of(name, session.new_hosts), key)
        for name, key in names.items()
        if session.past.counts.get(name)
        and not (name in session.units and session.units[name].x)
        and nearness(entries[key].text, text) >= _A_WORD_OR_TWO
    ]
    return entries[max(gone)[1]] if gone else None


def _explains(session: RolloutSession, unit: Unit, known: Entry) -> bool:
    """Whether both together are no more than the known one was; judged as that would be, since what took its place has
    no more chance to be falsely blamed."""
    name = f"template:{known.key}"
    other, burst = session.units.get(name), session.past.burst(name)
    new, old = session.new_hosts, len(session.old_hosts - session.new_hosts)
    x, y = unit.x + (other.x if other else 0.0), unit.y + (other.y if other else 0.0)
    record = NOTHING if session.alone else session.past.record(name)
    prior = session.past.prior(name, new, old)
    process = Accustomed.of(prior, record=record).update(x / burst, y / burst, *session.exposure["usual"])
    return process.log_e < log_threshold(min(unit.alpha, session.alpha_of_known(known)))
