"""The verdict's interface: a trial is opened, windows go in, a judgement comes out. What is inside may change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from noonday_coordinator.core.caveats import Mark
from noonday_coordinator.core.state import AppOnHost, Rollout
from noonday_coordinator.core.view import Judgement
from noonday_coordinator.verdict.catalogue import Catalogue
from noonday_coordinator.verdict.window import Window
from noonday_shared.messages.evidence import Template


@dataclass(frozen=True, slots=True)
class Trial:
    """All that is known when a rollout starts. `before`: windows of up to two hours before it, oldest first."""

    rollout: Rollout
    catalogue: Catalogue = field(default_factory=Catalogue)
    marks: Mapping[str, Mark] = field(default_factory=dict)
    """The caveats then, by template key or unit; what people change since is in the rollout."""
    before: tuple[Window, ...] = ()


class Session(Protocol):
    """One rollout's evidence so far: a fold over its windows. Used by one thread."""

    def learn(self, templates: Iterable[Template]) -> None:
        """Dictionary entries of keys that no window has told yet."""
        ...

    def advance(self, window: Window) -> None:
        """Take a window in: each once, in order. The same windows lead to the same session, bit for bit."""
        ...

    def judgement(self, rollout: Rollout, hosts: Mapping[str, AppOnHost], now: float) -> Judgement:
        """What all windows so far say. Changes nothing; the same arguments give the same judgement."""
        ...


class Judge(Protocol):
    def open(self, trial: Trial) -> Session:
        """A session that has seen no window of the rollout yet."""
        ...
