"""Whether something much worse would have been noticed by now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from noonday_coordinator.statistics.eprocess import EProcess
from noonday_coordinator.statistics.window import Window as Counts
from noonday_coordinator.verdict.counting import ERRORS

if TYPE_CHECKING:
    from noonday_coordinator.verdict.session import RolloutSession

NOT_MUCH = 2.0
"""Errors that are surely less than twice as frequent: enough was seen."""
_LEAST_OLD = 20
"""Errors on the old side, below which their ratio says nothing."""


def powerful(session: RolloutSession) -> bool:
    """The policy's requests were seen, or the errors' ratio is surely below 2."""
    if session.requests >= session.policy.least_requests:
        return True
    unit = session.units.get(ERRORS)
    if unit is None or unit.y < _LEAST_OLD or session.alone:
        return False
    burst = session.past.burst(ERRORS)
    prior = session.past.prior(ERRORS, session.new_hosts, len(session.old_hosts - session.new_hosts))
    total = Counts(unit.x / burst, unit.y / burst, *session.exposure["usual"])
    return EProcess.of(prior).update(*total).rho().upper() < NOT_MUCH
