"""What the load balancers counted for this server since a moment, over their restarts."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping

AVERAGE = "average_ms"
"""A balancer's word for how long its newest requests took on average; no count, so it is told apart."""
RESPONSE = "response_ms"


class Traffic:
    """Sums of all balancers: 'requests', 'errors' (no connection or no whole answer), 'retries', '2xx' to '5xx', and
    'response_ms', the time that the requests took together. A balancer that begins anew makes none of them smaller."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: dict[str, Mapping[str, int]] = {}
        self._sums: Counter[str] = Counter()

    def begin(self) -> dict[str, int]:
        """Count from zero; returns the sums until now."""
        with self._lock:
            ended = dict(self._sums)
            self._sums.clear()
            return ended

    def add(self, seen: Mapping[str, Mapping[str, int]]) -> None:
        """Add what came since the last call. `seen`: what each balancer has counted, by its name. What it counted
        before it was first seen is not ours."""
        with self._lock:
            for name, now in seen.items():
                if (before := self._last.get(name)) is not None:
                    self._add(before, now)
                self._last[name] = now

    def sums(self) -> dict[str, int]:
        """Empty when no balancer counts."""
        with self._lock:
            return dict(self._sums)

    def _add(self, before: Mapping[str, int], now: Mapping[str, int]) -> None:
        # After a reload they begin at zero, so the first look after it has everything since.
        anew = any(value < before.get(word, 0) for word, value in now.items() if word != AVERAGE)
        more = {word: value - (0 if anew else before.get(word, 0)) for word, value in now.items() if word != AVERAGE}
        self._sums.update(more)
        if AVERAGE in now:
            self._sums[RESPONSE] += now[AVERAGE] * more.get("requests", 0)
