from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import pytest

from noonday_coordinator.core.events import (
    Assigned,
    CoordinatorStarted,
    End,
    Event,
    Finding,
    HostEnrolled,
    HostReported,
    LogsWatched,
    ReleasePushed,
    Report,
    RolloutEnded,
    RolloutStarted,
    Stage,
    StageEntered,
    VerdictReached,
)
from noonday_coordinator.core.policy import Policy
from noonday_coordinator.store.codec import from_json, kind_of, to_json
from noonday_coordinator.store.event_log import EventLog
from noonday_coordinator.words import say
from noonday_shared.errors import Permanent, Temporary
from noonday_shared.messages import Goal, Outcome, Phase, TroubleReport
from noonday_shared.names import ReleaseRef
from noonday_shared.release import HookFiles, ReleaseManifest

OLD = ReleaseRef(version="1.0.0", digest="a" * 64)
NEW = ReleaseRef(version="1.1.0", digest="b" * 64)
POLICY = Policy(app="web", hosts={"role": "web"}, gates=("canary", 1), waves=("50%", 2))
REPORT = Report(
    boot=1,
    seq=7,
    term=2,
    generation=3,
    outcome=Outcome.REVERTED,
    phase=Phase.PROVING,
    step="prove",
    live=OLD.id,
    proven=OLD,
    prepared=(OLD.id, NEW.id),
    in_service=True,
    healthy=None,
    trouble=TroubleReport(rule="old-code", step="prove", text="The old code still runs."),
    seconds_out=1.5,
    timings={"drain": 0.5},
)
FINDING = Finding("k", "new-error", True, "ERROR new with 1.1.0", counts={"web-1": 3}, samples=("boom",))

