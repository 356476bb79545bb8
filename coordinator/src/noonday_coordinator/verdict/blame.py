"""Whether a unit is held against the release: its numbers, and what may excuse them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from noonday_coordinator.core.caveats import Mark
from noonday_coordinator.statistics.spending import band_of, log_threshold
from noonday_coordinator.verdict.catalogue import Entry
from noonday_coordinator.verdict.caveats import Caveats
from noonday_coordinator.verdict.counting import ERRORS
from noonday_coordinator.verdict.reworded import reworded
from noonday_coordinator.verdict.unit import Unit
from noonday_coordinator.verdict.usual import many_suffer, usual_of

if TYPE_CHECKING:
    from noonday_coordinator.verdict.session import RolloutSession

_NEARLY = 10.0
"""Times as high as they are the odds of something known would be enough: until then it holds."""
PRESENT = 60.0
"""Seconds within which it must have shown again."""
ALLOWANCE = 5
"""New kinds of INFO that any release may bring."""
QUIET = 300.0
"""Seconds after which something rare and new no longer holds."""

_MOST_LOOKED_AT = 50
_MOST_TOLD = 3

Excuse = Literal["", "over", "caveat", "shared", "reworded", "twin", "asked to hold", "information"]


@dataclass(frozen=True, slots=True)
class Opinion:
    """`blames`: roll back. `holds`: a person looks. `excuse`: why it is not blamed though its numbers would."""

    blames: bool = False
    holds: bool = False
    excuse: Excuse = ""
    nearest: Entry | None = None
    mark: Mark | None = None
    """The caveat that covers it, or that it goes beyond."""


def opinion(session: RolloutSession, unit: Unit, caveats: Caveats) -> Opinion:
    """Of a unit that the new side has shown."""
    mark = caveats.of(unit.about)
    nearest = nearest_of(session, unit)
    if mark is not None and (not unit.crosses or caveats.covers(mark, unit)):
        return Opinion(excuse="caveat", nearest=nearest, mark=mark)
    if not unit.crosses:
        rare = _rare_but_new(session, unit) and not (nearest and reworded(session, unit, nearest))
        return Opinion(holds=rare or _nearly(session, unit), nearest=nearest)
    if rises_elsewhere(session, unit):
        return Opinion(holds=True, excuse="shared", nearest=nearest)
    if nearest and reworded(session, unit, nearest):
        return Opinion(excuse="reworded", nearest=nearest)
    if session.twins.explain(unit, session.past, session.policy.least_new_errors):
        return Opinion(excuse="twin", nearest=nearest)
    if band_of(unit.about.level) == "other":
        return Opinion(excuse="information", nearest=nearest)
    if session.overrides.of(unit.about).holds:
        return Opinion(holds=True, excuse="asked to hold", nearest=nearest)
    if unit.last_seen <= session.ends - PRESENT:
        return Opinion(holds=True, excuse="over", nearest=nearest)
    return Opinion(blames=True, holds=True, nearest=nearest, mark=mark)


def _rare_but_new(session: RolloutSession, unit: Unit) -> bool:
    """An error nobody has seen before, too seldom to say more: for as long as it may be the first of many."""
    if unit.about.known or unit.y or band_of(unit.about.level) != "error" or unit.alpha == 0:
        return False
    return unit.last_seen > session.ends - QUIET


def _nearly(session: RolloutSession, unit: Unit) -> bool:
    """Something known that comes so often that it may well be the release, but in a hundred rollouts is luck once."""
    if not (unit.about.known and unit.alpha and unit.enough) or band_of(unit.about.level) == "other":
        return False
    if unit.log_e < log_threshold(unit.alpha) - math.log(_NEARLY) or unit.last_seen <= session.ends - PRESENT:
        return False
    return not seen_elsewhere(session, unit)


def nearest_of(session: RolloutSession, unit: Unit) -> Entry | None:
    """The known record that a new one is most like, if it is like any."""
    found = session.nearest.of(unit.about) if not unit.about.known and unit.about.text else None
    return found[0] if found else None


def seen_elsewhere(session: RolloutSession, unit: Unit) -> bool:
    """Whether a twin's start or the old hosts show it as well."""
    explained = session.twins.explain(unit, session.past, session.policy.least_new_errors)
    return explained or rises_elsewhere(session, unit)


def rises_elsewhere(session: RolloutSession, unit: Unit) -> bool:
    """Whether two old hosts (or the only one) lately show as much of it, and more than they used to."""
    name = unit.about.unit
    new, old = session.recent.new(name), session.recent.old(name)
    here = sum(n for n, _ in new.values()) / max(sum(e for _, e in new.values()), 1e-9)
    risen = [
        host
        for host, (n, e) in old.items()
        if n >= 2
        and host not in session.new_hosts
        and n / max(e, 1e-9) >= max(here / 2, 2 * session.past.rate(name, host))
    ]
    return len(risen) >= min(2, len(old)) > 0


@dataclass(frozen=True, slots=True)
class Shared:
    """Old hosts suffer as well: from what, and which."""

    unit: str
    hosts: tuple[str, ...]
    here: float
    there: float
    text: str = ""
    """Of the record, where it is a single one."""


def shared_troubles(session: RolloutSession) -> list[Shared]:
    """What rose on at least two old hosts within the last minute to three times what is usual, and here too: single
    errors, or else all of them together, and answers with 5xx."""
    errors = [
        unit
        for _, unit in sorted(session.units.items())
        if unit.y and unit.about.kind in ("template", "cluster") and band_of(unit.about.level) == "error"
    ]
    errors.sort(key=lambda unit: (-unit.y, unit.about.unit))
    single = [_suffered(session, unit.about.unit, unit.about.text) for unit in errors[:_MOST_LOOKED_AT]]
    found = [one for one in single if one][:_MOST_TOLD]
    whole = [_suffered(session, name) for name in (*(() if found else (ERRORS,)), "status:5xx")]
    return found + [one for one in whole if one]


def _suffered(session: RolloutSession, unit: str, text: str = "") -> Shared | None:
    # Most units are seldom: what is usual of them need not be worked out.
    if not many_suffer(session, unit):
        return None
    lately = usual_of(session, unit)
    if not lately.everywhere:
        return None
    here, there = lately.here, lately.there
    return Shared(unit, lately.risen, here.n / here.e if here.e else 0.0, there.n / there.e if there.e else 0.0, text)
