"""The real engine without its thread: it lives and dies, its log stays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path

from simulation.agent import NEVER
from simulation.clocks import LocalClock
from simulation.crashes import Crashes, Mortal

from noonday_coordinator.core.commands import Command
from noonday_coordinator.core.events import Event, LogRestored, Record
from noonday_coordinator.engine import Engine
from noonday_coordinator.store.catalogue import CatalogueStore
from noonday_coordinator.store.codec import from_json, kind_of, to_json
from noonday_coordinator.store.lines import LineBuffer
from noonday_coordinator.store.windows import WindowStore
from noonday_shared.bus.memory import MemoryBroker, MemoryBus
from noonday_shared.errors import NoondayError, Temporary
from noonday_shared.keys import SigningKey
from support.virtual_clock import VirtualClock

TICK = 1.0
IDLE = 5.0


class MemoryLog:
    """What the engine asks of an event log, kept as the JSON that the real one keeps. Its disk may be full."""

    def __init__(self, reached: Callable[[str], None]) -> None:
        self.rows: list[tuple[float, str, str, str]] = []
        self.fresh: list[Record] = []
        """Records that nobody has taken note of yet."""
        self.full = False
        self._reached = reached

    def append(self, events: Sequence[Event], *, at: float, by: str) -> tuple[Record, ...]:
        if self.full:
            raise _full()
        self._reached("coordinator:appending")
        records = tuple(Record(len(self.rows) + n, at, by, event) for n, event in enumerate(events, 1))
        self.rows += [(at, by, kind_of(event), to_json(event)) for event in events]
        self.fresh += records
        self._reached("coordinator:appended")
        return records

    def read(self, after: int = 0, limit: int | None = None) -> list[Record]:
        rows = self.rows[after : None if limit is None else after + limit]
        return [Record(after + n, at, by, from_json(kind, body)) for n, (at, by, kind, body) in enumerate(rows, 1)]

    def probe(self) -> None:
        """Raises `Temporary` while the disk is full."""
        if self.full:
            raise _full()

    def twin(self) -> MemoryLog:
        """A copy of the file, as from a backup."""
        log = MemoryLog(self._reached)
        log.rows = list(self.rows)
        return log


def _full() -> Temporary:
    text = "The event log can't be written: database or disk is full."
    return Temporary(text, rule="event-log", next_action="make room: df -h")


class SimulatedCoordinator(Mortal):
    """On a machine with a clock of its own."""

    def __init__(
        self, broker: MemoryBroker, clock: VirtualClock, crashes: Crashes, *, key: SigningKey, log: MemoryLog
    ) -> None:
        super().__init__()
        self.key = key
        self.log = log
        self.local = LocalClock(clock)
        self.cut_off = False
        self.alive = False
        self.trouble = ""
        self._broker = broker
        self._clock = clock
        self._crashes = crashes
        self._windows = WindowStore.open(Path(":memory:"))
        self._catalogue = CatalogueStore.open(Path(":memory:"))
        self.due = NEVER

    def start(self) -> None:
        """Raises `Died`, and `Temporary` when its disk is full."""
        self.bus = MemoryBus(self._broker)
        self.engine = Engine(
            log=self.log,  # type: ignore[arg-type]  # same verbs, in memory
            windows=self._windows,
            catalogue=self._catalogue,
            bus=self.bus,
            key=self.key,
            artifact_url=lambda app, release: f"http://127.0.0.1/{app}/{release.id}.tar.gz",
            clock=self.local,
            lines=LineBuffer(),
        )
        self.engine.begin()
        self.alive = True
        self.bus.start()
        if self.cut_off:
            self.bus.disconnect()
        self.due = self._clock.now()

    def kill(self) -> None:
        self.alive = False
        self.doom = None
        self.bus.disconnect()
        self.due = NEVER

    def restore(self, age: float) -> None:
        """The log becomes what it was so many seconds ago, as `noonday restore` puts it back."""
        now = self.local.now()
        log = MemoryLog(self.log._reached)
        log.rows = [row for row in self.log.rows if row[0] <= now - age]
        event = LogRestored(now - age, int(now), int(now * 1000))
        log.rows.append((now, "restore", kind_of(event), to_json(event)))
        self.log = log

    def cut(self, *, off: bool) -> None:
        self.cut_off = off
        if not self.alive:
            return
        if off:
            self.bus.disconnect()
        else:
            self.bus.reconnect()
            self.bus.catch_up()

    @property
    def full(self) -> bool:
        """Whether its disk is, for all that it writes."""
        return self.log.full

    @full.setter
    def full(self, full: bool) -> None:
        self.log.full = full
        for store in (self._windows, self._catalogue):
            store._connection.execute(f"PRAGMA query_only = {'ON' if full else 'OFF'}")

    def act(self) -> None:
        """One turn of the engine. Raises `Died` where the script wants it killed."""
        self._crashes.begin(self)
        try:
            self.engine.turn()
            self.trouble = ""
        except NoondayError as error:
            self.trouble = str(error)  # as the thread of the real one does
        finally:
            self._crashes.end()
        self.due = self._clock.now() + (TICK if self.engine.state.active("web") else IDLE)

    def ask(self, command: Command, by: str = "operator") -> tuple[Record, ...]:
        """Raises `BadInput` for a refusal, `Temporary` when it can't be kept, and `Died`."""
        answer: Future[tuple[Record, ...]] = self.engine.ask(command, by)
        self.act()
        if not answer.done():
            raise Temporary("The engine did not answer.", rule="engine-busy", next_action="try again")
        return answer.result()

    def heard(self) -> None:
        """Something was delivered: the engine wakes."""
        if self.alive:
            self.due = min(self.due, self._clock.now() + 0.02)

    def close(self) -> None:
        self._windows.close()
        self._catalogue.close()


__all__ = ["MemoryLog", "SimulatedCoordinator"]
