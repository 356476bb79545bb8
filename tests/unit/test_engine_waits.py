"""An engine that does not come to what it is asked, or to its end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from noonday_coordinator import engine as module
from noonday_coordinator.core.commands import Enroll
from noonday_coordinator.engine import Engine
from noonday_coordinator.store.catalogue import CatalogueStore
from noonday_coordinator.store.event_log import EventLog
from noonday_coordinator.store.windows import WindowStore
from noonday_shared.errors import Temporary
from noonday_shared.keys import SigningKey
from support.engine_rig import EngineRig

ENROLL = Enroll("web-3", {"role": "web"}, str(SigningKey.new().public))


@pytest.fixture
def busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """Its thread runs, and is in the middle of a turn until the test is over."""
    log = EventLog.open(tmp_path / "events.sqlite")
    windows = WindowStore.open(tmp_path / "windows.sqlite")
    catalogue = CatalogueStore.open(tmp_path / "catalogue.sqlite")
    with closing(log), closing(windows), closing(catalogue):
        engine = EngineRig(log, windows, catalogue).engine
        over, turning = threading.Event(), threading.Event()

        def turn() -> None:
            turning.set()
            over.wait(30)

        monkeypatch.setattr(engine, "turn", turn)
        monkeypatch.setattr(module, "ANSWER_WITHIN", 0.2)
        engine.start()
        assert turning.wait(10)
        yield engine
        engine._leaving.set()
        over.set()
        engine._thread.join(10)


def test_a_command_that_the_engine_does_not_come_to_is_given_up_in_words(busy: Engine) -> None:
    with pytest.raises(
        Temporary, match=r"did not answer within 0\.2 s; whether it took the command is not"
    ) as given_up:
        busy.submit(ENROLL, "alice")
    assert given_up.value.rule == "engine-busy"
    assert given_up.value.next_action == "noonday status, then try again"


def test_an_engine_that_does_not_end_its_turn_is_left_at_the_stop(
    busy: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    busy.close()
    assert busy._thread.is_alive()
    assert "did not end its turn within 0.2 s" in caplog.text
