"""Whether an assignment has any effect. Pure; the signature was checked before."""

from __future__ import annotations

from dataclasses import replace

from noonday_agent.core.journal import Journal
from noonday_shared.errors import BadInput
from noonday_shared.messages import Assignment, Outcome

LATE = 60.0
"""Seconds after which an older term is no message that was merely delayed."""


def take(journal: Journal, assignment: Assignment, *, host: str, now: float) -> Journal:
    """The journal with `assignment` as what the host should be; the same journal when it says nothing new.

    Raises `BadInput` for an assignment of another host, one that expired, one that a coordinator of an older term
    still says, one that was taken here and is forgotten, and one that contradicts what was taken under the same number.
    """
    if assignment.host != host:
        raise _refused("wrong-host", f"it is for {assignment.host}, this is {host}", assignment)
    if assignment.expires_at <= now:
        late = f"it expired {now - assignment.expires_at:.0f} s ago by this host's clock"
        raise _refused("expired", late, assignment)
    seen = journal.assignment
    if assignment.taken and assignment.generation > (seen.generation if seen else 0):
        forgot = "it was taken up here, and this agent knows nothing of it: its disk was put back to an older state"
        raise _refused("forgotten", forgot, assignment)
    if seen is None or assignment.order[:2] > seen.order[:2]:
        return _taken(journal, seen, assignment, now)
    if assignment.term < seen.term and assignment.issued_at > seen.issued_at + LATE:
        old = (
            f"its term is over, since term {seen.term} was taken; a second coordinator, or one that lost its event log"
        )
        raise _refused("older-term", old, assignment)
    if assignment.order[:2] < seen.order[:2] or assignment.issued_at <= seen.issued_at:
        return journal
    if not same_work(seen, assignment):
        raise _refused("contradiction", "it differs from what was taken under the same number", assignment)
    return replace(journal, assignment=assignment)


def same_work(one: Assignment, other: Assignment) -> bool:
    """Whether both ask for the same state under the same generation."""
    return (one.generation, one.goal, one.release, one.previous, one.restart_for) == (
        other.generation,
        other.goal,
        other.release,
        other.previous,
        other.restart_for,
    )


def _taken(journal: Journal, seen: Assignment | None, assignment: Assignment, now: float) -> Journal:
    if seen is not None and same_work(seen, assignment):
        return replace(journal, assignment=assignment)  # a new term says the same again
    return replace(journal, assignment=assignment, taken_at=now, outcome=Outcome.WORKING, trouble=None)


def _refused(rule: str, text: str, assignment: Assignment) -> BadInput:
    number = f"{assignment.app}, term {assignment.term}, generation {assignment.generation}"
    return BadInput(f"Assignment refused ({number}): {text}.", rule=rule, next_action="noonday doctor")
