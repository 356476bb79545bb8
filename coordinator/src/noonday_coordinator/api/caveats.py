"""What a person means when they name a finding or a kind of record, and the caveats as they are shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from noonday_coordinator.api import show_rollout
from noonday_coordinator.api.context import Context, Refusal
from noonday_coordinator.api.errors import not_found
from noonday_coordinator.api.models_evidence import CaveatReply, Caveats
from noonday_coordinator.api.routes_rollouts import newest
from noonday_coordinator.core.caveats import Mark, Per, Status
from noonday_coordinator.core.commands import ForgetCaveat, MarkCaveat
from noonday_coordinator.core.events import Finding
from noonday_coordinator.evidence_desk import unproven
from noonday_coordinator.statistics.spending import band_of
from noonday_coordinator.verdict.arms import requests_of
from noonday_coordinator.verdict.catalogue import Entry, nearness
from noonday_coordinator.verdict.past import counts_requests
from noonday_shared.errors import BadInput

LOOKED_BACK = 10
"""Rollouts whose findings can be named."""
LATELY = 4 * 3600.0
"""Seconds over which the rate of what is in no finding is taken."""
OFTEN = 0.3
"""Episodes by second from which on they are accepted by time: where no request id tells episodes apart, one second is
at most one, so by requests their rate would depend on the load."""
SHORTEST = 4
"""Characters of a key that may stand for all of it."""
_SECOND: Per = "second"
_HAVE_NO_RATE = ("silence", "gauge", "new-record")
_NEVER = {
    "hard-limit": "a hard limit, which no caveat lifts",
    "shared-trouble": "not held against any release anyway",
    "incomplete": "evidence that is missing, which can't be accepted",
}


@dataclass(frozen=True, slots=True)
class _Subject:
    """What is to be marked."""

    key: str
    level: str = ""
    text: str = ""
    rate: float = 0.0
    per: Per = "request"
    cluster: int = 0
    has_rate: bool = True


def shown(context: Context, app: str, *, known: bool) -> Caveats:
    """`known`: also the errors that good releases showed."""
    known_app = context.engine.state.app(app)
    catalogue = context.catalogue.frozen(app, unproven(known_app))
    marks = known_app.caveats
    marked = sorted(marks.items(), key=lambda one: (-one[1].at, one[0]))
    others = [
        entry
        for key, entry in catalogue.entries.items()
        if key not in marks and band_of(entry.level) == "error" and catalogue.known(key) is not None
    ]
    others.sort(key=lambda entry: (-entry.last_seen, entry.key))
    told = [_caveat(key, mark, catalogue.entries.get(key)) for key, mark in marked]
    told += [_caveat(entry.key, None, entry) for entry in others if known]
    return Caveats(app=app, caveats=tuple(told), known=len(others))


def marking(context: Context, app: str, given: str, status: Status, why: str) -> MarkCaveat:
    """Raises `BadInput` when `given` names nothing, or nothing that can be marked so."""
    subject = _subject(context, app, given)
    if status == "accepted" and not (subject.has_rate and subject.rate > 0):
        reason = "was not seen lately" if subject.has_rate else "has no rate"
        text = f"Refused: {given[:80]} {reason}, so there is none to accept it at."
        fix = f"noonday caveats mute {app} {given} --reason WHY covers it at any rate"
        raise Refusal(text, rule="no-rate", next_action=fix)
    return MarkCaveat(
        app, subject.key, status, why, subject.rate if status == "accepted" else 0.0, subject.per, subject.cluster,
        subject.level, subject.text,
    )  # fmt: skip


def forgetting(context: Context, app: str, given: str, why: str) -> ForgetCaveat:
    """Raises `BadInput` when `given` is no caveat."""
    marks = context.engine.state.app(app).caveats
    if not marks:
        raise not_found("no-such-caveat", f"{app} has no caveats.", f"noonday findings {app}")
    key = _match(given, marks)
    if key is None:
        near = "; ".join(_named(key, mark.level, mark.text) for key, mark in _nearest(given, marks))
        text = f"{given[:80]!r} is no caveat of {app}; the nearest: {near}."
        raise not_found("no-such-caveat", text, f"noonday caveats list {app}")
    return ForgetCaveat(app, key, why)


def _caveat(key: str, mark: Mark | None, entry: Entry | None) -> CaveatReply:
    about: dict[str, object] = {"key": key, "status": "known"}
    if entry is not None:
        about |= {
            "level": entry.level,
            "text": entry.text,
            "first_seen": entry.first_seen,
            "last_seen": entry.last_seen or None,
            "episodes": entry.episodes,
            "releases": tuple(sorted(entry.releases)),
        }
    if mark is not None:
        about |= {
            "status": mark.status, "rate": mark.rate, "per": mark.per, "by": mark.by, "why": mark.why, "at": mark.at,
            "level": mark.level, "text": mark.text, "cluster": mark.cluster > 0,
        }  # fmt: skip
    return CaveatReply.model_validate(about)


def _subject(context: Context, app: str, given: str) -> _Subject:
    found = _findings(context, app)
    entries = context.catalogue.frozen(app).entries
    key = _match(given, {**entries, **found})
    if key is None:
        raise _unknown(app, given, found, entries)
    if key not in found:
        entry = entries[key]
        rate, per = _rate_lately(context, app, key)
        return _Subject(key, entry.level, entry.text, rate, per)
    return _of_finding(context, app, found[key], entries)


def _findings(context: Context, app: str) -> dict[str, Finding]:
    """By key, the newest rollout's first."""
    found: dict[str, Finding] = {}
    for rollout in newest(context.engine.state, app)[:LOOKED_BACK]:
        for finding in show_rollout.judged(context, rollout).findings:
            found.setdefault(finding.key, finding)
    return found


