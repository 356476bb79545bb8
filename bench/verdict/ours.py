"""Noonday's verdict on a case, looked at after each window as the engine does."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from bench.verdict.case import Case
from bench.verdict.world import NEW, OLD, on_host
from noonday_coordinator.core.state import AppOnHost
from noonday_coordinator.core.view import Judgement
from noonday_coordinator.verdict.judge import EvidenceJudge

Ending = Literal["rolled back", "too early", "held", "promoted", "undecided"]
NAME = "Noonday"


@dataclass(frozen=True, slots=True)
class Outcome:
    """`seconds`: from the onset to the rollback, infinite without one; "too early" is one before the onset.
    `cpu`: seconds of the judging alone."""

    ending: Ending
    seconds: float = math.inf
    reason: str = ""
    cpu: float = 0.0


def turned_back(case: Case, at: float, reason: str = "") -> Outcome:
    seconds = at - case.start - case.onset
    return Outcome("rolled back" if seconds > 0 else "too early", seconds, reason)


def judge(case: Case) -> Outcome:
    began = time.process_time()
    outcome = _judge(case)
    return replace(outcome, cpu=time.process_time() - began)


def _judge(case: Case) -> Outcome:
    rollout = case.trial.rollout
    session = EvidenceJudge().open(case.trial)
    restarts = 0
    last = None
    for window in case.windows:
        session.advance(window)
        here = case.here(window)
        restarts += here.restarts if here else 0
        last = session.judgement(rollout, _hosts(case, restarts), window.ends)
        if last.verdict == "roll back":
            return turned_back(case, window.ends, last.reason)
    return _at_the_end(case, last) if last else Outcome("undecided")


def _at_the_end(case: Case, last: Judgement) -> Outcome:
    if last.verdict == "hold":
        return Outcome("held", reason=last.reason)
    enough = last.enough or last.requests >= case.trial.rollout.policy.least_requests
    return Outcome("promoted" if enough else "undecided", reason=last.reason)


def _hosts(case: Case, restarts: int) -> Mapping[str, AppOnHost]:
    """What the agents' reports say at the same time."""
    found = {}
    for name in case.trial.rollout.members:
        one = on_host(NEW if name == case.canary else OLD)
        if name == case.canary and one.report is not None:
            one = replace(one, report=replace(one.report, restarts=restarts))
        found[name] = one
    return found
