"""Findings in words: what, how much here and there, and how sure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from noonday_coordinator.verdict.blame import Opinion
from noonday_coordinator.verdict.unit import Unit
from noonday_coordinator.words import figure
from noonday_coordinator.words import rate as rate_of

if TYPE_CHECKING:
    from noonday_coordinator.verdict.session import RolloutSession

_WHAT = {
    "status:5xx": "answers with 5xx",
    "status:4xx": "answers with 4xx",
    "status:errors": "requests without a whole answer, as the load balancer sees them,",
    "restarts": "unasked restarts",
}
_EXCUSES = {
    "": "",
    "over": "; it has stopped since",
    "caveat": "",
    "shared": "; it rises on old servers as well: not this release",
    "reworded": "; it took the place of a known record",
    "twin": "; it comes with a start, as on an old server that was restarted meanwhile: not this release",
    "asked to hold": "; the policy wants a person to look",
    "information": "",
}


def words_of(session: RolloutSession, unit: Unit, seen: Opinion, rates: tuple[float, float]) -> str:
    """One sentence, as in 'ERROR new with 1.2.0, 'KeyError …': 31 requests on web-1, never in 4 h on 3 old servers'."""
    return f"{_subject(session, unit)}: {_where(session, unit)}, {_elsewhere(session, unit, rates)}{_tail(unit, seen)}"


def _subject(session: RolloutSession, unit: Unit) -> str:
    about, release = unit.about, session.trial.rollout.release.version
    if about.kind in ("status", "restarts"):
        return f"more {_WHAT[about.unit]} with {release}" if unit.crosses else _WHAT[about.unit]
    if about.kind == "slower":
        return f"slower with {release}: requests beyond the {about.text} of before"
    what = f"{about.level or 'record'}"
    if not about.known and unit.y:
        return f"{what} not known before, '{headline(about.text)}'"
    if not about.known:
        return f"{what} new with {release}, '{headline(about.text)}'"
    return f"{what} {'more often with ' + release if unit.crosses else 'known'}, '{headline(about.text)}'"


def _where(session: RolloutSession, unit: Unit) -> str:
    return f"{_episodes(session, unit, sum(unit.new_hosts.values()))} on {listed(unit.new_hosts)}"


def _episodes(session: RolloutSession, unit: Unit, total: int) -> str:
    plural = "" if total == 1 else "s"
    if not session.by_requests or unit.about.kind == "restarts":
        return f"{total} time{plural}"
    if session.counting.by_second(unit.about.unit):
        return f"in {total} second{plural}"
    return f"{total} request{plural}"


def _elsewhere(session: RolloutSession, unit: Unit, rates: tuple[float, float]) -> str:
    olds = sorted(session.old_hosts - session.new_hosts)
    servers = f"{len(olds)} old server{'s' if len(olds) != 1 else ''}"
    history = f" in {span(session.past.seconds)}" if session.past.seconds else ""
    if not unit.about.known:
        if unit.y:
            return f"{sum(unit.old_hosts.values())} on {listed(unit.old_hosts)} with the old release"
        return f"never{history} on {servers}" if olds or history else "and no old server to compare it with"
    here, there = rates
    there = there if olds else session.past.rate(unit.about.unit)
    where = f"on {servers}" if olds else "before"
    if there <= 0:
        return f"none {where} meanwhile"
    said, said_there = (share(session, unit.about.unit, rate) for rate in (here, there))
    if unit.crosses:
        return f"{here / there:.1f} times as often as {where} ({said} against {said_there})"
    return f"{said} against {said_there} {where}"


def _tail(unit: Unit, seen: Opinion) -> str:
    rare = " (too few to blame it, so a person looks)" if seen.holds and not unit.crosses else ""
    odds = f", odds {unit.e:,.0f} to 1" if unit.crosses and unit.e < 1e9 else ""
    return f"{odds}{_EXCUSES[seen.excuse]}{_caveat(seen)}{rare}"


def _caveat(seen: Opinion) -> str:
    if seen.mark is None:
        return ""
    if seen.excuse != "caveat":
        return f"; far beyond the caveat, accepted at {rate_of(seen.mark.rate, seen.mark.per)}"
    return f"; a caveat, {seen.mark.status} by {seen.mark.by or 'a person'}"


def share(session: RolloutSession, unit: str, rate: float) -> str:
    """A unit's rate as people say it."""
    if not session.by_requests:
        return f"{figure(60 * rate)} a minute"
    return f"{figure(100 * rate)} {'per 100 requests' if session.counting.by_second(unit) else '%'}"


def headline(text: str) -> str:
    first = text.partition("\n")[0].strip()
    return first if len(first) <= 90 else f"{first[:89]}…"


def span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 3600:.2g} h" if seconds >= 3600 else f"{seconds / 60:.0f} min"


def listed(names: Iterable[str] | Mapping[str, int]) -> str:
    found = sorted(names)
    return ", ".join(found[:5]) + (f" and {len(found) - 5} more" if len(found) > 5 else "")
