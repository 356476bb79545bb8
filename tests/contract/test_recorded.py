"""Event logs and messages of every release are read by this version; `python -m tests.record_release` records them."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel
from record_release import FOLDER, START, summary

from noonday_agent.core.journal import Journal
from noonday_agent.core.take import take
from noonday_coordinator.core.decide import decide
from noonday_coordinator.core.events import CoordinatorStarted, Event, Record, Stage
from noonday_coordinator.core.evolve import evolve, fold
from noonday_coordinator.core.state import Host, State
from noonday_coordinator.core.view import CATCH_UP, View
from noonday_coordinator.engine import MOST_ROUNDS
from noonday_coordinator.inbox import open_evidence, open_snapshot
from noonday_coordinator.store.event_log import EventLog
from noonday_coordinator.store.log_file import audit_file
from noonday_coordinator.words import say
from noonday_shared.envelope import open_sealed, read_envelope
from noonday_shared.errors import BadInput
from noonday_shared.keys import PublicKey
from noonday_shared.messages import Assignment, Evidence, Outcome, Snapshot
from noonday_shared.messages.assignment import KIND as ASSIGNMENT
from noonday_shared.messages.evidence import KIND as EVIDENCE
from noonday_shared.messages.snapshot import KIND as STATE
from noonday_shared.release import KIND as RELEASE
from noonday_shared.release import SignedRelease

WEEK = 7
"""Days after which whoever waits for something has given up, or asked a person."""
LOGS = sorted(FOLDER.glob("log-*.sql"))
MESSAGES = [
    pytest.param(kind, one["public_key"], sealed, id=f"{file.stem.removeprefix('messages-')}-{kind}-{number}")
    for file in sorted(FOLDER.glob("messages-*.json"))
    for kind, one in json.loads(file.read_text()).items()
    for number, sealed in enumerate(one["sealed"], 1)
]
MODELS: dict[str, type[BaseModel]] = {
    ASSIGNMENT: Assignment,
    STATE: Snapshot,
    EVIDENCE: Evidence,
    RELEASE: SignedRelease,
}


def database(sql: str, folder: Path) -> Path:
    path = folder / "events.sqlite"
    with closing(sqlite3.connect(path)) as raw:
        raw.executescript(sql)
    return path


def test_there_are_recordings_of_a_log_with_and_without_a_chain_and_of_every_message() -> None:
    assert len(LOGS) >= 2
    assert {param.values[0] for param in MESSAGES} == set(MODELS)


@pytest.mark.parametrize("recorded", LOGS, ids=lambda path: path.stem)
def test_a_recorded_log_adds_up_to_what_it_did_and_goes_on(recorded: Path, tmp_path: Path) -> None:
    path = database(recorded.read_text(), tmp_path)
    with closing(EventLog.open(path)) as log:
        records = log.read()
        assert summary(records) == json.loads(recorded.with_suffix(".json").read_text())
        assert all(say(record.event) for record in records)
        log.append([CoordinatorStarted(99)], at=START, by="coordinator")
    with closing(EventLog.open(path)) as log:
        assert len(log.read()) == len(records) + 1
    assert audit_file(path).words == ""


def test_the_recording_of_this_version_holds_every_kind_of_event_that_it_knows(tmp_path: Path) -> None:
    """A kind that came after it was recorded: `python -m tests.record_release --again`, until this version is out."""
    recorded = FOLDER / f"log-{version('noonday-coordinator')}.sql"
    with closing(EventLog.open(database(recorded.read_text(), tmp_path))) as log:
        kinds = {type(record.event) for record in log.read()}
    assert {kind.__name__ for kind in set(get_args(Event)) - kinds} == set()


@pytest.mark.parametrize("heard", [True, False], ids=["with hosts that speak", "with hosts that are silent"])
@pytest.mark.parametrize("recorded", LOGS, ids=lambda path: path.stem)
def test_a_coordinator_that_was_stopped_at_any_record_comes_to_rest_and_waits_for_nothing_for_ever(
    recorded: Path, heard: bool, tmp_path: Path
) -> None:
    state = State()
    with closing(EventLog.open(database(recorded.read_text(), tmp_path))) as log:
        records = log.read()
    for record in records:
        state = evolve(state, record)
        later, seen = state, dict.fromkeys(state.hosts, record.at) if heard else {}
        for days in range(WEEK):
            now = record.at + CATCH_UP + 86_400.0 * days
            seen = dict.fromkeys(seen, now)
            later = at_rest(later, View(last_seen=seen, since=record.at), now)
        for rollout in later.rollouts.values():
            person = rollout.asked or rollout.paused_by or rollout.stage is Stage.GATE
            assert rollout.end or person, f"record {record.seq}: {rollout.id} is {rollout.stage}, and nobody knows why"


def at_rest(state: State, view: View, now: float) -> State:
    """After all that follows from it now."""
    for _ in range(MOST_ROUNDS):
        events = decide(state, view, now)
        if not events:
            return state
        state = fold([Record(0, now, "coordinator", event) for event in events], state)
    raise AssertionError("something always follows")


@pytest.mark.parametrize(("kind", "key", "sealed"), MESSAGES)
def test_a_recorded_message_is_opened_with_its_key_and_nothing_of_it_is_lost(kind: str, key: str, sealed: str) -> None:
    message = open_sealed(sealed.encode(), kind, MODELS[kind], [PublicKey.parse(key)])
    told = json.loads(read_envelope(sealed.encode(), kind).body)
    assert part_of(json.loads(message.model_dump_json()), told) == told


def part_of(value: Any, told: Any) -> Any:
    """`value` without the fields that a newer version added."""
    if isinstance(value, dict) and isinstance(told, dict):
        return {key: part_of(value[key], told[key]) for key in told if key in value}
    if isinstance(value, list) and isinstance(told, list) and len(value) == len(told):
        return [part_of(one, other) for one, other in zip(value, told, strict=True)]
    return value


@pytest.mark.parametrize(("kind", "key", "sealed"), MESSAGES)
def test_a_message_of_another_schema_is_refused_with_a_word(kind: str, key: str, sealed: str) -> None:
    newer = json.dumps({**json.loads(sealed), "schema": 2}).encode()
    with pytest.raises(BadInput, match="schema 2 is not known here") as caught:
        open_sealed(newer, kind, MODELS[kind], [PublicKey.parse(key)])
    assert caught.value.rule == "unknown-schema"


@pytest.mark.parametrize(("kind", "key", "sealed"), MESSAGES)
def test_each_side_takes_in_what_a_release_of_the_other_side_sent(kind: str, key: str, sealed: str) -> None:
    hosts = {"web-1": Host("web-1", {}, key)}
    match kind:
        case "assignment":
            message = open_sealed(sealed.encode(), kind, Assignment, [PublicKey.parse(key)])
            journal = take(Journal("web"), message, host="web-1", now=START)
            assert (journal.assignment, journal.outcome) == (message, Outcome.WORKING)
        case "state":
            assert open_snapshot(sealed.encode(), hosts).host == "web-1"
        case "evidence":
            assert open_evidence(sealed.encode(), hosts).host == "web-1"
