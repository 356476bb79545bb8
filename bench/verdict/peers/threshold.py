"""A fixed threshold on the canary's share of requests with errors, as Argo Rollouts and Flagger are mostly set up.

Flagger's documented example: `request-success-rate` of at least 99 %, over `interval: 1m`, and `threshold: 5`, the
failed checks after which it rolls back (docs.flagger.app, "How it works"). Argo Rollouts' analysis is the same with
`successCondition: result[0] >= 0.99` and `failureLimit`. A request counts as failed when it is answered with 5xx or
writes an ERROR: with 5xx alone the rule sees no log.
"""

from __future__ import annotations

from collections import deque

from bench.verdict.case import Case

SHARE = 0.01
OVER = 6
"""Windows that one check looks back over: a minute."""
FAILED_CHECKS = 5


class Threshold:
    name = "threshold 1 %"

    def turns_back(self, case: Case) -> float | None:
        recent: deque[tuple[int, int]] = deque(maxlen=OVER)
        failed = 0
        for window in case.windows:
            seen = case.here(window)
            if seen is None:
                continue
            sums = case.sums(seen)
            recent.append((max(sums.failed, sums.errors), sums.requests))
            bad, requests = (sum(column) for column in zip(*recent, strict=True))
            failed += requests > 0 and bad / requests > SHARE
            if failed >= FAILED_CHECKS:
                return window.ends
        return None
