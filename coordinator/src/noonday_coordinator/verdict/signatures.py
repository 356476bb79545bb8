"""Error signatures on the new release: new with it, or known from the old one. Pure."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from noonday_coordinator.core.events import Finding
from noonday_coordinator.verdict.protocol import Case
from noonday_shared.messages import Evidence, SignatureCount

MOST_ELSEWHERE = 10


class Arm(NamedTuple):
    """One signature on the hosts of one arm: those with the new release, or those with an old one."""

    sample: SignatureCount
    counts: dict[str, int]
    samples: tuple[str, ...]

    @property
    def total(self) -> int:
        return sum(self.counts.values())


def signature_findings(case: Case) -> tuple[Finding, ...]:
    """One finding for each error signature that new-release hosts show: blamed ones first, then by count.

    Last, at most `MOST_ELSEWHERE` that only old hosts show now: a person who looks wants to know them as known.
    """
    ours, others = _arms(case.new), _arms(case.old)
    findings = [_finding(case, key, arm) for key, arm in ours.items()]
    findings.sort(key=lambda found: (not found.blames, found.kind, -sum(found.counts.values())))
    elsewhere = sorted((arm for key, arm in others.items() if key not in ours), key=lambda arm: -arm.total)
    return (*findings, *(_elsewhere(arm) for arm in elsewhere[:MOST_ELSEWHERE]))


def _elsewhere(arm: Arm) -> Finding:
    signature = arm.sample
    words = (
        f"{signature.level} known, '{_headline(signature.text)}': only the old release shows it now, "
        f"{_records(arm.total)} on {_list(arm.counts)}"
    )
    return Finding(
        key=signature.key,
        kind="known-error",
        blames=False,
        words=words,
        level=signature.level,
        text=signature.text,
        counts=arm.counts,
        first_seen=signature.first_seen,
        samples=arm.samples,
    )


def _arms(evidence_by_host: Mapping[str, Evidence]) -> dict[str, Arm]:
    arms: dict[str, Arm] = {}
    for host, evidence in sorted(evidence_by_host.items()):
        for signature in evidence.signatures:
            if not signature.count:
                continue
            known = arms.get(signature.key, Arm(signature, {}, ()))
            samples = (*known.samples, *signature.samples)[:3]
            arms[signature.key] = Arm(known.sample, {**known.counts, host: signature.count}, samples)
    return arms


def _finding(case: Case, key: str, arm: Arm) -> Finding:
    known = _known_words(case, key)
    release = case.rollout.release
    where = f"{_records(arm.total)} on {_list(arm.counts)}"
    what = f"'{_headline(arm.sample.text)}'"
    if known:
        kind, blames = "known-error", False
        words = f"{arm.sample.level} known, {what}: {where}; {known}"
    elif not _comparable(case):
        kind, blames = "new-error", False
        words = f"{arm.sample.level} on {release}, {what}: {where}; no old server and no history to compare it with"
    else:
        kind, blames = "new-error", arm.total >= case.rollout.policy.least_new_errors
        rare = "" if blames else f" (fewer than {case.rollout.policy.least_new_errors}, so a person looks)"
        words = f"{arm.sample.level} new with {release}, {what}: {where}, {_never(case)}{rare}"
    return Finding(
        key=key,
        kind="known-error" if kind == "known-error" else "new-error",
        blames=blames,
        words=words,
        level=arm.sample.level,
        text=arm.sample.text,
        counts=arm.counts,
        first_seen=arm.sample.first_seen,
        samples=arm.samples,
    )


def _known_words(case: Case, key: str) -> str:
    """Where the old release shows it too, now or in the kept history; empty when it is new."""
    now = [host for host, evidence in sorted(case.old.items()) if _shows(evidence.signatures, key)]
    if now:
        return f"the old release shows it too, on {_list(now)}"
    history = case.known.get(key)
    before = history.releases - _untrusted(case) if history else frozenset()
    if history and before:
        return f"{_list(sorted(before))} showed it before, last at {_clock(history.last_seen)}"
    return ""


def _untrusted(case: Case) -> set[str]:
    """Releases whose errors are not an excuse: this one, and those that never completed a rollout."""
    current = case.app.current
    never_good = {one.ref.id for one in case.app.releases.values() if not one.good and one.ref != current}
    return never_good | {case.rollout.release.id}


def _comparable(case: Case) -> bool:
    """Whether anything of an old release was ever read: with nothing to compare, everything looks new."""
    untrusted = _untrusted(case)
    return any(one.records for one in case.old.values()) or any(
        known.releases - untrusted for known in case.known.values()
    )


def _records(count: int) -> str:
    return f"{count} record{'s' if count != 1 else ''}"


def _headline(text: str) -> str:
    first = text.partition("\n")[0].strip()
    return first if len(first) <= 90 else f"{first[:89]}…"


def _never(case: Case) -> str:
    old = f"never on {len(case.old)} old server{'s' if len(case.old) != 1 else ''}"
    return f"{old}, nor in the kept history" if case.old else "never in the kept history"


def _shows(signatures: Iterable[SignatureCount], key: str) -> bool:
    return any(signature.key == key and signature.count for signature in signatures)


def _clock(instant: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(instant)) + " UTC"


def _list(names: Iterable[str]) -> str:
    return ", ".join(names)
