"""The verdict on plain log files: those of an old release against those of a new one, without agent or coordinator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from noonday_coordinator.core.events import Finding, Stage
from noonday_coordinator.core.policy import Policy
from noonday_coordinator.core.state import HostState, InRollout, Rollout
from noonday_coordinator.core.view import Judgement
from noonday_coordinator.replay.alignment import Alignment, align
from noonday_coordinator.replay.arranged import Arranged, arrange
from noonday_coordinator.replay.catalogue_of import catalogue_of, templates_of
from noonday_coordinator.replay.files import look
from noonday_coordinator.replay.little import least_found
from noonday_coordinator.replay.sides import Sample, other_names, sample_of, span_of, windows_of_side
from noonday_coordinator.verdict.protocol import Trial
from noonday_coordinator.verdict.session import RolloutSession
from noonday_coordinator.verdict.window import Window
from noonday_shared.errors import BadInput
from noonday_shared.logs.signature import Signer
from noonday_shared.names import VERSION, ReleaseRef

OLD = ReleaseRef(version="DIR_OLD", digest="0" * 64)
DEFAULT_POLICY = Policy(app="logs", hosts={"any": "host"})
_LEAST_WINDOWS = 3

Verdict = Literal["promote", "roll back", "hold"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """`at`: when it would have gone back, by the new side's own times; None when it would not, or they tell no times.

    `findings`: those at the end, but what was held against the release as it was then. `little`: why a promote would
    mean little, which makes it a hold. `least_found`: requests (else moments) with a new error that would have turned
    it back; None when no number would.
    """

    verdict: Verdict
    reason: str
    at: float | None
    old: Sample
    new: Sample
    alignment: str
    window: float
    history: str
    load: float
    by_requests: bool
    requests: int
    control_requests: int
    findings: tuple[Finding, ...]
    least_found: int | None
    little: tuple[str, ...] = ()


def judge_logs(old: Path, new: Path, policy: Policy | None = None) -> Outcome:
    """Reads each file once to look into it and once to count. Raises `BadInput` for what can't be judged."""
    _apart(old, new)
    sides = (look(old), look(new))
    spans = (span_of(sides[0]), span_of(sides[1]))
    alignment = align(*spans, dated=sides[0].stamped and sides[1].stamped)
    release = _release(new)
    names = other_names(*sides, alignment)
    signer = Signer()
    before = windows_of_side(sides[0], spans[0], alignment.old, OLD, signer=signer, names=names)
    after = windows_of_side(sides[1], spans[1], alignment.new, release, signer=signer, names={})
    arranged = arrange(before, after, alignment, release.id)
    trial = _trial(policy or DEFAULT_POLICY, release, after, arranged, alignment)
    session, story = _judged(trial, arranged.during)
    verdict, reason, at, little = _said(session, story, after)
    return Outcome(
        verdict=verdict,
        reason=reason,
        at=at if sides[1].stamped else None,
        old=sample_of(sides[0], spans[0], before),
        new=sample_of(sides[1], spans[1], after),
        alignment=alignment.words,
        window=alignment.new.step,
        history=arranged.history,
        load=arranged.load,
        by_requests=session.by_requests,
        requests=session.requests,
        control_requests=session.control_requests,
        findings=_findings(story),
        least_found=least_found(session),
        little=little,
    )


def _apart(old: Path, new: Path) -> None:
    one, other = old.resolve(), new.resolve()
    if one == other or one in other.parents or other in one.parents:
        raise BadInput(
            f"{old} and {new} are the same logs, or one lies in the other: there is nothing to compare.",
            rule="same-logs",
            next_action="give two folders: the old release's logs, then the new one's",
        )


def _release(new: Path) -> ReleaseRef:
    """Called like its folder, where that looks like a version."""
    name = new.resolve().name
    version = name if len(name) <= 64 and VERSION.fullmatch(name) and any(map(str.isdigit, name)) else "DIR_NEW"
    return ReleaseRef(version=version, digest="1" * 64)


def _trial(
    policy: Policy,
    release: ReleaseRef,
    new: Sequence[Window],
    arranged: Arranged,
    alignment: Alignment,
) -> Trial:
    hosts = sorted({host for window in new for host in window.hosts})
    rollout = Rollout(
        id="replay",
        app=policy.app,
        kind="deploy",
        release=release,
        previous=OLD,
        policy=policy,
        waves=(tuple(hosts),),
        by="replay",
        started_at=alignment.new.begin,
        hosts={host: InRollout(HostState.SERVING) for host in hosts},
        stage=Stage.EXAMINING,
        stage_since=alignment.new.begin,
    )
    return Trial(rollout, catalogue_of(arranged.known), before=arranged.before)


def _judged(trial: Trial, windows: Sequence[Window]) -> tuple[RolloutSession, list[Judgement]]:
    session = RolloutSession(trial)
    session.learn(templates_of(windows).values())
    story = []
    for window in windows:
        session.advance(window)
        story.append(session.judgement(trial.rollout, {}, window.ends))
    return session, story


def _said(
    session: RolloutSession, story: Sequence[Judgement], new: Sequence[Window]
) -> tuple[Verdict, str, float | None, tuple[str, ...]]:
    """What it comes to: the first roll back, as a release that went back is not judged again; else the last word."""
    for judgement in story:
        if judgement.verdict == "roll back":
            return "roll back", judgement.reason, judgement.at, ()
    last = story[-1]
    little = _little(session, last, new) if last.verdict == "promote" else ()
    if little:
        return "hold", "; ".join(little), None, little
    return last.verdict, last.reason, None, ()


def _little(session: RolloutSession, last: Judgement, new: Sequence[Window]) -> tuple[str, ...]:
    found = []
    told = sum(bool(window.hosts) for window in new)
    if told < _LEAST_WINDOWS:
        found.append("the new logs are too short: a fault must be seen in two windows, and there are hardly more")
    if not session.old_hosts:
        found.append("no line of the old release lies beside the new one's")
    least = session.policy.least_requests
    if session.by_requests and last.requests < least and not last.enough:
        found.append(f"too few requests: {last.requests} of {least} on the new release")
    records = sum(count for window in new for seen in window.hosts.values() for count, _ in seen.counts.values())
    if not session.by_requests and records < least and not last.enough:
        found.append(f"too few lines: {records} records and no requests on the new release, where {least} are wanted")
    if least_found(session) is None:
        found.append("no new error, however frequent, could have been told from chance")
    return tuple(found)


def _findings(story: Sequence[Judgement]) -> tuple[Finding, ...]:
    """The last ones; but what was held against the release at some time, and is no more, as it was then."""
    blamed = {finding.unit or finding.key: finding for one in story for finding in one.findings if finding.blames}
    last = [blamed.pop(finding.unit or finding.key, finding) for finding in story[-1].findings]
    found = [*blamed.values(), *last]
    return tuple(sorted(found, key=lambda one: not one.blames))