EXAMPLES: tuple[Event, ...] = (
    CoordinatorStarted(4),
    HostEnrolled("web-1", {"role": "web"}, "key"),
    HostReported("web-1", "web", REPORT),
    ReleasePushed("web", NEW, 9, ReleaseManifest(app="web", version="1.1.0", hooks=HookFiles(pre_activate="bin/x"))),
    Assigned("web-1", "web", 5, Goal.SERVING, NEW, OLD, "r1", 60.0, True),
    RolloutStarted("r1", "web", "deploy", NEW, OLD, POLICY, (("web-1",), ("web-2", "web-3"))),
    StageEntered("r1", Stage.EXAMINING, 0, "compared", 99.5),
    VerdictReached("r1", "roll back", "new errors", 200, (FINDING,)),
    RolloutEnded("r1", End.ROLLED_BACK, "new errors"),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "events.sqlite"


@pytest.fixture
def log(path: Path) -> Iterator[EventLog]:
    log = EventLog.open(path)
    yield log
    log.close()


def every_event() -> list[Event]:
    """One of each kind: those above, and the plain ones filled by their fields' names."""
    made = {type(event) for event in EXAMPLES}
    plain: list[Event] = []
    for kind in get_args(Event):
        if kind not in made:
            values: dict[str, Any] = {field.name: field.name for field in fields(kind)}
            values |= {"release": NEW} if "release" in values else {}
            values |= {"until": 5.0} if "until" in values else {}
            values |= {"backup_at": 5.0, "term": 7, "generation": 9} if "backup_at" in values else {}
            values |= {"by": -7200.0} if "by" in values else {}
            values |= {"holds": True} if "holds" in values else {}
            values |= {"status": "muted", "rate": 0.5, "per": "second", "cluster": 7} if "rate" in values else {}
            plain.append(kind(**values))
    return [*EXAMPLES, *plain]


@pytest.mark.parametrize("event", every_event(), ids=kind_of)
def test_an_event_comes_back_from_json_as_it_went(event: Event) -> None:
    assert from_json(kind_of(event), to_json(event)) == event


@pytest.mark.parametrize("event", every_event(), ids=kind_of)
def test_every_event_is_a_sentence(event: Event) -> None:
    words = say(event)
    assert words[0].isupper() or words.startswith(("web", "host", "app"))
    assert words.endswith((".", "question"))
    assert ".." not in words


@pytest.mark.parametrize(("at", "where"), [('{"rollout"', "newer"), ('"examine":', "policy.newer")])
def test_a_field_of_a_newer_version_is_refused_also_deep_inside(at: str, where: str) -> None:
    body = to_json(EXAMPLES[5])
    assert at in body
    later = body.replace(at, '{"newer":1,"rollout"' if at.startswith("{") else f'"newer":1,{at}')
    with pytest.raises(Permanent, match=f"has a field {where}, which this version does not know"):
        from_json("rollout-started", later)


def test_a_field_that_an_older_version_did_not_write_gets_its_default() -> None:
    body = to_json(VerdictReached("r1", "promote", "fine"))
    assert '"judged_at":0.0' in body
    assert from_json("verdict-reached", body.replace(',"judged_at":0.0', "")) == VerdictReached("r1", "promote", "fine")


def test_an_unknown_kind_is_refused_and_never_skipped() -> None:
    with pytest.raises(Permanent, match="'fleet-blessed'"):
        from_json("fleet-blessed", "{}")


def test_what_was_appended_is_read_in_order_with_numbers_without_gaps(log: EventLog) -> None:
    log.append(EXAMPLES[:3], at=10.0, by="alice")
    given = log.append(EXAMPLES[3:], at=11.0, by="coordinator")
    records = log.read()
    assert [record.seq for record in records] == list(range(1, len(EXAMPLES) + 1))
    assert [record.event for record in records] == list(EXAMPLES)
    assert records[3:] == list(given)
    assert (records[0].at, records[0].by) == (10.0, "alice")


def test_reading_goes_on_after_a_number_up_to_a_limit(log: EventLog) -> None:
    log.append(EXAMPLES, at=1.0, by="alice")
    assert [record.seq for record in log.read(after=4, limit=2)] == [5, 6]
    assert log.read(after=99) == []


def test_a_log_opened_again_goes_on_where_it_stopped(path: Path) -> None:
    log = EventLog.open(path)
    log.append(EXAMPLES, at=1.0, by="alice")
    log.close()
    again = EventLog.open(path)
    assert [record.event for record in again.read()] == list(EXAMPLES)
    assert again.append([CoordinatorStarted(5)], at=2.0, by="coordinator")[0].seq == len(EXAMPLES) + 1
    again.close()


def test_a_rollouts_records_hold_what_its_hosts_reported_meanwhile(path: Path) -> None:
    log = EventLog.open(path)
    started, stage, verdict, ended = EXAMPLES[5:]
    log.append([HostReported("web-1", "web", REPORT), started], at=1.0, by="x")
    log.close()
    log = EventLog.open(path)  # which app a rollout is of must survive a restart
    log.append([HostReported("web-2", "web", REPORT), HostReported("web-2", "api", REPORT), stage], at=2.0, by="x")
    log.append([verdict, ended, HostReported("web-3", "web", REPORT)], at=3.0, by="x")
    assert [record.seq for record in log.of_rollout("r1")] == [2, 3, 5, 6, 7]
    assert [record.seq for record in log.of_rollout("r1", after=3, limit=2)] == [5, 6]
    assert log.of_rollout("") == []
    log.close()


def test_what_is_told_of_an_app_leaves_reports_and_orders_out(log: EventLog) -> None:
    log.append([*EXAMPLES, LogsWatched("web", 1.0)], at=1.0, by="x")
    assert [record.seq for record in log.told("web")] == [9, 8, 7, 6, 4]
    assert [record.seq for record in log.told("web", before=8, limit=2)] == [7, 6]
    assert [record.seq for record in log.told()] == [9, 8, 7, 6, 4, 2, 1]
    assert log.told("api") == []


def test_the_newest_record_of_a_kind_is_found(log: EventLog) -> None:
    log.append(EXAMPLES, at=1.0, by="x")
    found = log.newest("r1", "verdict-reached")
    assert found is not None
    assert found.event == EXAMPLES[7]
    assert log.newest("r2", "verdict-reached") is None


def test_an_append_that_fails_keeps_nothing_and_the_next_one_works(log: EventLog) -> None:
    log.append([CoordinatorStarted(1)], at=1.0, by="x")
    pages = log._writer.execute("PRAGMA page_count").fetchone()[0]
    log._writer.execute(f"PRAGMA max_page_count = {pages}")
    big = [HostEnrolled(f"web-{n}", {"role": "x" * 500}, "key") for n in range(100)]
    with pytest.raises(Temporary, match="full"):
        log.append(big, at=2.0, by="x")
    log._writer.execute("PRAGMA max_page_count = 100000")
    assert log.append([CoordinatorStarted(2)], at=3.0, by="x")[0].seq == 2
    assert [record.event for record in log.read()] == [CoordinatorStarted(1), CoordinatorStarted(2)]


def test_a_second_coordinator_is_refused_by_a_sentence_that_names_the_first(log: EventLog, path: Path) -> None:
    with pytest.raises(Permanent, match=r"Another coordinator \(process \d+\)") as caught:
        EventLog.open(path)
    assert caught.value.rule == "second-coordinator"
    log.close()
    EventLog.open(path).close()


def test_a_damaged_log_is_refused_and_left_as_it_is(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is no database, whatever its name says" * 100)
    before = path.read_bytes()
    with pytest.raises(Permanent, match="damaged"):
        EventLog.open(path)
    assert path.read_bytes() == before


def test_a_log_with_missing_records_is_refused(path: Path) -> None:
    log = EventLog.open(path)
    log.append(EXAMPLES, at=1.0, by="x")
    log.close()
    with sqlite3.connect(path) as raw:
        raw.execute("DELETE FROM events WHERE seq = 3")
    raw.close()
    with pytest.raises(Permanent, match="1 of 9 records are missing"):
        EventLog.open(path)


def test_a_log_of_a_newer_version_is_refused(path: Path) -> None:
    EventLog.open(path).close()
    with sqlite3.connect(path) as raw:
        raw.execute("PRAGMA user_version = 99")
    raw.close()
    with pytest.raises(Permanent, match="schema 99"):
        EventLog.open(path)


def test_a_folder_that_can_not_be_made_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Permanent, match="can't be used"):
        EventLog.open(tmp_path / "file" / "events.sqlite")


def test_damage_that_comes_later_is_found_by_looking(log: EventLog) -> None:
    log.append(EXAMPLES, at=1.0, by="x")
    assert log.trouble() == ""
    log._writer.execute("DELETE FROM events WHERE seq = 2")
    assert "missing" in log.trouble()


def test_every_commit_is_flushed_to_disk(log: EventLog) -> None:
    assert log._writer.execute("PRAGMA synchronous").fetchone()[0] == 2
    assert log._writer.execute("PRAGMA journal_mode").fetchone()[0] == "wal"


def test_threads_that_append_and_read_at_once_make_one_sequence(log: EventLog) -> None:
    def work(name: str) -> None:
        for _ in range(20):
            log.append([CoordinatorStarted(1), CoordinatorStarted(2)], at=1.0, by=name)
            log.read(limit=5)

    threads = [threading.Thread(target=work, args=(f"t{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [record.seq for record in log.read()] == list(range(1, 161))
