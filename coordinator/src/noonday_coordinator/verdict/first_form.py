"""The verdict's first form: hard limits, and error signatures that are new with the new release. Pure."""

from __future__ import annotations

from typing import Literal

from noonday_coordinator.core.events import Finding
from noonday_coordinator.core.view import Judgement
from noonday_coordinator.verdict.limits import broken_limits
from noonday_coordinator.verdict.protocol import Case
from noonday_coordinator.verdict.signatures import signature_findings

Verdict = Literal["promote", "roll back", "hold"]


class FirstForm:
    def judge(self, case: Case) -> Judgement:
        """Roll back for what is held against the release, hold for what a person should look at, else promote."""
        findings = (*broken_limits(case), *signature_findings(case))
        verdict, reason = _verdict(case, findings)
        return Judgement(
            verdict=verdict,
            reason=reason,
            requests=sum(evidence.requests for evidence in case.new.values()),
            control_requests=sum(evidence.requests for evidence in case.old.values()),
            findings=findings,
            at=case.now,
        )


def _verdict(case: Case, findings: tuple[Finding, ...]) -> tuple[Verdict, str]:
    blamed = [finding for finding in findings if finding.blames]
    if blamed:
        return "roll back", "; ".join(finding.words for finding in blamed[:3])
    open_questions = [finding for finding in findings if finding.kind in ("new-error", "shared-trouble")]
    if open_questions:
        return "hold", "; ".join(finding.words for finding in open_questions[:3])
    if not case.new:
        return "hold", "no evidence has arrived from the new release yet"
    known = sum(finding.kind == "known-error" for finding in findings)
    seen = f"; {known} error{'s' if known != 1 else ''} known from the old release" if known else ""
    return "promote", f"nothing is new with {case.rollout.release}{seen}"
