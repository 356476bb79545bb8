"""What the API stands on: the engine it asks, and the stores it reads."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Protocol

from noonday_coordinator.capability import Capabilities
from noonday_coordinator.config import CoordinatorConfig, Policies
from noonday_coordinator.core.coming_home import Homecoming
from noonday_coordinator.core.commands import Command, Deploy
from noonday_coordinator.core.events import Record
from noonday_coordinator.core.plan import Plan
from noonday_coordinator.core.policy import Policy
from noonday_coordinator.core.state import State
from noonday_coordinator.core.view import View
from noonday_coordinator.store.artifacts import ArtifactStore
from noonday_coordinator.store.catalogue import CatalogueStore
from noonday_coordinator.store.event_log import EventLog
from noonday_coordinator.store.lines import LineBuffer
from noonday_coordinator.store.windows import WindowStore
from noonday_shared.clock import Clock, SystemClock
from noonday_shared.errors import BadInput, Temporary
from noonday_shared.keys import PublicKey
from noonday_shared.messages import Snapshot

VERSION = version("noonday-coordinator")
ROOM = 64 << 20
"""Bytes of disk that must be free for a rollout to begin: those under way must be able to end, or go back."""


class Deciding(Protocol):
    """The engine, as the API knows it. What it shows is frozen and replaced whole, so any thread may read it."""

    @property
    def state(self) -> State: ...
    @property
    def view(self) -> View: ...
    @property
    def trouble(self) -> str:
        """Why it can't do its work now, as a sentence; empty when it can."""

    @property
    def strangers(self) -> Mapping[str, float]:
        """Hosts that reported and are not enrolled, and when they were last heard."""

    @property
    def doubles(self) -> Mapping[str, str]:
        """By host, words on a second agent under its name."""

    @property
    def notices(self) -> Mapping[str, tuple[str, ...]]:
        """By host: sentences of its newest snapshot."""

    @property
    def snapshots(self) -> Mapping[str, Snapshot]:
        """By host: the newest."""

    def submit(self, command: Command, by: str) -> tuple[Record, ...]:
        """Blocks up to 5 s. Raises `BadInput` for a refusal."""

    def plan(self, command: Deploy) -> Plan:
        """Raises `BadInput` when there can't be one."""

    def plan_reconcile(self, policy: Policy) -> Homecoming:
        """Raises `BadInput` when nothing can be mended now."""


class Refusal(BadInput):
    """The engine understood the command, and what is the case now doesn't allow it."""

    @classmethod
    def of(cls, error: BadInput) -> Refusal:
        return cls(error.text, next_action=error.next_action, rule=error.rule, host=error.host, step=error.step)


class Connection(Protocol):
    """The bus, as the API knows it."""

    @property
    def connected(self) -> bool: ...
    @property
    def trouble(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Context:
    config: CoordinatorConfig
    coordinator_key: PublicKey
    engine: Deciding
    bus: Connection
    log: EventLog
    lines: LineBuffer
    windows: WindowStore
    catalogue: CatalogueStore
    artifacts: ArtifactStore
    capabilities: Capabilities
    clock: Clock = field(default_factory=SystemClock)
    pushing: threading.Lock = field(default_factory=threading.Lock)
    """Held while an archive is put in its place."""

    @property
    def policies(self) -> Policies:
        return Policies(self.config.apps_dir)

    def known(self, app: str) -> str:
        """The app. Raises `BadInput` (rule `no-such-app`) when it has neither a policy nor a past."""
        if app not in self.engine.state.apps and app not in self.policies.names():
            raise self.policies.unknown(app)
        return app

    def check_room(self) -> None:
        """Raises `Temporary` while the disk has no room for another rollout's records."""
        free = shutil.disk_usage(self.config.data_dir).free
        if free < ROOM:
            text = (
                f"Only {free / (1 << 20):.0f} MB are free in {self.config.data_dir}, so no rollout is begun: what is "
                "left is for those under way. Nothing was changed."
            )
            fix = f"free space there: df -h {self.config.data_dir}"
            raise Temporary(text, rule="disk-full", next_action=fix)

    def submit(self, command: Command, by: str) -> tuple[Record, ...]:
        """Blocks up to 5 s. Raises `Refusal`."""
        try:
            return self.engine.submit(command, by)
        except BadInput as error:
            raise Refusal.of(error) from error

    def plan(self, command: Deploy) -> Plan:
        """Raises `Refusal`."""
        try:
            return self.engine.plan(command)
        except BadInput as error:
            raise Refusal.of(error) from error

    def plan_reconcile(self, policy: Policy) -> Homecoming:
        """Raises `Refusal`."""
        try:
            return self.engine.plan_reconcile(policy)
        except BadInput as error:
            raise Refusal.of(error) from error
