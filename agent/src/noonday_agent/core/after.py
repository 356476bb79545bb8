"""`after`: the journal once a stage was executed. Deadlines are judged here, on instants kept in the journal. Pure."""

from __future__ import annotations

from dataclasses import replace

from noonday_agent.core.journal import ONCE, Attempt, Journal, Stage, Way
from noonday_agent.core.limits import Limits
from noonday_agent.core.result import Again, Done, Failed, Result, Unreachable, Wrong
from noonday_agent.core.ways import arrive, finish, move, next_stage, turn_back
from noonday_shared.errors import Trouble
from noonday_shared.messages import Outcome

WAITS = {
    Stage.DRAIN: "the load balancer to take the server out",
    Stage.WAIT_IDLE: "requests under way to end",
    Stage.SWITCH: "the process manager to answer",
    Stage.RESTART: "the process manager to answer",
    Stage.PROVE: "the new code to be seen running",
    Stage.WARM_UP: "the app to be healthy",
    Stage.CONFIRM: "the load balancer to report the server in service",
}
"""What each stage that may answer `Again` waits for."""

_BY_CHOICE = (Way.FORWARD, Way.RENEW)
"""Ways of a host that serves well: until its restart it loses nothing by staying as it is."""


def about_to(journal: Journal) -> Journal:
    """The journal to keep before the stage is executed: a stage with an effect that must not repeat is marked."""
    attempt = journal.attempt
    if attempt is None or attempt.begun or attempt.stage not in ONCE | {Stage.SWITCH}:
        return journal
    moving = attempt.stage is Stage.SWITCH
    marked = replace(attempt, begun=True, switched=attempt.switched or moving)
    return replace(journal, attempt=marked, moved=journal.moved or moving)


def after(journal: Journal, result: Result, limits: Limits, now: float) -> Journal:
    """The journal after the present stage gave `result` at `now`."""
    attempt = journal.attempt
    if attempt is None:
        return journal
    match result:
        case Done(processes):
            if attempt.stage is Stage.WAIT_IDLE and attempt.way is Way.STRANDED:
                attempt = replace(attempt, let_in=0)  # it obeys, and may forget again before a restart that is far off
            return _next(journal, replace(attempt, before_restart=processes or attempt.before_restart), now)
        case Again(_, trouble, good):
            return _again(journal, attempt, limits, now, trouble, good=good)
        case Wrong(trouble):
            if now - attempt.stage_since >= limits.settle_within and attempt.way is not Way.STRANDED:
                return turn_back(_timed(journal, attempt, now), attempt, trouble, now)
            return _again(journal, attempt, limits, now, trouble)
        case Unreachable(trouble, _, others_out):
            if attempt.stage in (Stage.RETURN, Stage.CONFIRM):
                return _waiting(journal, attempt, trouble)  # giving up would leave a good app out
            if others_out and now - attempt.stage_since >= limits.of(attempt.stage):
                return _next(journal, attempt, now)  # it was told before; the time for its requests is still to come
            return _again(journal, attempt, limits, now, trouble)
        case Failed(trouble, changed):
            return _failed(journal, attempt, trouble, now, changed=changed)


def _next(journal: Journal, attempt: Attempt, now: float) -> Journal:
    journal = _timed(journal, attempt, now)
    attempt = _ordered(attempt)
    if attempt.stage is Stage.DRAIN:
        attempt = replace(attempt, out_since=attempt.out_since or now, told=True)
    if attempt.stage is Stage.PROVE:
        journal = replace(journal, moved=False)
    if attempt.stage is Stage.RETURN:
        journal = replace(journal, out_by_us=False)
    if attempt.stage is Stage.CONFIRM and attempt.out_since:
        journal = replace(journal, seconds_out=journal.seconds_out + now - attempt.out_since)
        attempt = replace(attempt, out_since=0.0)
    journal = replace(journal, attempt=attempt)
    stage = next_stage(attempt)
    return move(journal, attempt, stage, now) if stage else arrive(journal, attempt)


def _again(
    journal: Journal, attempt: Attempt, limits: Limits, now: float, trouble: Trouble | None, *, good: bool = False
) -> Journal:
    count = attempt.good + 1 if good else 0
    if attempt.stage is Stage.WARM_UP and count >= limits.successes:
        return _next(journal, attempt, now)
    if good:
        return _waiting(journal, replace(attempt, good=count), None)  # too late to be turned back: it is almost there
    waited = now - attempt.stage_since
    if _overdue(journal, attempt, now):
        return turn_back(_timed(journal, attempt, now), attempt, _late(attempt, now - attempt.started_at, trouble), now)
    for_ever = attempt.way is Way.STRANDED and attempt.stage is not Stage.WAIT_IDLE
    if waited < limits.of(attempt.stage) or for_ever:
        return _waiting(journal, replace(attempt, good=0), trouble)
    if attempt.stage is Stage.WAIT_IDLE and (limits.on_busy == "proceed" or attempt.way not in _BY_CHOICE):
        return _next(journal, attempt, now)
    return turn_back(_timed(journal, attempt, now), attempt, _late(attempt, waited, trouble), now)


def _overdue(journal: Journal, attempt: Attempt, now: float) -> bool:
    """Whether the time that the assignment gives to the whole attempt is over."""
    assignment = journal.assignment
    return attempt.way is Way.FORWARD and assignment is not None and now - attempt.started_at >= assignment.deadline


def _waiting(journal: Journal, attempt: Attempt, trouble: Trouble | None) -> Journal:
    return replace(journal, attempt=replace(attempt, trouble=trouble))


def _failed(journal: Journal, attempt: Attempt, trouble: Trouble, now: float, *, changed: bool) -> Journal:
    journal = _timed(journal, attempt, now)
    if attempt.stage is Stage.RETURN:
        return _waiting(journal, attempt, trouble)  # nothing better is known than to try again
    if attempt.stage is Stage.DRAIN and not changed and attempt.way in (*_BY_CHOICE, Way.LEAVE):
        return finish(replace(journal, out_by_us=attempt.was_out), Outcome.FAILED, trouble)
    if attempt.stage is Stage.SWITCH and not changed and attempt.way in _BY_CHOICE:
        attempt = replace(attempt, switched=False)
    return turn_back(journal, _ordered(attempt), trouble, now)


def _ordered(attempt: Attempt) -> Attempt:
    """The way back orders one restart, whatever becomes of it."""
    back = attempt.way in (Way.BACK, Way.STRANDED)
    return replace(attempt, home=True) if back and attempt.stage is Stage.RESTART else attempt


def _late(attempt: Attempt, waited: float, trouble: Trouble | None) -> Trouble:
    what = WAITS.get(attempt.stage, f"the step {attempt.stage}")
    last = f" Last seen: {trouble.text}" if trouble else ""
    text = f"Waited {waited:.0f} s for {what}, in vain.{last}"
    mend = trouble.next_action if trouble else ""
    return Trouble("deadline", attempt.stage, text, mend or "noonday logs, noonday hosts")


def _timed(journal: Journal, attempt: Attempt, now: float) -> Journal:
    if attempt.way is Way.STRANDED:
        return journal  # it goes round for as long as the app is not well, and each round would be news
    name = f"back:{attempt.stage}" if attempt.way is Way.BACK else str(attempt.stage)
    spent = journal.timings.get(name, 0.0) + now - attempt.stage_since
    return replace(journal, timings={**journal.timings, name: round(spent, 4)})
