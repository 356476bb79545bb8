"""Where a simulated process may die: at every crash point that the real one has, and around each write to its disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import noonday_agent.runner
import noonday_coordinator.engine
from support.fake_host import Died


class Mortal:
    """A process. `doom`: how many crash points it passes before it dies at one; None lets it live."""

    def __init__(self) -> None:
        self.doom: int | None = None


class Crashes:
    """One world's: who acts now, and where processes died."""

    def __init__(self) -> None:
        self.died_at: Counter[str] = Counter()
        self.victim: Mortal | None = None
        """Who died last."""
        self._acting: list[Mortal] = []

    def begin(self, who: Mortal) -> None:
        self._acting.append(who)

    def end(self) -> None:
        self._acting.pop()

    def reached(self, name: str) -> None:
        """Whoever acts now passes a crash point. Raises `Died`."""
        if not self._acting or self._acting[-1].doom is None:
            return
        who = self._acting[-1]
        if who.doom:
            who.doom -= 1
            return
        who.doom = None
        self.victim = who
        self.died_at[name] += 1
        raise Died(name)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """The real code's crash points lead here meanwhile."""
        modules = (noonday_agent.runner, noonday_coordinator.engine)
        patches = [mock.patch.object(module, "crashpoint", self.reached) for module in modules]
        for patch in patches:
            patch.start()
        try:
            yield
        finally:
            for patch in patches:
                patch.stop()
