"""What a coordinator has kept, read from its log file while it lives or after it died."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from noonday_coordinator.core.events import Record
from noonday_coordinator.core.evolve import fold
from noonday_coordinator.store.codec import from_json
from support.fleet_commands import Commands


def kept(log: Path) -> list[Record]:
    """Every record, oldest first. Fails unless the file is whole, its numbers have no gap, and it can be folded."""
    with closing(sqlite3.connect(f"file:{log}?mode=ro", uri=True)) as file:
        assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        rows = file.execute("SELECT seq, at, by, kind, body FROM events ORDER BY seq").fetchall()
    records = [Record(seq, at, by, from_json(kind, body)) for seq, at, by, kind, body in rows]
    assert [record.seq for record in records] == list(range(1, len(records) + 1))
    fold(records)
    return records


def exported(fleet: Commands) -> list[dict[str, Any]]:
    """Every event, as `noonday export --all` gives it."""
    done = fleet.cli("export", "--all")
    assert done.exit == 0, done
    lines = [json.loads(line) for line in done.out.splitlines()]
    return [line["event"] for line in lines if "event" in line]
