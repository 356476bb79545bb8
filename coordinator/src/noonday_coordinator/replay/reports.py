"""What the event log said of a rollout and its hosts at any instant: for hard limits and caveats, once more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from noonday_coordinator.core.events import Record
from noonday_coordinator.core.evolve import evolve
from noonday_coordinator.core.state import AppOnHost, Rollout, State


class Reports:
    """Goes forward only: each question is of the same instant as the one before, or a later one."""

    def __init__(self, records: Iterable[Record], rollout: str) -> None:
        """`records`: the whole log, oldest first."""
        self._records = iter(records)
        self._rollout = rollout
        self._state = State()
        self._next = next(self._records, None)

    def at(self, now: float, *, before: int | None = None) -> tuple[Rollout, Mapping[str, AppOnHost]] | None:
        """As the coordinator saw it then; `before`: and before the record of this number. None: not begun yet."""
        while self._next is not None and self._next.at <= now and (before is None or self._next.seq < before):
            self._state = evolve(self._state, self._next)
            self._next = next(self._records, None)
        rollout = self._state.rollouts.get(self._rollout)
        if rollout is None:
            return None
        hosts = self._state.hosts_with(rollout.policy.hosts)
        return rollout, {host.name: host.app(rollout.app) for host in hosts}