def _of_finding(context: Context, app: str, finding: Finding, entries: Mapping[str, Entry]) -> _Subject:
    if finding.kind in _NEVER or not finding.unit:
        text = f"Refused: {finding.key} is {_NEVER.get(finding.kind, _NEVER['hard-limit'])}."
        raise Refusal(text, rule="no-caveat", next_action=f"noonday findings {app}")
    entry = entries.get(finding.key)
    together = entry.cluster if entry and finding.unit.startswith("cluster:") else 0
    has_rate = finding.kind not in _HAVE_NO_RATE or finding.unit.startswith(("template:", "cluster:"))
    rate, per = finding.rate_here or finding.rate_there, finding.per
    if finding.unit.startswith("start:"):
        rate, per = _rate_lately(context, app, finding.key)
    elif finding.a_second >= OFTEN and finding.unit.startswith(("template:", "cluster:")):
        rate, per = finding.a_second, _SECOND
    return _Subject(finding.key, finding.level, finding.text, rate, per, together, has_rate)


def _rate_lately(context: Context, app: str, key: str) -> tuple[float, Per]:
    now = context.clock.now()
    windows = tuple(context.windows.between(app, now - LATELY, now))
    hosts = [seen for window in windows for seen in window.hosts.values()]
    episodes = sum(seen.counts.get(key, (0, 0))[1] for seen in hosts)
    seconds = sum(seen.seconds for seen in hosts)
    if not counts_requests(windows) or episodes >= OFTEN * seconds:
        return episodes / seconds if seconds else 0.0, _SECOND
    return episodes / sum(requests_of(seen) for seen in hosts), "request"


def _match(given: str, known: Iterable[str]) -> str | None:
    """The key that is meant: `given` itself, or the only one that begins with it. Raises `BadInput` for one of many."""
    every = set(known)
    if given in every:
        return given
    starts = sorted(key for key in every if key.startswith(given)) if len(given) >= SHORTEST else []
    if len(starts) > 1:
        text = f"{given[:80]!r} may be {', '.join(starts[:5])}."
        raise BadInput(text, rule="ambiguous-key", next_action="write more of the key")
    return starts[0] if starts else None


def _unknown(app: str, given: str, found: Mapping[str, Finding], entries: Mapping[str, Entry]) -> BadInput:
    about: dict[str, Finding | Entry] = {**entries, **found}
    if not about:
        text = f"Nothing was seen of {app} yet, so there is no {given[:80]!r} to mark."
        return not_found("no-such-key", text, f"noonday status, then noonday findings {app}")
    near = "; ".join(_named(key, one.level, one.text) for key, one in _nearest(given, about))
    if len(given) < SHORTEST and any(key.startswith(given) for key in about):
        text = f"{given!r} is too short to stand for a key; the nearest: {near}."
        return not_found("no-such-key", text, f"write its first {SHORTEST} characters or more")
    text = f"{app} has no finding and no kind of record {given[:80]!r}; the nearest: {near}."
    return not_found("no-such-key", text, f"noonday findings {app} says the keys")


def _nearest(given: str, known: Mapping[str, Finding | Entry | Mark]) -> list[tuple[str, Finding | Entry | Mark]]:
    """By key, else by what the record says; errors before others."""
    close = get_close_matches(given, known, 3, 0.6)
    if not close:
        close = sorted(
            known,
            key=lambda key: (-nearness(known[key].text, given), band_of(known[key].level) != "error", key),
        )[:3]
    return [(key, known[key]) for key in close]


def _named(key: str, level: str, text: str) -> str:
    first = text.partition("\n")[0].strip()
    return f"{key} ({level} {first[:60]})" if first else key
