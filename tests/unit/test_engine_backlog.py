"""Thousands of messages wait when a coordinator comes back; a person does not wait behind them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from noonday_coordinator.core.commands import Enroll
from noonday_coordinator.engine import MOST_AT_ONCE, Engine
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

    def consume(self, queue: str, handler: Handler, *, exclusive: bool = False) -> None:
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
