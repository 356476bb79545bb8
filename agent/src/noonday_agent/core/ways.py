"""Which stages each way goes through, and the moves from one to the next. Pure."""

from __future__ import annotations

from dataclasses import replace

from noonday_agent.core.journal import Attempt, Journal, Stage, Way
from noonday_shared.errors import Trouble
from noonday_shared.messages import Assignment, Goal, Outcome

_ARRIVE = (Stage.PROVE, Stage.WARM_UP, Stage.RETURN, Stage.CONFIRM)

STAGES: dict[Way, tuple[Stage, ...]] = {
    Way.PREPARE: (Stage.PREPARE,),
    Way.FORWARD: tuple(Stage),
    Way.ADOPT: _ARRIVE,
    Way.LEAVE: (Stage.DRAIN, Stage.WAIT_IDLE),
    Way.RESUME: (Stage.WARM_UP, Stage.RETURN, Stage.CONFIRM),
    Way.RENEW: (Stage.DRAIN, Stage.WAIT_IDLE, Stage.SWITCH, Stage.RESTART, *_ARRIVE),
    Way.BACK: (Stage.DRAIN, Stage.WAIT_IDLE, Stage.SWITCH, Stage.RESTART, *_ARRIVE),
    Way.STRANDED: (Stage.DRAIN, Stage.WAIT_IDLE, Stage.SWITCH, Stage.RESTART, *_ARRIVE),
}


def next_stage(attempt: Attempt) -> Stage | None:
    """What comes after the present stage; None when the way ends here."""
    stages = STAGES[attempt.way]
    at = stages.index(attempt.stage) + 1
    if attempt.way is Way.STRANDED and attempt.home and attempt.stage is Stage.DRAIN:
        return Stage.PROVE
    return stages[at] if at < len(stages) else None


def begin(
    journal: Journal,
    assignment: Assignment,
    way: Way,
    stage: Stage,
    now: float,
    *,
    previous: str = "",
    was_in: bool = False,
) -> Journal:
    """A new attempt for `assignment`."""
    attempt = Attempt(
        way=way,
        generation=assignment.generation,
        stage=stage,
        started_at=now,
        stage_since=now,
        target=assignment.release,
        previous=previous,
        was_out=journal.out_by_us,
        was_in=was_in,
    )
    fresh = replace(journal, attempt=attempt, trouble=None, timings={}, seconds_out=0.0, keep_out=False)
    return move(fresh, attempt, stage, now)


def move(journal: Journal, attempt: Attempt, stage: Stage, now: float) -> Journal:
    """The attempt enters `stage`. From DRAIN on the journal says that we took the app out, also if we die in it."""
    if stage is Stage.RETURN and _wanted_out(journal, attempt):
        return finish(journal, Outcome.REVERTED)  # as well as it can be; what it was told since has its turn
    told = attempt.told and stage is not Stage.RETURN
    moved = replace(attempt, stage=stage, stage_since=now, begun=False, trouble=None, good=0, told=told)
    return replace(journal, attempt=moved, out_by_us=journal.out_by_us or stage is Stage.DRAIN)


def _wanted_out(journal: Journal, attempt: Attempt) -> bool:
    """Whether an operator drained the host since the attempt began: it is not let in even for a moment."""
    assignment = journal.assignment
    return assignment is not None and assignment.goal is Goal.OUT and assignment.generation != attempt.generation


def turn_back(journal: Journal, attempt: Attempt, why: Trouble, now: float) -> Journal:
    """The way from a failure to a safe end: the shortest that leaves a healthy release in service."""
    attempt = replace(attempt, let_in=0)
    match attempt.way:
        case Way.PREPARE:
            return finish(journal, Outcome.FAILED, why)
        case Way.BACK | Way.STRANDED | Way.RESUME:
            return _strand(journal, attempt, why, now)
        case Way.ADOPT if attempt.stage in (Stage.PROVE, Stage.WARM_UP) and _is_to_stay(journal):
            return finish(journal, Outcome.FAILED, why)
        case Way.ADOPT if attempt.stage in (Stage.PROVE, Stage.WARM_UP):
            return move(journal, replace(attempt, way=Way.FORWARD, adopted=True), Stage.PRE_ACTIVATE, now)
        case Way.ADOPT:
            return _strand(journal, attempt, why, now)
        case Way.FORWARD if attempt.stage in (Stage.PREPARE, Stage.PRE_ACTIVATE):
            return finish(journal, Outcome.FAILED, why)
        case Way.RENEW if attempt.switched:
            return _strand(journal, attempt, why, now)  # there is no other release that would be better
        case Way.FORWARD | Way.LEAVE | Way.RENEW:
            back = replace(attempt, way=Way.BACK, why=why, perhaps_restarted=False)
            return _go_back(journal, back, why, now)


