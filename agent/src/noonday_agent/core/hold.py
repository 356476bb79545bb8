"""Holding the app out: a load balancer forgets what it was told, so nobody relies on that it was. Pure."""

from __future__ import annotations

from dataclasses import replace

from noonday_agent.core.journal import Attempt, Journal, Stage
from noonday_agent.core.ways import move

HOLDS = frozenset(Stage) - {Stage.DRAIN, Stage.WAIT_IDLE, Stage.RETURN, Stage.CONFIRM, Stage.POST_RETURN}
"""Stages in which nobody may be sent to an app that we took out; DRAIN and WAIT_IDLE see to that themselves."""

BEFORE_RESTART = (Stage.DRAIN, Stage.WAIT_IDLE, Stage.SWITCH, Stage.RESTART)

MOST = 3
"""How often requests are waited for anew before one restart. Where an attempt has no deadline, a wait that saw them end
does not count."""


def holds_out(journal: Journal) -> bool:
    """Whether a load balancer that does not keep the app out now is to be told again."""
    attempt = journal.attempt
    return journal.out_by_us and (attempt is None or attempt.stage in HOLDS)


def let_in_again(journal: Journal, now: float) -> Journal:
    """A balancer had let the app in, and was told again. A restart that is still to come waits for the requests that
    came in; one that is over stays so."""
    attempt = journal.attempt
    if attempt is None or attempt.stage not in (Stage.SWITCH, Stage.RESTART):
        return journal
    if attempt.let_in >= MOST:
        return journal  # a balancer that does not obey must not keep what is ill from its restart
    counted = replace(attempt, let_in=attempt.let_in + 1, perhaps_restarted=_perhaps(attempt))
    return move(journal, counted, Stage.WAIT_IDLE, now)


def drained_anew(journal: Journal, now: float) -> Journal:
    """Nobody looked for a while, and the journal itself may have lost its last lines with the power: what stands before
    the restart begins with the drain, which is safe to repeat."""
    attempt = journal.attempt
    if attempt is None or attempt.stage not in BEFORE_RESTART:
        return journal
    known = replace(attempt, out_since=attempt.out_since or now, perhaps_restarted=_perhaps(attempt))
    return move(journal, known, Stage.DRAIN, now)


def _perhaps(attempt: Attempt) -> bool:
    return attempt.perhaps_restarted or (attempt.stage is Stage.RESTART and attempt.begun)
