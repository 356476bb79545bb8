"""What so much evidence could have shown at all: said instead of a promote that means nothing."""

from __future__ import annotations

from noonday_coordinator.statistics.newcomer import Newcomer
from noonday_coordinator.statistics.ratio_prior import RatioPrior
from noonday_coordinator.statistics.spending import Spending, log_threshold
from noonday_coordinator.verdict.session import LOGS, SELDOM_SHARE, RolloutSession

_MOST = 1000


def least_found(session: RolloutSession) -> int | None:
    """Episodes of a new error, the first new thing of the rollout, that would have turned it back; None when none."""
    alpha, _ = Spending.over([], alpha=session.policy.sensitivity * LOGS * (1 - SELDOM_SHARE)).discover("ERROR")
    old = len(session.old_hosts - session.new_hosts)
    e_new, e_old = session.exposure["usual"]
    if not session.new_hosts or e_new <= 0:
        return None

    prior = RatioPrior.of_hosts(session.past.shape, new=len(session.new_hosts), old=max(old, 1))
    nothing = Newcomer.of(prior, history=session.past.exposure)

    def found(episodes: int) -> bool:
        newcomer = nothing.update(float(episodes), 0.0, e_new, e_old)
        # Without an old host beside it, an incident can't be told from the release; the past is all there is.
        log_e = newcomer.fresh.update(*newcomer.total).log_e if session.alone else newcomer.log_e
        return log_e >= log_threshold(alpha)

    low, high = session.policy.least_new_errors, _MOST
    if not found(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if found(middle) else (middle + 1, high)
    return low
