"""The hash chain of the event log: what was changed, taken out or cut off shows, and a start refuses it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from noonday_coordinator.core.events import CoordinatorStarted, HostEnrolled
from noonday_coordinator.store.chain import GENESIS, Head, link
from noonday_coordinator.store.event_log import EventLog
from noonday_coordinator.store.log_file import audit_file
from noonday_shared.errors import Permanent, Temporary

SCHEMA_1 = """
CREATE TABLE events (
  seq INTEGER PRIMARY KEY, at REAL NOT NULL, by TEXT NOT NULL, kind TEXT NOT NULL,
  rollout TEXT NOT NULL, app TEXT NOT NULL, body TEXT NOT NULL
) STRICT;
PRAGMA user_version = 1;
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A log with five records, closed."""
    path = tmp_path / "events.sqlite"
    with closing(EventLog.open(path)) as log:
        log.append([CoordinatorStarted(term) for term in range(1, 4)], at=1, by="coordinator")
        log.append([HostEnrolled("web-1", {"role": "web"}, "key")], at=2.5, by="zoë")
        log.append([CoordinatorStarted(4)], at=3.0, by="coordinator")
    return path


def do(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as raw, raw:
        for statement in statements:
            raw.execute(statement)


def refusal(path: Path) -> str:
    """Of a start: by the file's damage, or when its records are read."""
    with pytest.raises(Permanent) as caught, closing(EventLog.open(path)) as log:
        log.read()
    assert "noonday" in caught.value.next_action
    return caught.value.text


def test_the_chain_can_be_made_again_from_the_table_alone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as raw:
        rows = raw.execute("SELECT seq, at, by, kind, rollout, app, body, hash FROM events ORDER BY seq").fetchall()
    before = GENESIS
    for *row, kept in rows:
        before = link(before, (row[0], row[1], row[2], row[3], row[4], row[5], row[6]))
        assert kept == before
    found = audit_file(path)
    assert (found.records, found.chained_from, found.head, found.words) == (5, 1, Head(5, before), "")


def test_what_moves_from_one_field_to_the_next_gives_another_hash() -> None:
    assert link(GENESIS, (1, 1.0, "ab", "c", "", "", "{}")) != link(GENESIS, (1, 1.0, "a", "bc", "", "", "{}"))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET by = 'mallory' WHERE seq = 4",
        "UPDATE events SET at = at + 0.001 WHERE seq = 4",
        "UPDATE events SET body = replace(body, 'web-1', 'web-2') WHERE seq = 4",
        "UPDATE events SET rollout = 'r9' WHERE seq = 4",
        f"UPDATE events SET hash = '{'0' * 64}' WHERE seq = 4",
        "UPDATE events SET hash = '' WHERE seq = 4",
    ],
)
def test_a_changed_record_is_named_by_the_audit_and_refused_at_the_start(path: Path, statement: str) -> None:
    do(path, statement)
    found = audit_file(path)
    assert (found.broken, found.records) == (4, 3)
    assert "Record 4 " in found.words
    assert "ecord 4 " in refusal(path)


def test_a_record_that_was_taken_out_is_named(path: Path) -> None:
    do(path, "DELETE FROM events WHERE seq = 2")
    assert audit_file(path).words == "Record 2 is missing from the event log."
    assert "1 of 5 records are missing" in refusal(path)


def test_a_record_that_was_replaced_together_with_its_hash_shows_at_the_next_one(path: Path) -> None:
    with closing(sqlite3.connect(path)) as raw:
        before = raw.execute("SELECT hash FROM events WHERE seq = 2").fetchone()[0]
    made = link(before, (3, 1.0, "mallory", "coordinator-started", "", "", '{"term":3}'))
    do(path, f"UPDATE events SET by = 'mallory', hash = '{made}' WHERE seq = 3")
    assert audit_file(path).broken == 4
    assert "ecord 4 " in refusal(path)


def test_an_end_that_was_cut_off_is_refused_since_its_head_is_kept_beside(path: Path) -> None:
    do(path, "DELETE FROM events WHERE seq > 3")
    assert audit_file(path).words == ""  # a chain alone can't show it
    assert "it ends at record 3, and ended at 5" in refusal(path)


