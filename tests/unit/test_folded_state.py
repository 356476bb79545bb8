"""The state that is kept beside the log: a start from it is a start from the log, or it is not used."""

from __future__ import annotations

import json
import threading
from contextlib import closing
from pathlib import Path

import pytest

from bench.long_log import write
from noonday_coordinator.core.evolve import fold
from noonday_coordinator.core.state import State
from noonday_coordinator.store import folded as module
from noonday_coordinator.store.event_log import EventLog
from noonday_coordinator.store.folded import EVERY, FoldedState
from noonday_shared.keys import SigningKey

KEY = SigningKey.new()


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two whole rollouts on four hosts, with the state they add up to beside it."""
    path = tmp_path_factory.mktemp("log") / "events.sqlite"
    with pytest.MonkeyPatch.context() as patch, closing(EventLog.open(path)) as log:
        patch.setattr(module, "EVERY", write(log, 2))
        kept = FoldedState(path.with_suffix(".folded"), KEY)
        kept.note(fold(log.read()), log.head)
        kept.close()
    return path


def load(log: Path, key: SigningKey = KEY) -> tuple[State, int]:
    with closing(EventLog.open(log)) as opened:
        return FoldedState(log.with_suffix(".folded"), key).load(opened.leads_to)


def test_what_was_kept_is_what_the_log_adds_up_to(log: Path) -> None:
    state, seq = load(log)
    with closing(EventLog.open(log)) as opened:
        assert (state, seq) == (fold(opened.read()), opened.head.seq)
    assert len(state.rollouts) == 2


def test_it_is_passed_over_when_another_key_signed_it(log: Path) -> None:
    assert load(log, SigningKey.new()) == (State(), 0)


def test_it_is_passed_over_when_other_code_made_it(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_code", lambda: "of another version")
    assert load(log) == (State(), 0)


@pytest.mark.parametrize("damage", ["cut", "turned", "renumbered", "empty"])
def test_it_is_passed_over_when_it_was_changed(log: Path, tmp_path: Path, damage: str) -> None:
    raw = log.with_suffix(".folded").read_bytes()
    first, _, body = raw.partition(b"\n")
    said = json.loads(first)
    changed = {
        "cut": raw[: len(raw) // 2],
        "turned": first + b"\n" + body[:-1] + bytes([body[-1] ^ 1]),
        "renumbered": json.dumps({**said, "seq": said["seq"] - 1}).encode() + b"\n" + body,
        "empty": b"",
    }[damage]
    (tmp_path / "changed").write_bytes(changed)
    with closing(EventLog.open(log)) as opened:
        assert FoldedState(tmp_path / "changed", KEY).load(opened.leads_to) == (State(), 0)


def test_it_is_passed_over_when_the_log_is_another_one(log: Path, tmp_path: Path) -> None:
    with closing(EventLog.open(tmp_path / "events.sqlite")) as other:
        write(other, 2)  # as long, but hosts have other keys in it
        assert FoldedState(log.with_suffix(".folded"), KEY).load(other.leads_to) == (State(), 0)


def test_it_is_kept_anew_only_after_many_records(log: Path, tmp_path: Path) -> None:
    with closing(EventLog.open(log)) as opened:
        kept = FoldedState(tmp_path / "folded", KEY)
        state = fold(opened.read())
        head = opened.head
        kept.note(state, type(head)(EVERY - 1, head.hash))
        kept.close()
        assert not (tmp_path / "folded").exists()
        kept.note(state, type(head)(EVERY, head.hash))
        kept.close()
        assert (tmp_path / "folded").stat().st_mode & 0o777 == 0o600


def test_what_is_still_written_at_the_stop_is_left(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    disk, begun = threading.Event(), threading.Event()

    def slowly(*_: object, **__: object) -> None:
        begun.set()
        disk.wait(30)

    monkeypatch.setattr(module, "write_whole", slowly)
    monkeypatch.setattr(module, "EVERY", 1)
    with closing(EventLog.open(log)) as opened:
        kept = FoldedState(tmp_path / "folded", KEY)
        kept.note(State(), opened.head)
    try:
        assert begun.wait(10)
        kept.close(within=0.2)
        assert "was not written within 0.2 s" in caplog.text
    finally:
        disk.set()
