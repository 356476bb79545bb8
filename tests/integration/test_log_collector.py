"""What the agent's own collector counts in real files, release by release."""

from __future__ import annotations

import os
from pathlib import Path

from noonday_agent.config import LogFile
from noonday_agent.evidence.collector import Collector
from noonday_shared.clock import SystemClock
from noonday_shared.messages import Evidence
from support.eventually import eventually
from support.fake_clock import FakeClock
from support.log_file import write

LINE = "2026-01-01 12:00:00,123 ERROR shop.pay: order 4711 refused"


def collector(log: Path, clock: FakeClock) -> Collector:
    return Collector("web", [LogFile(path=log)], ["cust-\\d+"], log.parent, clock)


def evidence(found: Collector, clock: FakeClock, *, watching: bool = False) -> Evidence:
    return found.evidence(host="web-1", boot=1, seq=1, now=clock.now(), watching=watching)


def records_of(sent: Evidence) -> list[int]:
    return [records for records, _ in sent.counts.values()]


def test_what_was_written_before_the_switch_counts_for_the_release_before(log: Path, clock: FakeClock) -> None:
    found = collector(log, clock)
    found.begin("1.0.0-aaaaaaaa", 1)
    write(log, LINE, LINE)
    found.pump(clock.now())
    write(log, LINE)
    found.begin("1.1.0-bbbbbbbb", 2)
    fresh = evidence(found, clock, watching=True)
    assert (fresh.release, fresh.epoch, fresh.records, fresh.counts) == ("1.1.0-bbbbbbbb", 2, 0, {})
    assert [line.release for line in fresh.lines] == ["1.0.0-aaaaaaaa"] * 3
    write(log, LINE)
    found.pump(clock.now())
    clock.move(2)
    found.pump(clock.now())
    assert records_of(evidence(found, clock)) == [1]


def test_after_a_drain_the_evidence_is_the_last_word_on_a_release(log: Path, clock: FakeClock) -> None:
    found = collector(log, clock)
    found.begin("1.0.0-aaaaaaaa", 1)
    write(log, LINE, LINE)
    found.drain()
    last = evidence(found, clock)
    assert (records_of(last), last.dropped) == ([2], 0)


def test_a_flood_at_the_switch_is_skipped_in_time_and_counted(log: Path) -> None:
    class Hurried(FakeClock):
        def monotonic(self) -> float:
            self.move(1.0)
            return super().monotonic()

    found = collector(log, Hurried())
    write(log, *["w" * 999] * 20_000)
    found.drain()
    sent = found.evidence(host="web-1", boot=1, seq=1, now=1.0, watching=False)
    assert 0 < sent.dropped < 20_000_000
    assert sent.records * 1000 + sent.dropped == 20_000_000
    found.begin("1.0.0-aaaaaaaa", 1)
    found.pump(1.0)
    assert found.evidence(host="web-1", boot=1, seq=1, now=1.0, watching=False).records == 0


def test_counts_are_cumulative_and_lines_travel_only_while_somebody_watches(log: Path, clock: FakeClock) -> None:
    found = collector(log, clock)
    found.begin("1.0.0-aaaaaaaa", 1)
    for count in (1, 2):
        write(log, f"{LINE} for cust-17")
        found.pump(clock.now())
        clock.move(2)
        found.pump(clock.now())
        sent = evidence(found, clock)
        assert (records_of(sent), sent.lines) == ([count], ())
    watched = evidence(found, clock, watching=True)
    assert [line.release for line in watched.lines] == ["1.0.0-aaaaaaaa"] * 2
    assert "cust-17" not in str(watched)
    assert evidence(found, clock, watching=True).lines == ()


def test_a_new_collector_counts_only_what_the_old_one_did_not(log: Path, clock: FakeClock) -> None:
    write(log, LINE)
    old = collector(log, clock)
    write(log, LINE)
    old.pump(clock.now())
    old.close()
    write(log, LINE, LINE)
    new = collector(log, clock)
    new.begin("1.0.0-aaaaaaaa", 1)
    new.pump(clock.now())
    clock.move(2)
    new.pump(clock.now())
    assert records_of(evidence(new, clock)) == [2]


def test_troubles_are_sentences_and_drops_are_counted(log: Path, clock: FakeClock) -> None:
    found = collector(log, clock)
    assert found.troubles == [f"{log} does not exist yet."]
    write(log, "x" * (1 << 20))
    found.pump(clock.now())
    assert found.troubles == []
    assert evidence(found, clock).dropped > 500_000
    found.begin("1.0.0-aaaaaaaa", 1)
    assert evidence(found, clock).dropped == 0


def test_binary_rubbish_is_counted_and_harms_nothing(log: Path, clock: FakeClock) -> None:
    found = collector(log, clock)
    log.write_bytes(os.urandom(300_000) + b"\nERROR \xff\xfe\0 broken\n" + b"\0" * 100_000 + f"\n{LINE}\n".encode())
    found.pump(clock.now())
    clock.move(2)
    found.pump(clock.now())
    assert "order <*> refused" in [one.text for one in evidence(found, clock, watching=True).templates]


def test_a_clock_that_jumps_back_holds_no_record(log: Path) -> None:
    clock = SystemClock()
    found = Collector("web", [LogFile(path=log)], [], log.parent, clock)
    write(log, LINE)
    found.pump(clock.now())

    def counted() -> bool:
        found.pump(clock.now() - 86_400)
        return bool(found.evidence(host="web-1", boot=1, seq=1, now=0.0, watching=False).counts)

    eventually(counted, what="the record")
