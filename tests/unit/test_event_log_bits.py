"""Bytes that turned on the disk, anywhere in an event log: a start refuses it in words, or nothing of it is lost."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bench.long_log import write
from noonday_coordinator.core.evolve import fold
from noonday_coordinator.store.event_log import EventLog
from noonday_coordinator.store.folded import FoldedState
from noonday_coordinator.store.log_file import audit_file
from noonday_shared.errors import NoondayError, Permanent
from noonday_shared.keys import SigningKey

TABLE, INDEX, INNER = 13, 10, 5
"""How SQLite marks a page: a leaf of a table, a leaf of an index, and one that leads to leaves."""
FLIPS = 150
KEY = SigningKey.new()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three rollouts on four hosts, with the head beside it."""
    path = tmp_path_factory.mktemp("whole") / "events.sqlite"
    with closing(EventLog.open(path)) as log:
        write(log, 3)
    return path


@pytest.fixture
def damaged(whole: Path, tmp_path: Path) -> Callable[[int, bytes], Path]:
    """Makes a copy of it that has other bytes from a place on."""

    def make(place: int, others: bytes) -> Path:
        path = tmp_path / "events.sqlite"
        for old in tmp_path.glob("events.*"):
            old.unlink()
        raw = whole.read_bytes()
        path.write_bytes(raw[:place] + others + raw[place + len(others) :])
        shutil.copy(whole.with_suffix(".head"), tmp_path)
        return path

    return make


def pages(path: Path, mark: int) -> list[int]:
    """Where they begin."""
    raw = path.read_bytes()
    size = int.from_bytes(raw[16:18], "big")
    return [at for at in range(size, len(raw), size) if raw[at] == mark]


def place_of(path: Path, words: bytes, mark: int) -> int:
    """Where these words first stand on a page of that kind."""
    raw = path.read_bytes()
    size = int.from_bytes(raw[16:18], "big")
    found = (raw.find(words, at, at + size) for at in pages(path, mark))
    return next(place for place in found if place >= 0)


def everything(path: Path) -> tuple[Any, ...]:
    """All that a coordinator reads: at its start, and for a history."""
    with closing(EventLog.open(path)) as log:
        records = log.read()
        return records, log.told(limit=1000), [log.of_rollout(name) for name in fold(records).rollouts]


def refusal(path: Path) -> str:
    with pytest.raises(Permanent) as caught:
        everything(path)
    assert "noonday audit --log" in caught.value.next_action
    assert "restore a backup" in caught.value.next_action
    return caught.value.text


def refused_or_read(path: Path) -> tuple[Any, ...] | NoondayError:
    """Any other error is a failure: it has no words for an operator."""
    try:
        found = everything(path)
    except NoondayError as error:
        return error
    assert audit_file(path).words == ""
    return found


@pytest.mark.parametrize("mark", [TABLE, INDEX, INNER], ids=["table", "index", "inner"])
def test_a_page_that_is_overwritten_keeps_a_coordinator_from_starting(
    whole: Path, damaged: Callable[[int, bytes], Path], mark: int
) -> None:
    path = damaged(pages(whole, mark)[-1], b"\xff" * 512)
    assert "SQLite finds damage in the event log" in refusal(path) or "is damaged" in refusal(path)
    before = path.read_bytes()
    refusal(path)
    assert path.read_bytes() == before, "it was left as it is"


def test_a_record_whose_text_turned_is_named_at_the_start_and_by_the_audit(
    whole: Path, damaged: Callable[[int, bytes], Path]
) -> None:
    path = damaged(place_of(whole, b"charge failed", TABLE), b"C")
    assert "Record " in refusal(path)
    assert "is not as it was written" in refusal(path)
    assert audit_file(path).broken > 1


def test_text_that_is_no_text_any_more_is_refused_in_words_and_the_audit_names_its_record(
    whole: Path, damaged: Callable[[int, bytes], Path]
) -> None:
    path = damaged(place_of(whole, b"charge failed", TABLE), b"\xff")
    assert refusal(path).endswith("is damaged (a text in it is not UTF-8).")
    found = audit_file(path)
    assert f"Record {found.broken} of the event log is not as it was written" in found.words


def test_an_index_that_leaves_a_record_out_is_refused_since_a_history_would_leave_it_out_too(
    whole: Path, damaged: Callable[[int, bytes], Path]
) -> None:
    path = damaged(place_of(whole, b"r2", INDEX), b"r9")
    assert "missing from index events_of_rollout" in refusal(path)
    assert "missing from index events_of_rollout" in audit_file(path).words


def test_whatever_bit_turns_it_is_refused_in_words_or_nothing_is_lost(
    whole: Path, damaged: Callable[[int, bytes], Path]
) -> None:
    raw, chance, refused, expected = whole.read_bytes(), random.Random(4), 0, everything(whole)
    index = pages(whole, INDEX)
    for number in range(FLIPS):
        # Half of them in the few pages of the indexes, which hold a tenth of the bytes and none of the chain.
        start = chance.choice(index) if number % 2 else 0
        place = start + chance.randrange(4096 if number % 2 else len(raw))
        path = damaged(place, bytes([raw[place] ^ 1 << chance.randrange(8)]))
        found = refused_or_read(path)
        if isinstance(found, NoondayError):
            assert found.next_action, f"byte {place}: {found.text}"
            refused += 1
        else:
            assert found == expected, f"byte {place} turned, and nobody saw it"
    assert refused > FLIPS / 2, "most bytes matter"


def test_a_record_below_the_kept_state_that_was_changed_shows_in_the_audit_though_a_start_does_not_read_it(
    whole: Path, damaged: Callable[[int, bytes], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = damaged(place_of(whole, b"charge failed", TABLE), b"C")
    monkeypatch.setattr("noonday_coordinator.store.folded.EVERY", 1)
    with closing(EventLog.open(whole)) as log:
        kept = FoldedState(path.with_suffix(".folded"), KEY)
        kept.note(fold(log.read()), log.head)
        kept.close()
    with closing(EventLog.open(path)) as log:
        state, seq = FoldedState(path.with_suffix(".folded"), KEY).load(log.leads_to)
        assert (len(state.rollouts), seq) == (3, log.head.seq)
        assert log.read(seq) == []
        assert "is not as it was written" in log.trouble(), "what a doctor asks"
    assert 1 < audit_file(path).broken < seq
