"""The verdict's interface: a case goes in, a judgement comes out. What is inside may change, these may not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from noonday_coordinator.core.state import App, AppOnHost, Rollout
from noonday_coordinator.core.view import Judgement
from noonday_coordinator.store.history import Known
from noonday_shared.messages import Evidence


@dataclass(frozen=True, slots=True)
class Case:
    """All that a verdict may look at. `new`, `old`: the newest evidence by host, of the new release and of others."""

    rollout: Rollout
    app: App
    hosts: Mapping[str, AppOnHost]
    new: Mapping[str, Evidence]
    old: Mapping[str, Evidence]
    known: Mapping[str, Known]
    now: float


class Judge(Protocol):
    def judge(self, case: Case) -> Judgement:
        """Pure: the same case gives the same judgement."""
        ...
