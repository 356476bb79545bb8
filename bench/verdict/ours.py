"""Noonday's verdict on a case, looked at after each window as the engine does."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from bench.verdict.case import Case
from bench.verdict.world import NEW, OLD, on_host
from noonday_coordinator.core.examine import enough
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
    longer: float = 0.0
    """Seconds by which the examine went on beyond its time."""


def turned_back(case: Case, at: float, reason: str = "") -> Outcome:
    seconds = at - case.start - case.onset
    return Outcome("rolled back" if seconds > 0 else "too early", seconds, reason)


def judge(case: Case) -> Outcome:
    began = time.process_time()
    outcome, until = _judge(case)
    longer = max(until - case.windows[-1].ends, 0.0)
    return replace(outcome, cpu=time.process_time() - began, longer=longer)


def _judge(case: Case) -> tuple[Outcome, float]:
    """With the instant at which it ended."""
    rollout = case.trial.rollout
    session = EvidenceJudge().open(case.trial)
    restarts = 0
    last = None
    for window in (*case.windows, *case.longer):
        if last and window.ends > case.windows[-1].ends and not _goes_on(case, last):
            break
        session.advance(window)
        here = case.here(window)
        restarts += here.restarts if here else 0
        last = session.judgement(rollout, _hosts(case, restarts), window.ends)
        if last.verdict == "roll back":
            return turned_back(case, window.ends, last.reason), window.ends
    return (_at_the_end(case, last), last.at) if last else (Outcome("undecided"), case.start)


def _goes_on(case: Case, last: Judgement) -> bool:
    """As the engine does: on hold, in doubt, and on few requests it examines for longer."""
    return last.verdict == "hold" or bool(last.doubt) or not enough(case.trial.rollout, last)


def _at_the_end(case: Case, last: Judgement) -> Outcome:
    if last.verdict == "hold":
        return Outcome("held", reason=last.reason)
    ending: Ending = "promoted" if enough(case.trial.rollout, last) else "undecided"
    return Outcome(ending, reason=last.reason)


def _hosts(case: Case, restarts: int) -> Mapping[str, AppOnHost]:
    """What the agents' reports say at the same time."""
    found = {}
    for name in case.trial.rollout.members:
        one = on_host(NEW if name == case.canary else OLD)
        if name == case.canary and one.report is not None:
            one = replace(one, report=replace(one.report, restarts=restarts))
        found[name] = one
    return found
