"""From all that a session knows to one judgement: the findings, and what they come to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from noonday_coordinator.core.events import Finding
from noonday_coordinator.core.state import AppOnHost, Rollout
from noonday_coordinator.core.view import Judgement
from noonday_coordinator.statistics.goodturing import beyond_budget
from noonday_coordinator.statistics.spending import band_of
from noonday_coordinator.verdict.blame import ALLOWANCE, QUIET, Opinion, Shared, opinion, shared_troubles
from noonday_coordinator.verdict.caveats import SECONDS, Caveats, per
from noonday_coordinator.verdict.counting import ERRORS, family_of
from noonday_coordinator.verdict.doubt import doubt
from noonday_coordinator.verdict.limits import Case, broken_limits
from noonday_coordinator.verdict.power import powerful
from noonday_coordinator.verdict.quiet import gone_quiet
from noonday_coordinator.verdict.unit import Unit
from noonday_coordinator.verdict.wording import headline, listed, share, words_of

if TYPE_CHECKING:
    from noonday_coordinator.verdict.session import RolloutSession

Kind = Literal["new-error", "new-record", "known-error", "more-often", "slower", "statuses"]
MOST_KNOWN = 20
"""Known errors that are listed; the most frequent ones."""
MOST_NEW = 50
_NO_REQUESTS = 60.0


def conclude(session: RolloutSession, rollout: Rollout, hosts: Mapping[str, AppOnHost], now: float) -> Judgement:
    """Changes nothing."""
    caveats = Caveats(session, rollout)
    findings = (
        *broken_limits(Case(rollout, hosts, now)),
        *_units(session, caveats),
        *_starts(session, caveats),
        *_shared(session),
        *_novelty(session, caveats),
        *_silence(session, caveats),
        *_gauges(session, caveats),
        *_incomplete(session),
        *_elsewhere(session),
    )
    verdict, reason = _verdict(session, findings)
    return Judgement(
        verdict=verdict,
        reason=reason,
        requests=session.requests,
        control_requests=session.control_requests,
        findings=findings,
        at=now,
        enough=powerful(session),
        doubt=doubt(session, caveats) if verdict == "promote" else "",
    )


def _verdict(
    session: RolloutSession, findings: tuple[Finding, ...]
) -> tuple[Literal["promote", "roll back", "hold"], str]:
    blamed = [finding for finding in findings if finding.blames]
    if blamed:
        return "roll back", "; ".join(finding.words for finding in blamed[:3])
    held = [finding for finding in findings if finding.holds or finding.kind == "shared-trouble"]
    if held:
        return "hold", "; ".join(finding.words for finding in held[:3])
    if not session.new_hosts:
        return "hold", "no evidence has arrived from the new release yet"
    known = sum(finding.kind == "known-error" for finding in findings)
    seen = f"; {known} error{'s' if known != 1 else ''} known from the old release" if known else ""
    return "promote", f"nothing is new with {session.trial.rollout.release}{seen}"


def _units(session: RolloutSession, caveats: Caveats) -> list[Finding]:
    found, known = [], []
    for _, unit in sorted(session.units.items()):
        if not unit.x or not unit.alpha:
            continue
        seen = opinion(session, unit, caveats)
        if unit.crosses or seen.holds or (not unit.about.known and band_of(unit.about.level) != "other"):
            found.append(_finding(session, unit, seen))
        elif unit.about.known and unit.about.kind == "template" and band_of(unit.about.level) == "error":
            known.append(_finding(session, unit, seen))
    found.sort(key=lambda one: (not one.blames, not one.holds, -one.e, one.unit))
    known.sort(key=lambda one: (-sum(one.counts.values()), one.unit))
    return [*found[:MOST_NEW], *known[:MOST_KNOWN]]


def _finding(session: RolloutSession, unit: Unit, seen: Opinion) -> Finding:
    rates = session.rates(unit)
    about = unit.about
    return Finding(
        key=about.key or about.unit,
        kind=_kind(unit),
        blames=seen.blames,
        words=words_of(session, unit, seen, rates),
        level=about.level,
        text=about.text,
        counts=dict(unit.new_hosts),
        first_seen=unit.first_seen,
        samples=about.samples[:3],
        unit=about.unit,
        e=unit.e,
        rate_here=rates[0],
        rate_there=rates[1],
        nearest=seen.nearest.text if seen.nearest else "",
        holds=seen.holds,
        per=per(session, about.unit),
        a_second=unit.x / max(session.exposure[SECONDS][0], 1.0),
        excuse=seen.excuse,
    )


def _kind(unit: Unit) -> Kind:
    match unit.about.kind:
        case "status":
            return "statuses"
        case "slower":
            return "slower"
        case "restarts":
            return "more-often"
        case _:
            error = band_of(unit.about.level) == "error"
            if unit.about.known:
                return "more-often" if unit.crosses else "known-error"
            return "new-error" if error else "new-record"


def _starts(session: RolloutSession, caveats: Caveats) -> list[Finding]:
    found = []
    for one in session.starts.louder():
        about = session.counting.about[session.counting.unit_of(one.entry.key)]
        mark = caveats.of(about)
        if session.overrides.of(about).ignored:
            continue
        words = (
            f"{one.entry.level} more often with {session.trial.rollout.release.version} when it starts, "
            f"'{headline(one.entry.text)}': {one.told.episodes} times on {listed(one.told.hosts)}, "
            f"{one.usual:.1f} times in a usual start"
        )
        past = one.told.last_seen <= session.ends - QUIET
        alike = session.twins.as_loud(about.unit, one.per_start)
        finding = Finding(
            one.entry.key, "more-often", False, words, level=one.entry.level, text=one.entry.text,
            counts=dict(one.told.hosts), first_seen=one.told.first_seen, samples=one.entry.samples[:3],
            unit=f"start:{one.entry.key}", e=one.e, rate_here=one.per_start, rate_there=one.usual,
            holds=mark is None and not past and not alike,
            excuse="caveat" if mark else "over" if past else "twin" if alike else "",
        )  # fmt: skip
        found.append(finding)
    return found


def _shared(session: RolloutSession) -> list[Finding]:
    found = []
    for one in shared_troubles(session):
        here, there = (share(session, one.unit, rate) for rate in (one.here, one.there))
        hosts = f"on {listed(one.hosts)} with the old release too"
        words = f"{_what(one)} {hosts} ({here} here, {there} there): not this release"
        finding = Finding(
            one.unit, "shared-trouble", False, words, unit=one.unit, text=one.text,
            rate_here=one.here, rate_there=one.there, holds=True, per=per(session, one.unit), excuse="shared",
        )  # fmt: skip
        found.append(finding)
    return found


def _what(one: Shared) -> str:
    if one.text:
        return f"'{headline(one.text)}' rises"
    return "errors in the log rise" if one.unit == ERRORS else "answers with 5xx rise"


def _novelty(session: RolloutSession, caveats: Caveats) -> list[Finding]:
    """More kinds of INFO that nobody has seen than the log's own tail, and a person's attention, would explain.

    What a longer time than the known one brings, nobody can say.
    """
    if session.exposure["usual"][0] > session.past.exposure:
        return []
    new = [
        unit
        for _, unit in sorted(session.units.items())
        if unit.x and not unit.y and not unit.about.known and unit.alpha and band_of(unit.about.level) == "other"
    ]
    fresh = [unit for unit in new if unit.first_seen > session.first_new + session.settling]
    fresh = [unit for unit in fresh if session.nearest.of(unit.about) is None]
    budget = session.novelty_budget()
    if not beyond_budget(max(len(fresh) - ALLOWANCE, 0), budget):
        return []
    examples = ", ".join(f"'{headline(unit.about.text)}'" for unit in fresh[:3])
    words = f"{len(fresh)} new kinds of record that are no errors, {budget:.1f} were to be expected: {examples}, …"
    return [_unless_muted(Finding("novelty", "new-record", False, words, unit="novelty", holds=True), caveats)]


def _silence(session: RolloutSession, caveats: Caveats) -> list[Finding]:
    found = []
    alpha = session.policy.sensitivity / max(len(session.silences), 1)
    for name, about, silence in gone_quiet(session, alpha):
        here, there = session.rates_of(name)
        words = (
            f"{about.level or 'record'} '{headline(about.text)}' has gone quiet: {share(session, name, here)} "
            f"on {listed(session.new_hosts)}, {share(session, name, there)} on the old servers"
        )
        unit = f"silence:{about.key}"
        finding = Finding(
            unit, "silence", False, words, level=about.level, text=about.text, samples=about.samples[:3],
            unit=unit, e=silence.e_value, rate_here=here, rate_there=there, holds=True,
            per=per(session, name),
        )  # fmt: skip
        found.append(_unless_muted(finding, caveats))
    quiet = session.without_requests(_NO_REQUESTS)
    if quiet:
        words = f"hardly any request reaches {listed(quiet)}, though the old servers are busy"
        finding = Finding("silence:requests", "silence", False, words, unit="silence:requests", holds=True)
        found.append(_unless_muted(finding, caveats))
    return found


def _gauges(session: RolloutSession, caveats: Caveats) -> list[Finding]:
    found = [
        Finding(
            f"gauge:{one.gauge}", "gauge", False, one.words, unit=f"gauge:{one.gauge}",
            rate_here=one.here, rate_there=one.there, holds=True,
        )
        for one in session.gauges.moved()
    ]  # fmt: skip
    return [_unless_muted(one, caveats) for one in found]


def _unless_muted(finding: Finding, caveats: Caveats) -> Finding:
    """As a caveat, if a person said so of this unit."""
    mark = caveats.muted(finding.unit)
    if mark is None:
        return finding
    words = f"{finding.words}; a caveat, muted by {mark.by or 'a person'}"
    return replace(finding, words=words, holds=False, excuse="caveat")


def _incomplete(session: RolloutSession) -> list[Finding]:
    words = session.coverage.trouble()
    return [Finding("coverage", "incomplete", False, words, unit="coverage", holds=True)] if words else []


def _elsewhere(session: RolloutSession) -> list[Finding]:
    """Errors that only old hosts show now: a person who looks wants to know them as known."""
    units = [
        unit
        for _, unit in sorted(session.units.items())
        if unit.y and not unit.x and unit.about.kind in ("template", "cluster") and band_of(unit.about.level) == "error"
    ]
    units.sort(key=lambda unit: (-unit.y, unit.about.unit))
    return [
        Finding(
            unit.about.key,
            "known-error",
            False,
            f"{unit.about.level} known, '{headline(unit.about.text)}': only the old release shows it now, "
            f"{unit.y:.0f} times on {listed(unit.old_hosts)}",
            level=unit.about.level,
            text=unit.about.text,
            counts=dict(unit.old_hosts),
            samples=unit.about.samples[:3],
            unit=unit.about.unit,
            rate_there=unit.y / max(session.exposure[family_of(unit.about.unit)][1], 1e-9),
            per=per(session, unit.about.unit),
        )
        for unit in units[:10]
    ]
