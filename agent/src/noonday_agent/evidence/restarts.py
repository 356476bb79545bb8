"""Starts of an app that nobody here asked for."""

from __future__ import annotations


class Restarts:
    """Counts changes of the main process, told by pid and start time since pids come back. One thread.

    `count` starts again with each restart that the agent asks for: it belongs to the release that is live since.
    """

    def __init__(self) -> None:
        self.count = 0
        self._last: tuple[int, float] | None = None
        self._asked = True

    def asked(self) -> None:
        """The next start is ours: call it before the restart."""
        self.count = 0
        self._asked = True

    def settled(self) -> None:
        """The restart is over, also when no start was seen: the next one is not ours."""
        self._asked = False

    def look(self, main: tuple[int, float] | None) -> int:
        """See the main process now: its pid and start, or None while none runs; returns the count.

        A start between two looks counts as one.
        """
        if main is None or main == self._last:
            return self.count
        if self._asked:
            self._asked = False
        else:
            self.count += 1
        self._last = main
        return self.count
