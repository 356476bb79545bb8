"""What a coordinator has kept, read from its log file while it lives or after it died."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from noonday_coordinator.core.events import Record
from noonday_coordinator.core.evolve import fold
from noonday_coordinator.store.codec import from_json


def kept(log: Path) -> list[Record]:
    """Every record, oldest first. Fails unless the file is whole, its numbers have no gap, and it can be folded."""
    with closing(sqlite3.connect(f"file:{log}?mode=ro", uri=True)) as file:
        assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        rows = file.execute("SELECT seq, at, by, kind, body FROM events ORDER BY seq").fetchall()
    records = [Record(seq, at, by, from_json(kind, body)) for seq, at, by, kind, body in rows]
    assert [record.seq for record in records] == list(range(1, len(records) + 1))
    fold(records)
    return records
