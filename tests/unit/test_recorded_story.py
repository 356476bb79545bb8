"""What is recorded at a release leaves nothing out."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import get_args

from record_release import log_as_sql, messages, story

from noonday_coordinator.core.events import Event
from noonday_coordinator.core.evolve import fold
from noonday_coordinator.store.event_log import EventLog


def test_the_log_that_would_be_recorded_now_holds_every_kind_of_event(tmp_path: Path) -> None:
    told = list(story())
    missing = {kind.__name__ for kind in get_args(Event)} - {type(event).__name__ for _, event in told}
    assert not missing, "give the story in tests/record_release.py one of each"
    with closing(sqlite3.connect(tmp_path / "events.sqlite")) as raw:
        raw.executescript(log_as_sql(told))
    with closing(EventLog.open(tmp_path / "events.sqlite")) as log:
        fold(log.read())


def test_every_kind_of_message_would_be_recorded() -> None:
    assert set(messages()) == {"assignment", "state", "evidence", "release"}