def _is_to_stay(journal: Journal) -> bool:
    """Whether it is in service and nobody made room for it to leave."""
    return journal.assignment is not None and journal.assignment.stay and not journal.out_by_us


def finish(journal: Journal, outcome: Outcome, trouble: Trouble | None = None) -> Journal:
    """No attempt any more. The outcome counts only for the assignment that the attempt was made for."""
    attempt, assignment = journal.attempt, journal.assignment
    ended = replace(journal, attempt=None)
    if attempt and assignment and attempt.generation != assignment.generation:
        return ended
    return replace(ended, outcome=outcome, trouble=trouble)


def arrive(journal: Journal, attempt: Attempt) -> Journal:
    """The last stage of the attempt's way is done."""
    match attempt.way:
        case Way.PREPARE | Way.LEAVE | Way.RESUME:
            return finish(journal, Outcome.DONE)
        case Way.FORWARD | Way.ADOPT | Way.RENEW:
            return finish(replace(journal, proven=attempt.target), Outcome.DONE)
        case Way.BACK:
            return finish(journal, Outcome.REVERTED if attempt.switched else Outcome.FAILED, attempt.why)
        case Way.STRANDED:
            assignment = journal.assignment
            wanted = assignment.release.id if assignment and assignment.release else ""
            there = assignment is not None and assignment.goal is Goal.SERVING and wanted == attempt.destination
            return finish(journal, Outcome.DONE if there else Outcome.REVERTED, None if there else attempt.why)


def _go_back(journal: Journal, attempt: Attempt, why: Trouble, now: float) -> Journal:
    if not attempt.switched:
        if attempt.was_out or not (attempt.previous or attempt.adopted or attempt.was_in):
            return finish(journal, Outcome.FAILED, why)  # out, as before: there may be nothing that could be let in
        return move(journal, attempt, Stage.RETURN, now)
    if attempt.previous:
        return move(journal, attempt, Stage.DRAIN, now)
    if attempt.target is not None and (attempt.adopted or attempt.target == journal.proven):
        # It was here before: its restart is behind it, and it is let in as soon as it is well again.
        return _strand(journal, replace(attempt, previous=attempt.target.id, home=True), why, now)
    text = f"{why.text} There is no previous release to go back to, so the host stays out of the load balancer."
    trouble = Trouble(why.rule, why.step, text, why.next_action or "mend the release and deploy it again")
    return finish(replace(journal, keep_out=True, out_by_us=True), Outcome.FAILED, trouble)


def _strand(journal: Journal, attempt: Attempt, why: Trouble, now: float) -> Journal:
    """Out, and what is there is not well. It is looked at for ever; the outcome is told at once."""
    if attempt.way is Way.STRANDED:
        return move(journal, attempt, Stage.DRAIN, now)
    first = f" Before that: {attempt.why.text}" if attempt.why else ""
    text = f"The host stays out of the load balancer: {why.text}{first} It returns by itself once the app is well."
    trouble = Trouble("stranded", why.step, text, why.next_action or "mend the app, see its log; then noonday hosts")
    if attempt.way is not Way.BACK or not attempt.switched:
        return finish(replace(journal, out_by_us=True), Outcome.FAILED, trouble)  # `reconcile` looks at what is live
    before = attempt.before_restart if attempt.perhaps_restarted else ()
    stranded = replace(attempt, way=Way.STRANDED, why=trouble, before_restart=before)
    moved = move(journal, stranded, Stage.DRAIN, now)
    assignment = journal.assignment
    if assignment and assignment.generation != attempt.generation:
        return moved
    return replace(moved, outcome=Outcome.FAILED, trouble=trouble)