def test_an_end_that_was_written_anew_is_refused(path: Path) -> None:
    with closing(sqlite3.connect(path)) as raw:
        before = raw.execute("SELECT hash FROM events WHERE seq = 4").fetchone()[0]
    made = link(before, (5, 3.0, "mallory", "coordinator-started", "", "", '{"term":4}'))
    do(path, f"UPDATE events SET by = 'mallory', hash = '{made}' WHERE seq = 5")
    assert audit_file(path).words == ""
    assert "record 5 is another one" in refusal(path)


@pytest.mark.parametrize("text", [None, "", "nothing\n", "2:abc\n"])
def test_a_head_that_is_lost_or_unreadable_keeps_nobody_from_starting(path: Path, text: str | None) -> None:
    head = path.with_suffix(".head")
    head.unlink()
    if text is not None:
        head.write_text(text)
    with closing(EventLog.open(path)) as log:
        kept = log.head
    assert head.read_text().strip() == str(kept)


def test_a_head_that_lags_behind_after_a_power_cut_is_no_damage(path: Path) -> None:
    with closing(EventLog.open(path)) as log:
        older = path.with_suffix(".head").read_text()
        log.append([CoordinatorStarted(5)], at=4.0, by="x")
    path.with_suffix(".head").write_text(older)
    EventLog.open(path).close()


def test_reading_in_parts_checks_the_same_chain(path: Path) -> None:
    do(path, "UPDATE events SET by = 'mallory' WHERE seq = 4")
    with closing(EventLog.open(path)) as log:
        assert [record.seq for record in log.read(0, 3)] == [1, 2, 3]
        with pytest.raises(Permanent, match="Record 4 "):
            log.read(3, 3)
        assert [record.seq for record in log.read(4, 3)] == [5]


def older(path: Path, rows: Sequence[tuple[int, str]] = ((1, "a"), (2, "b"))) -> None:
    """A log of the version that had no chain."""
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.executescript(SCHEMA_1)
        for seq, by in rows:
            body = f'{{"term":{seq}}}'
            raw.execute("INSERT INTO events VALUES (?, 1.0, ?, 'coordinator-started', '', '', ?)", (seq, by, body))


def test_a_log_without_a_chain_gets_one_from_its_next_record_on_and_says_so(tmp_path: Path) -> None:
    older(tmp_path / "events.sqlite")
    with closing(EventLog.open(tmp_path / "events.sqlite")) as log:
        log.append([CoordinatorStarted(3)], at=2.0, by="c")
        log.append([CoordinatorStarted(4)], at=3.0, by="c")
        assert len(log.read()) == 4
    found = audit_file(tmp_path / "events.sqlite")
    assert (found.records, found.chained_from, found.words) == (4, 3, "")


def test_records_from_before_the_chain_can_not_be_changed_unseen_any_more(tmp_path: Path) -> None:
    path = tmp_path / "events.sqlite"
    older(path)
    with closing(EventLog.open(path)) as log:
        log.append([CoordinatorStarted(3)], at=2.0, by="c")
    do(path, "UPDATE events SET by = 'mallory' WHERE seq = 1")
    found = audit_file(path)
    assert found.broken == 3
    assert "or one of the 2 before it" in found.words
    assert "ecord 3 " in refusal(path)


def test_what_is_no_event_log_is_refused_by_the_audit_in_words(tmp_path: Path) -> None:
    with pytest.raises(Temporary, match="can't be read"):
        audit_file(tmp_path / "events.sqlite")
    (tmp_path / "text").write_text("no database " * 1000)
    with pytest.raises(Permanent, match="damaged"):
        audit_file(tmp_path / "text")
    sqlite3.connect(tmp_path / "other").execute("CREATE TABLE t (a)").connection.close()
    with pytest.raises(Permanent, match="schema 0"):
        audit_file(tmp_path / "other")
    assert not (tmp_path / "events.sqlite").exists()
