"""Thousands of messages wait when a coordinator comes back; a person does not wait behind them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from noonday_coordinator.backlog import Backlog
from noonday_coordinator.core.commands import Enroll
from noonday_coordinator.engine import HEARING, MOST_AT_ONCE, STOOD_STILL, Engine
from noonday_coordinator.store.catalogue import CatalogueStore
from noonday_coordinator.store.event_log import EventLog
from noonday_coordinator.store.lines import LineBuffer
from noonday_coordinator.store.windows import WindowStore
from noonday_shared import topology
from noonday_shared.bus.memory import MemoryBroker, MemoryBus
from noonday_shared.bus.protocol import Handler
from noonday_shared.keys import SigningKey
from support.eventually import eventually
from support.virtual_clock import VirtualClock


class Ear(MemoryBus):
    """Lets the test say what arrives."""

    def __init__(self) -> None:
        super().__init__(MemoryBroker(clock=VirtualClock()))
        self.handlers: dict[str, Handler] = {}

    def consume(
        self, queue: str, handler: Handler, *, exclusive: bool = False, refused: Callable[[], None] | None = None
    ) -> None:
        self.handlers[queue] = handler


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture
def engine(ear: Ear, tmp_path: Path) -> Iterator[Engine]:
    log = EventLog.open(tmp_path / "events.sqlite")
    windows = WindowStore.open(tmp_path / "windows.sqlite")
    catalogue = CatalogueStore.open(tmp_path / "catalogue.sqlite")
    with closing(log), closing(windows), closing(catalogue):
        made = Engine(
            log=log,
            windows=windows,
            catalogue=catalogue,
            bus=ear,
            key=SigningKey.new(),
            artifact_url=lambda app, release: "",
            clock=VirtualClock(),
            lines=LineBuffer(),
        )
        made.begin()
        yield made


def test_a_command_is_answered_before_a_backlog_of_messages_is_worked_off(ear: Ear, engine: Engine) -> None:
    for _ in range(MOST_AT_ONCE * 2):
        ear.handlers[topology.STATE_QUEUE](b"nothing that is understood")
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(engine.submit, Enroll("web-1", {"role": "web"}, str(SigningKey.new().public)), "test")
        eventually(lambda: engine._asked, what="the command handed over")
        engine.turn()
        assert answer.result(1)
    assert list(engine.state.hosts) == ["web-1"]


def test_states_are_taken_in_before_evidence_that_came_earlier(ear: Ear, engine: Engine) -> None:
    taken: list[str] = []
    engine._on_state = lambda raw: taken.append(raw.decode())  # type: ignore[method-assign]
    engine._on_evidence = lambda raw: taken.append(raw.decode())  # type: ignore[method-assign]
    for number in range(3):
        ear.handlers[topology.EVIDENCE_QUEUE](f"evidence {number}".encode())
    ear.handlers[topology.STATE_QUEUE](b"state")
    engine.turn()
    assert taken == ["state", "evidence 0", "evidence 1", "evidence 2"]


def test_a_flood_of_slow_messages_lets_the_engine_decide_in_between(ear: Ear, engine: Engine) -> None:
    clock = engine._clock
    assert isinstance(clock, VirtualClock)
    engine._on_evidence = lambda raw: clock.sleep(HEARING / 4)  # type: ignore[method-assign]
    for _ in range(100):
        ear.handlers[topology.EVIDENCE_QUEUE](b"slow")
    began = clock.monotonic()
    engine.turn()
    assert clock.monotonic() - began == pytest.approx(HEARING)
    assert engine._backlog


def test_of_a_flood_of_evidence_only_the_newest_waits() -> None:
    backlog = Backlog(evidence_bytes=100)
    for number in range(20):
        backlog.add_evidence(f"{number:010}".encode())
    assert backlog.dropped == 10
    assert [backlog.evidence() for _ in range(11)] == [f"{number:010}".encode() for number in range(10, 20)] + [None]
    assert not backlog


def test_one_message_of_evidence_is_kept_whatever_its_size() -> None:
    backlog = Backlog(evidence_bytes=100)
    backlog.add_evidence(b"x" * 1000)
    assert backlog.evidence() == b"x" * 1000


def test_the_view_knows_when_the_coordinator_is_cut_off_and_since_when_it_hears_again(ear: Ear, engine: Engine) -> None:
    clock = engine._clock
    assert isinstance(clock, VirtualClock)
    ear.start()
    engine.turn()
    assert not engine.view.deaf
    ear.disconnect()
    engine.turn()
    assert engine.view.deaf
    clock.sleep(500.0)
    ear.reconnect()
    engine.turn()
    assert (engine.view.deaf, engine.view.listens_since) == (False, clock.now())


@pytest.mark.parametrize(("seconds", "since"), [(STOOD_STILL - 1, 0.0), (3600.0, 3600.0)])
def test_a_coordinator_that_stood_still_gives_hosts_time_to_be_heard(
    seconds: float, since: float, ear: Ear, engine: Engine
) -> None:
    clock, began = engine._clock, engine.view.since
    assert isinstance(clock, VirtualClock)
    ear.start()
    engine.turn()
    clock.sleep(seconds)
    engine.turn()
    assert engine.view.listens_since == began + since
    clock.sleep(1.0)
    engine.turn()
    assert engine.view.listens_since == began + since
