"""Any new ERROR line: the canary writes one that, its numbers aside, was never seen before the rollout.

The rule of many home-made deploy scripts: grep the log for errors that yesterday's log did not hold.
"""

from __future__ import annotations

import re

from bench.verdict.case import Alert, Case
from noonday_coordinator.statistics.spending import band_of

_NUMBERS = re.compile(r"[0-9]+")


class AnyNewError:
    name = "any new ERROR line"

    def turns_back(self, case: Case) -> float | None:
        known = {_shape(alert) for alert in case.history() if band_of(alert.level) == "error"}
        for window in case.windows:
            for alert in case.lines(window, case.canary):
                if band_of(alert.level) == "error" and _shape(alert) not in known:
                    return window.ends
        return None


def _shape(alert: Alert) -> str:
    return _NUMBERS.sub("", alert.text)
