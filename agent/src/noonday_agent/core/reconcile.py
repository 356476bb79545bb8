"""`reconcile`: what the host should be, what it remembers and what it sees, to the next thing to do. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from noonday_agent.core.hold import drained_anew
from noonday_agent.core.journal import HOOKS, Attempt, Journal, Stage, Way
from noonday_agent.core.ways import begin, finish, turn_back
from noonday_shared.errors import Trouble
from noonday_shared.messages import Assignment, Goal, Outcome


@dataclass(frozen=True, slots=True)
class Facts:
    """What the disk says: ids of releases that are unpacked whole, and what `current` points to ('' for nothing)."""

    prepared: frozenset[str] = frozenset()
    live: str = ""
    in_service: bool | None = None
    """Whether all load balancers send to it; None where nobody asked them, or one could not be asked."""
    lets_in: bool | None = None
    """Whether one of them does; None as above."""


def must_ask(journal: Journal) -> bool:
    """Whether `reconcile` needs to know what the load balancers say."""
    attempt, assignment = journal.attempt, journal.assignment
    if assignment is None:
        return False
    if attempt is None:
        return journal.outcome is Outcome.WORKING or _left_in_doubt(journal, assignment)
    return attempt.generation != assignment.generation and attempt.way not in (Way.FORWARD, Way.BACK)


def reconcile(journal: Journal, facts: Facts, now: float) -> Journal:
    """The journal with the attempt that should be under way; `journal.attempt.stage` is the next thing to do.

    No attempt means that there is nothing to do. Repeating it without a change of facts changes nothing.
    """
    if journal.attempt is not None:
        return _superseded(journal, journal.attempt, facts, now)
    assignment = journal.assignment
    if assignment is None:
        return journal
    if _left_in_doubt(journal, assignment) and facts.lets_in is False:
        again = begin(journal, assignment, Way.LEAVE, Stage.DRAIN, now)
        return replace(again, trouble=journal.trouble)
    if journal.outcome is not Outcome.WORKING:
        return _watched(journal, assignment, facts, now)
    match assignment.goal:
        case Goal.PREPARED:
            return _prepare(journal, assignment, facts, now)
        case Goal.OUT:
            return begin(journal, assignment, Way.LEAVE, Stage.DRAIN, now)
        case Goal.SERVING:
            return _serve(journal, assignment, facts, now)


def recover(journal: Journal, now: float, *, has_hook: bool) -> Journal:
    """The journal as an agent that just started should read it: a hook that was under way is never run twice, what
    the present stage waits for gets its time anew, since nobody looked meanwhile, and before a restart the app is
    drained once more.

    `has_hook`: whether the release has one for the present stage. Where it has none, nothing was under way.
    """
    attempt = journal.attempt
    if attempt is None:
        return journal
    if not attempt.begun or attempt.stage not in HOOKS or not has_hook:
        # A clock that was put back while no agent looked must not give the whole attempt more time than it has.
        known = replace(attempt, stage_since=now, started_at=min(attempt.started_at, now))
        return drained_anew(replace(journal, attempt=known), now)
    text = f"The agent died while the hook {attempt.stage} ran, so how it ended is not known; it is not run twice."
    trouble = Trouble("hook-interrupted", attempt.stage, text, "look at what the hook did, then deploy again")
    return turn_back(journal, attempt, trouble, now)


def clock_set(journal: Journal, by: float) -> Journal:
    """The host's clock was set `by` so many seconds: what the attempt waits for takes neither longer nor shorter."""
    attempt = journal.attempt
    if attempt is None:
        return journal
    moved = replace(
        attempt,
        started_at=attempt.started_at + by,
        stage_since=attempt.stage_since + by,
        out_since=attempt.out_since + by if attempt.out_since else 0.0,
    )
    return replace(journal, attempt=moved)


def _superseded(journal: Journal, attempt: Attempt, facts: Facts, now: float) -> Journal:
    """A newer assignment may want the same, which goes on under its number, or something else, which turns it back."""
    assignment = journal.assignment
    if assignment is None or assignment.generation == attempt.generation:
        return journal
    if _wants(assignment, attempt):
        return replace(journal, attempt=replace(attempt, generation=assignment.generation))
    match attempt.way:
        case Way.BACK:
            return journal  # it reaches a safe end first, then the newer assignment has its turn
        case Way.FORWARD:
            text = f"Generation {assignment.generation} asks for something else, so this attempt goes back."
            return turn_back(journal, attempt, Trouble("superseded", attempt.stage, text), now)
        case _:
            # The other ways change nothing but the load balancer, and `out_by_us` remembers that.
            return reconcile(replace(journal, attempt=None), facts, now)


