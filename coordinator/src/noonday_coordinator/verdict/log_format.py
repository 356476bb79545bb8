"""Whether a release writes its log in another format, so that nothing in it is known by its key any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from noonday_coordinator.verdict.session import RolloutSession

_SURELY_DUE = 5.0
"""Episodes to be expected of a usual kind of record, none of which is no accident."""
_LEAST_DUE = 5
_MOST_OF_ALL = 0.8


def format_changed(session: RolloutSession) -> bool:
    """Whether hardly any of the usual records are written any more: another format of the log, where like ones came."""
    could = session.exposure["usual"][0]
    due = [
        name
        for name in session.past.counts
        if session.counting.about[name].kind == "template" and session.past.rate(name) * could >= _SURELY_DUE
    ]
    gone = sum(not (name in session.units and session.units[name].x) for name in due)
    return len(due) >= _LEAST_DUE and gone >= _MOST_OF_ALL * len(due)
