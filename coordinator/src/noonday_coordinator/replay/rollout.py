"""A rollout judged once more, over what the coordinator kept of it: the same, bit for bit, or by another policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from noonday_coordinator.core.events import Record, Stage, VerdictReached
from noonday_coordinator.core.policy import Policy
from noonday_coordinator.core.view import Judgement
from noonday_coordinator.replay.reports import Reports
from noonday_coordinator.verdict.protocol import Trial
from noonday_coordinator.verdict.session import RolloutSession
from noonday_coordinator.verdict.window import Window

_JUDGED = (Stage.ROLLING, Stage.EXAMINING, Stage.GATE)

Verdict = Literal["promote", "roll back", "hold"]


@dataclass(frozen=True, slots=True)
class Change:
    """From this instant on the evidence said so."""

    at: float
    verdict: Verdict
    reason: str


@dataclass(frozen=True, slots=True)
class Kept:
    """A verdict of the event log, and what the evidence says of it again. `differs`: what is not the same, in words."""

    at: float
    verdict: Verdict
    reason: str
    again: Verdict
    again_reason: str
    differs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Replayed:
    """`verdict`: the first roll back, else the last word. `last`: the judgement that it comes from. `kept`: none under
    another policy. `until`: the end of the last window that was judged."""

    verdict: Verdict
    last: Judgement
    changes: tuple[Change, ...]
    kept: tuple[Kept, ...]
    windows: int
    until: float

    @property
    def same(self) -> bool:
        return not any(one.differs for one in self.kept)


def replay_rollout(
    trial: Trial, windows: Sequence[Window], records: Sequence[Record], policy: Policy | None = None
) -> Replayed:
    """`windows`: all of the rollout; `records`: the whole event log. Pure; the same arguments give the same answer."""
    reports = Reports(records, trial.rollout.id)
    if policy is not None:
        trial = replace(trial, rollout=replace(trial.rollout, policy=policy))
    session = RolloutSession(trial)
    verdicts = [] if policy else _verdicts(records, trial.rollout.id)
    kept: list[Kept] = []
    story: list[Judgement] = []
    for number, window in enumerate(windows):
        session.advance(window)
        until = windows[number + 1].ends if number + 1 < len(windows) else None
        if (judgement := _judge(session, reports, window.ends, policy)) is not None:
            story.append(judgement)
        while verdicts and (until is None or verdicts[0][1].judged_at < until):
            record, verdict = verdicts.pop(0)
            again = _judge(session, reports, verdict.judged_at, policy, before=record.seq)
            kept.append(_compared(record, verdict, again))
    kept += [_compared(record, verdict, None) for record, verdict in verdicts]
    return _told(session, story, tuple(kept), trial)


def _verdicts(records: Sequence[Record], rollout: str) -> list[tuple[Record, VerdictReached]]:
    """Those that came from evidence."""
    return [
        (record, record.event)
        for record in records
        if isinstance(record.event, VerdictReached) and record.event.rollout == rollout and record.event.judged_at
    ]


def _judge(
    session: RolloutSession, reports: Reports, now: float, policy: Policy | None, *, before: int | None = None
) -> Judgement | None:
    seen = reports.at(now, before=before)
    if seen is None or seen[0].stage not in _JUDGED:
        return None
    rollout, hosts = seen
    return session.judgement(replace(rollout, policy=policy) if policy else rollout, hosts, now)


def _compared(record: Record, verdict: VerdictReached, again: Judgement | None) -> Kept:
    if again is None:
        lost = ("no window is left that it could have been judged by",)
        return Kept(record.at, verdict.verdict, verdict.reason, "hold", "", lost)
    differs = []
    if again.requests != verdict.requests:
        differs.append(f"{verdict.requests} requests then, {again.requests} now")
    if again.findings != verdict.findings:
        differs.append(_difference(verdict, again))
    return Kept(record.at, verdict.verdict, verdict.reason, again.verdict, again.reason, tuple(differs))


def _difference(then: VerdictReached, now: Judgement) -> str:
    """The first finding that is not the same."""
    for one, other in zip(then.findings, now.findings, strict=False):
        if one != other:
            return f"then '{one.words}' (E {one.e!r}), now '{other.words}' (E {other.e!r})"
    return f"{len(then.findings)} findings then, {len(now.findings)} now"


def _told(session: RolloutSession, story: Sequence[Judgement], kept: tuple[Kept, ...], trial: Trial) -> Replayed:
    nothing = Judgement("hold", "no window of the rollout was judged", at=trial.rollout.started_at)
    changes: list[Change] = []
    for one in story:
        if not changes or changes[-1].verdict != one.verdict:
            changes.append(Change(one.at, one.verdict, one.reason))
    last = next((one for one in story if one.verdict == "roll back"), story[-1] if story else nothing)
    until = story[-1].at if story else trial.rollout.started_at
    return Replayed(last.verdict, last, tuple(changes), kept, session.windows, until)