def _wants(assignment: Assignment, attempt: Attempt) -> bool:
    match attempt.way:
        case Way.FORWARD | Way.ADOPT | Way.RENEW:
            return assignment.goal is Goal.SERVING and assignment.release == attempt.target
        case Way.PREPARE:
            return assignment.goal is Goal.PREPARED and assignment.release == attempt.target
        case Way.LEAVE:
            return assignment.goal is Goal.OUT
        case Way.RESUME | Way.BACK | Way.STRANDED:
            return False


def _left_in_doubt(journal: Journal, assignment: Assignment) -> bool:
    """Whether it was to leave, and that failed: a load balancer could not be told in time. It is told since, each time
    it lets the app in; once all of them say that they send nothing, leaving is tried once more, and ends well."""
    return assignment.goal is Goal.OUT and journal.outcome is Outcome.FAILED and journal.out_by_us


def _watched(journal: Journal, assignment: Assignment, facts: Facts, now: float) -> Journal:
    """A host that ended out of the load balancer without being asked to goes to what was last proven on it, or else to
    what is there, once that is well."""
    if not journal.out_by_us or journal.keep_out or assignment.goal is Goal.OUT or not facts.live:
        return journal
    safe = _proven(journal, facts) or facts.live
    watching = begin(journal, assignment, Way.STRANDED, Stage.DRAIN, now, previous=safe)
    home = safe == facts.live and not journal.moved
    attempt = replace(watching.attempt, why=journal.trouble, home=home) if watching.attempt else None
    return replace(watching, attempt=attempt, trouble=journal.trouble)


def _prepare(journal: Journal, assignment: Assignment, facts: Facts, now: float) -> Journal:
    if assignment.release and assignment.release.id in facts.prepared:
        return finish(journal, Outcome.DONE)
    return begin(journal, assignment, Way.PREPARE, Stage.PREPARE, now)


def _serve(journal: Journal, assignment: Assignment, facts: Facts, now: float) -> Journal:
    target = assignment.release
    if target is not None and facts.live != target.id and assignment.stay and not journal.out_by_us:
        return finish(journal, Outcome.FAILED, _put_back(journal.app, target.version, facts.live))
    if target is not None and facts.live == target.id and not journal.keep_out:
        if journal.proven != target or journal.moved:
            previous = _kept(assignment, facts)
            return begin(journal, assignment, Way.ADOPT, Stage.PROVE, now, previous=previous)
        if assignment.restart_for not in ("", journal.restarted_for):
            renewed = replace(journal, restarted_for=assignment.restart_for)
            return begin(renewed, assignment, Way.RENEW, Stage.DRAIN, now, previous=facts.live)
        if not journal.out_by_us and facts.in_service is False and (assignment.observe or not assignment.rollout):
            # Somebody else took it out; or this agent did, and forgot, as when its disk was put back. A rollout's word
            # lets it in, whatever the release was before, and so does that of an operator who undrains it.
            return begin(journal, assignment, Way.ADOPT, Stage.PROVE, now, previous=_kept(assignment, facts))
        if not journal.out_by_us:
            return finish(journal, Outcome.DONE)
        return begin(journal, assignment, Way.RESUME, Stage.WARM_UP, now, previous=facts.live)
    stage = Stage.PRE_ACTIVATE if target and target.id in facts.prepared else Stage.PREPARE
    previous, was_in = _previous(journal, assignment, facts), facts.lets_in is True
    return begin(journal, assignment, Way.FORWARD, stage, now, previous=previous, was_in=was_in)


def _put_back(app: str, version: str, live: str) -> Trouble:
    """Nobody made room for the host to leave: that it would have to was not known."""
    why = "its disk was put back, it was changed by hand, or its last step ended meanwhile"
    text = f"It was to stay on {version} and has {live or 'nothing'}: {why}."
    return Trouble("put-back", "prepare", text, f"noonday reconcile {app} --plan")


def _previous(journal: Journal, assignment: Assignment, facts: Facts) -> str:
    """What to go back to: the release last proven here if it is still on disk, else what is live, else nothing."""
    target = assignment.release.id if assignment.release else ""
    return next(
        (one for one in (_proven(journal, facts), facts.live, _kept(assignment, facts)) if one and one != target), ""
    )


def _proven(journal: Journal, facts: Facts) -> str:
    return journal.proven.id if journal.proven and journal.proven.id in facts.prepared else ""


def _kept(assignment: Assignment, facts: Facts) -> str:
    previous = assignment.previous
    return previous.id if previous and previous.id in facts.prepared else ""
