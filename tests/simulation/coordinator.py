"""The real engine without its thread: it lives and dies, its log stays."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path

from simulation.agent import NEVER

from noonday_coordinator.core.commands import Command
from noonday_coordinator.core.events import Event, Record
from noonday_coordinator.engine import Engine
from noonday_coordinator.store.catalogue import CatalogueStore
from noonday_coordinator.store.codec import from_json, kind_of, to_json
from noonday_coordinator.store.lines import LineBuffer
from noonday_coordinator.store.windows import WindowStore
from noonday_shared.bus.memory import MemoryBroker, MemoryBus
from noonday_shared.keys import SigningKey
from support.fake_host import Died
from support.virtual_clock import VirtualClock

TICK = 1.0
IDLE = 5.0


class MemoryLog:
    """What the engine asks of an event log, kept as the JSON that the real one keeps. Dies when it is told to."""

    def __init__(self) -> None:
        self.rows: list[tuple[float, str, str, str]] = []
        self.fresh: list[Record] = []
        """Records that nobody has taken note of yet."""
        self.doom: tuple[int, bool] | None = None
        """Appends until the coordinator dies in one, and whether that one is kept."""

    def append(self, events: Sequence[Event], *, at: float, by: str) -> tuple[Record, ...]:
        dies = self._dies()
        if dies is False:
            raise Died
        records = tuple(Record(len(self.rows) + n, at, by, event) for n, event in enumerate(events, 1))
        self.rows += [(at, by, kind_of(event), to_json(event)) for event in events]
        self.fresh += records
        if dies:
            raise Died
        return records

    def read(self, after: int = 0, limit: int | None = None) -> list[Record]:
        rows = self.rows[after : None if limit is None else after + limit]
        return [Record(after + n, at, by, from_json(kind, body)) for n, (at, by, kind, body) in enumerate(rows, 1)]

    def _dies(self) -> bool | None:
        if self.doom is None:
            return None
        left, kept = self.doom
        self.doom = (left - 1, kept) if left > 0 else None
        return None if left > 0 else kept


class SimulatedCoordinator:
    def __init__(self, broker: MemoryBroker, clock: VirtualClock) -> None:
        self.key = SigningKey.new()
        self.log = MemoryLog()
        self.cut_off = False
        self.alive = False
        self._broker = broker
        self._clock = clock
        self._windows = WindowStore.open(Path(":memory:"))
        self._catalogue = CatalogueStore.open(Path(":memory:"))
        self.start()

    def start(self) -> None:
        self.alive = True
        self.bus = MemoryBus(self._broker)
        self.engine = Engine(
            log=self.log,  # type: ignore[arg-type]  # same verbs, in memory
            windows=self._windows,
            catalogue=self._catalogue,
            bus=self.bus,
            key=self.key,
            artifact_url=lambda app, release: f"http://127.0.0.1/{app}/{release.id}.tar.gz",
            clock=self._clock,
            lines=LineBuffer(),
        )
        self.engine.begin()
        self.bus.start()
        if self.cut_off:
            self.bus.disconnect()
        self.due = self._clock.now()

    def kill(self) -> None:
        self.alive = False
        self.log.doom = None
        self.bus.disconnect()
        self.due = NEVER

    def cut(self, *, off: bool) -> None:
        self.cut_off = off
        if not self.alive:
            return
        if off:
            self.bus.disconnect()
        else:
            self.bus.reconnect()
            self.bus.catch_up()

    def act(self) -> None:
        """One turn of the engine. Raises `Died` where the script wants it killed."""
        self.engine.turn()
        self.due = self._clock.now() + (TICK if self.engine.state.active("web") else IDLE)

    def ask(self, command: Command, by: str = "operator") -> tuple[Record, ...]:
        """Raises `BadInput` for a refusal, and `Died`."""
        answer: Future[tuple[Record, ...]] = self.engine.ask(command, by)
        while not answer.done():
            self.act()
        return answer.result()

    def heard(self) -> None:
        """Something was delivered: the engine wakes."""
        if self.alive:
            self.due = min(self.due, self._clock.now() + 0.02)

    def close(self) -> None:
        self._windows.close()
        self._catalogue.close()
