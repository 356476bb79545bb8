"""A unit's journal, followed through a journalctl that is a program of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from noonday_agent.evidence.journal import LONGEST_ENTRY, RETRY, Journal
from support.eventually import eventually
from support.fake_clock import FakeClock
from support.journalctl import StandInJournal

Open = Callable[..., Journal]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def stand_in(tmp_path: Path) -> StandInJournal:
    return StandInJournal(tmp_path)


@pytest.fixture
def follow(stand_in: StandInJournal, clock: FakeClock) -> Iterator[Open]:
    opened: list[Journal] = []

    def start(cursor: str = "") -> Journal:
        runs = len(stand_in.calls)
        opened.append(Journal("web.service", clock, cursor, program=stand_in.program))
        eventually(lambda: len(stand_in.calls) > runs, what="journalctl's start")
        # It says so once it stands at the place that it follows from.
        eventually(lambda: opened[-1].read(1 << 20) == [] and opened[-1]._said == "ready", what="its place")
        return opened[-1]

    yield start
    for one in opened:
        one.close()


def read(journal: Journal, count: int) -> list[bytes]:
    lines: list[bytes] = []

    def enough() -> bool:
        lines.extend(journal.read(1 << 20))
        return len(lines) >= count

    eventually(enough, what=f"{count} lines")
    return lines


def test_what_was_logged_before_is_history(stand_in: StandInJournal, follow: Open) -> None:
    stand_in.log("before")
    journal = follow()
    stand_in.log("after")
    assert read(journal, 1) == [b"after"]
    assert journal.trouble == ""
    assert "--unit=web.service" in stand_in.calls[0]


def test_a_new_agent_goes_on_after_the_cursor_of_the_old_one(stand_in: StandInJournal, follow: Open) -> None:
    first = stand_in.log("one")
    stand_in.log("two")
    last = stand_in.log("three")
    journal = Journal("web.service", FakeClock(), first, program=stand_in.program)
    assert read(journal, 2) == [b"two", b"three"]
    assert journal.cursor == last
    journal.close()


def test_an_entry_of_several_lines_or_of_bytes_is_given_line_by_line(stand_in: StandInJournal, follow: Open) -> None:
    journal = follow()
    stand_in.log("Traceback (most recent call last):\n  File x\nValueError: y")
    stand_in.log(list(b"\xffbinary\x00"))
    stand_in.log(None)
    assert read(journal, 5)[:4] == [
        b"Traceback (most recent call last):",
        b"  File x",
        b"ValueError: y",
        b"\xffbinary\x00",
    ]


def test_a_level_that_only_the_priority_tells_is_said_in_the_line(stand_in: StandInJournal, follow: Open) -> None:
    journal = follow()
    stand_in.log("disk full", "3")
    stand_in.log("2026-01-01 12:00:00 INFO has its own", "3")
    stand_in.log("plain", "6")
    stand_in.log("odd", "x")
    assert read(journal, 4) == [b"ERROR: disk full", b"2026-01-01 12:00:00 INFO has its own", b"plain", b"odd"]


def test_what_is_no_entry_and_too_long_a_one_are_dropped_and_counted(stand_in: StandInJournal, follow: Open) -> None:
    journal = follow()
    stand_in.raw(b'{"__CURSOR": 1, "MESSAGE": [700]}')
    stand_in.raw(b"{" + b"x" * (2 * LONGEST_ENTRY))
    stand_in.log("next")
    assert read(journal, 1) == [b"next"]
    assert journal.dropped > 2 * LONGEST_ENTRY


def test_a_journalctl_that_ends_is_named_and_started_again_where_it_was(
    stand_in: StandInJournal, follow: Open, clock: FakeClock
) -> None:
    journal = follow()
    cursor = stand_in.log("one")
    assert read(journal, 1) == [b"one"]
    stand_in.refuse("No journal files were opened due to insufficient permissions.")
    assert journal._process is not None
    journal._process.kill()
    eventually(lambda: journal.read(100) == [] and journal.trouble, what="the trouble")
    clock.move(RETRY)
    eventually(lambda: journal.read(100) == [] and "insufficient permissions" in journal.trouble, what="its words")
    stand_in.refuse("")
    journal.cursor = cursor
    stand_in.log("two")
    clock.move(RETRY)
    assert read(journal, 1) == [b"two"]
    assert journal.trouble == ""


def test_a_missing_journalctl_is_a_sentence(clock: FakeClock) -> None:
    journal = Journal("web.service", clock, program="/nonexistent/journalctl")
    assert journal.read(100) == []
    assert "No such file" in journal.trouble
    assert (journal.behind, journal.dropped) == (0, 0)
    journal.skip_to_end()
    journal.close()


def test_what_waits_is_skipped_counted_and_not_read_later(stand_in: StandInJournal, follow: Open) -> None:
    journal = follow()
    stand_in.log("w" * 500)
    eventually(lambda: journal.behind > 500, what="the entry in the pipe")
    runs = len(stand_in.calls)
    journal.skip_to_end()
    assert journal.dropped > 500
    eventually(lambda: len(stand_in.calls) > runs, what="a new journalctl")
    eventually(lambda: journal.read(1 << 20) == [] and journal._said == "ready", what="its place")
    stand_in.log("later")
    assert read(journal, 1) == [b"later"]
