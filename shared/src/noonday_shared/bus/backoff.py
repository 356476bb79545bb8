"""How long to wait before the next attempt."""

from __future__ import annotations

from random import Random


class Backoff:
    """Jittered, so that after a broker's restart a fleet does not come back in one instant.

    The first wait is anywhere up to `shortest` seconds, the next ones between `shortest` and twice as much each time,
    never above `longest`. Not for many threads.
    """

    def __init__(self, random: Random, *, shortest: float = 1.0, longest: float = 30.0) -> None:
        self._random = random
        self._shortest = min(shortest, longest)
        self._longest = longest
        self._attempts = 0

    def next(self) -> float:
        """Seconds to wait now; each call counts as one more failed attempt."""
        # The exponent is bounded, or a broker that is down for days would make a number too large for a float.
        highest = min(self._longest, self._shortest * 2.0 ** min(self._attempts, 32))
        lowest = self._shortest if self._attempts else 0.0
        self._attempts += 1
        return self._random.uniform(lowest, highest)

    def reset(self) -> None:
        """What was tried works again: the next wait is a first one."""
        self._attempts = 0
