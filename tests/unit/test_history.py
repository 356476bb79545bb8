from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from noonday_coordinator.store.history import SignatureHistory
from noonday_coordinator.store.lines import LineBuffer
from noonday_shared.errors import Permanent, Temporary
from noonday_shared.messages import Evidence, LogLine, SignatureCount


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "signatures.sqlite"


@pytest.fixture
def history(path: Path) -> Iterator[SignatureHistory]:
    history = SignatureHistory.open(path)
    yield history
    history.close()


def evidence(
    count: int,
    *,
    host: str = "web-1",
    release: str = "1.0.0-aaaaaaaa",
    key: str = "k1",
    boot: int = 1,
    epoch: int = 1,
    seq: int = 1,
    seen: tuple[float, float] = (100.0, 110.0),
    identity: int = 1,
    lines: tuple[str, ...] = (),
) -> Evidence:
    first, last = seen
    signature = SignatureCount(
        key=key, level="ERROR", text="payment of <num> failed", count=count, first_seen=first, last_seen=last
    )  # fmt: skip
    return Evidence(
        host=host,
        app="web",
        boot=boot,
        epoch=epoch,
        seq=seq,
        identity_version=identity,
        release=release,
        since=90.0,
        sent_at=last,
        signatures=(signature,),
        lines=tuple(LogLine(at=last, text=text) for text in lines),
    )


def test_evidence_that_is_repeated_counts_once(history: SignatureHistory) -> None:
    for _ in range(3):
        history.note(evidence(5))
    assert history.known("web")["k1"].count == 5


def test_a_late_smaller_count_changes_nothing(history: SignatureHistory) -> None:
    history.note(evidence(9))
    history.note(evidence(4))
    assert history.known("web")["k1"].count == 9


def test_a_new_start_of_counting_adds_to_what_was_counted_before(history: SignatureHistory) -> None:
    history.note(evidence(5, epoch=1))
    history.note(evidence(2, epoch=2))
    history.note(evidence(3, epoch=2))
    history.note(evidence(1, boot=2))
    assert history.known("web")["k1"].count == 5 + 3 + 1


def test_evidence_of_an_older_start_of_counting_changes_nothing(history: SignatureHistory) -> None:
    history.note(evidence(2, epoch=2))
    history.note(evidence(50, epoch=1))
    assert history.known("web")["k1"].count == 2


def test_a_signature_knows_its_releases_hosts_and_instants(history: SignatureHistory) -> None:
    history.note(evidence(1, seen=(100.0, 110.0)))
    history.note(evidence(2, host="web-2", release="1.1.0-bbbbbbbb", seen=(50.0, 90.0)))
    known = history.known("web")["k1"]
    assert known.releases == {"1.0.0-aaaaaaaa", "1.1.0-bbbbbbbb"}
    assert known.hosts == {"web-1", "web-2"}
    assert (known.first_seen, known.last_seen, known.count) == (50.0, 110.0, 3)
    assert (known.level, known.text) == ("ERROR", "payment of <num> failed")


def test_a_signature_that_never_occurred_is_not_known(history: SignatureHistory) -> None:
    history.note(evidence(0))
    assert history.known("web") == {}
    assert history.known("api") == {}


def test_keys_made_by_other_rules_are_kept_apart(history: SignatureHistory) -> None:
    history.note(evidence(5, identity=2))
    assert history.known("web") == {}
    assert history.known("web", identity=2)["k1"].count == 5


def test_history_survives_a_restart_and_counts_on(path: Path, history: SignatureHistory) -> None:
    history.note(evidence(5))
    history.note(evidence(2, epoch=2, key="k2"))
    before = dict(history.known("web"))
    history.close()
    again = SignatureHistory.open(path)
    assert dict(again.known("web")) == before
    again.note(evidence(4, epoch=2))
    assert again.known("web")["k1"].count == 9
    again.close()


def test_asking_again_costs_nothing_until_something_new_is_noted(history: SignatureHistory) -> None:
    history.note(evidence(5))
    first = history.known("web")
    history.note(evidence(5))
    assert history.known("web") is first
    history.note(evidence(6))
    assert history.known("web") is not first


def test_what_the_disk_refuses_is_not_known_either(history: SignatureHistory) -> None:
    pages = history._connection.execute("PRAGMA page_count").fetchone()[0]
    history._connection.execute(f"PRAGMA max_page_count = {pages}")
    one = evidence(1).signatures[0]
    many = tuple(one.model_copy(update={"key": f"key-{n}", "text": "x" * 2000}) for n in range(100))
    with pytest.raises(Temporary, match="full"):
        history.note(evidence(1).model_copy(update={"signatures": many}))
    assert history.known("web") == {}
    history._connection.execute("PRAGMA max_page_count = 100000")
    history.note(evidence(1).model_copy(update={"signatures": many}))
    assert len(history.known("web")) == 100


def test_a_file_that_is_no_history_is_refused_in_words(path: Path) -> None:
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(Permanent, match="signatures"):
        SignatureHistory.open(path)


def test_lines_are_given_once_in_order_and_after_a_number() -> None:
    lines = LineBuffer()
    lines.add(evidence(0, lines=("one", "two")))
    lines.add(evidence(0, lines=("one", "two")))  # the broker delivered it twice
    lines.add(evidence(0, host="web-2", lines=("three",)))
    found = lines.after("web", 0)
    assert [(line.host, line.text) for line in found] == [("web-1", "one"), ("web-1", "two"), ("web-2", "three")]
    assert [line.text for line in lines.after("web", found[0].seq)] == ["two", "three"]
    assert [line.text for line in lines.after("web", 0, host="web-2")] == ["three"]
    assert found[0].release == "1.0.0-aaaaaaaa"
    assert lines.after("api", 0) == []


def test_only_the_newest_lines_are_kept_and_the_newest_come_first_to_a_newcomer() -> None:
    lines = LineBuffer(kept=3)
    for seq in range(1, 6):
        lines.add(evidence(0, seq=seq, lines=(f"line {seq}",)))
    assert [line.text for line in lines.after("web", 0)] == ["line 3", "line 4", "line 5"]
    assert [line.text for line in lines.after("web", 0, limit=1)] == ["line 5"]
    assert [line.text for line in lines.after("web", 3, limit=1)] == ["line 4"]
