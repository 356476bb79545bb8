"""Whether a new record took the place of a known one, which the release only words otherwise."""

from __future__ import annotations

import math
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class _Known:
    """A known record as the rollout sees it: how often on the new side and on the old, and how many at a time."""

    entry: Entry
    name: str
    x: float
    y: float
    burst: float

    @classmethod
    def of(cls, session: RolloutSession, entry: Entry) -> _Known:
        name = _name(entry)
        unit = session.units.get(name)
        return cls(entry, name, unit.x if unit else 0.0, unit.y if unit else 0.0, session.past.burst(name))


def reworded(session: RolloutSession, unit: Unit, known: Entry) -> bool:
    """Whether it took the place of a known record: both together are no more on the new side than the known was.

    A known record that goes on as before was not replaced; but of many that differ by a word or two it may be another
    than the nearest, `known`, that was.
    """
    name = _name(known)
    seen = session.past.counts.get(name) or name in session.units
    if not seen or band_of(known.level) != band_of(unit.about.level):
        return False
    if session.format_changed:
        return True
    if not Counts(unit.x, unit.y, *session.exposure["usual"]).compares:
        return False
    nearest = _Known.of(session, known)
    if not _goes_on(session, unit, nearest):
        return _explains(session, unit, nearest)
    gone = _gone(session, unit)
    return gone is not None and _explains(session, unit, _Known.of(session, gone))


def _goes_on(session: RolloutSession, unit: Unit, known: _Known) -> bool:
    if not known.x:
        return False
    rate = session.past.rate_of(known.name, session.new_hosts)
    expected = rate * session.exposure["usual"][0] / known.burst
    return _beside(unit.x / known.burst, known.x / known.burst, expected) >= math.log(_BESIDE)


def _beside(new: float, known: float, expected: float) -> float:
    """Log of how much likelier it is that `known` alone has the rate that it had, than that both together have it."""
    both = new + known
    return new * (math.log(both / expected) - 1) + known * math.log(both / known) if expected > 0 else 0.0


def _gone(session: RolloutSession, unit: Unit) -> Entry | None:
    """The most usual of the records like it that the new side has never shown."""
    band, text = band_of(unit.about.level), unit.about.text
    gone = (
        entry
        for entry in session.trial.catalogue.entries.values()
        if band_of(entry.level) == band
        and _is_gone(session, _name(entry))
        and nearness(entry.text, text) >= _A_WORD_OR_TWO
    )
    return max(gone, key=lambda entry: (session.past.rate_of(_name(entry), session.new_hosts), entry.key), default=None)


def _is_gone(session: RolloutSession, name: str) -> bool:
    return bool(session.past.counts.get(name)) and not (name in session.units and session.units[name].x)


def _explains(session: RolloutSession, unit: Unit, known: _Known) -> bool:
    """Whether both together are no more than the known one was; judged as that would be, since what took its place has
    no more chance to be falsely blamed."""
    new, old = session.new_hosts, len(session.old_hosts - session.new_hosts)
    x, y = (unit.x + known.x) / known.burst, (unit.y + known.y) / known.burst
    record = NOTHING if session.alone else session.past.record(known.name)
    process = Accustomed.of(session.past.prior(known.name, new, old), record=record)
    later = process.update(x, y, *session.exposure["usual"])
    return later.log_e < log_threshold(min(unit.alpha, session.alpha_of_known(known.entry)))


def _name(entry: Entry) -> str:
    """Of the unit that counts it."""
    return f"template:{entry.key}"
