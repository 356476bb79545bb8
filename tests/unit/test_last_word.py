"""What a release logs between its last message and the switch counts, and counts for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from noonday_agent.config import LogFile
from noonday_agent.evidence.collector import MOST_ENDED, Collector
from noonday_coordinator.verdict.sampler import Sampler
from noonday_coordinator.verdict.window import HostWindow
from noonday_shared.logs.counter import Process
from noonday_shared.logs.records import FLUSH_AFTER
from noonday_shared.messages import Evidence
from support.fake_clock import FakeClock

OLD, NEW = "1.0.0-aaaaaaaa", "1.1.0-bbbbbbbb"


class Rig:
    """A real collector on a real file, what it sends, and what the sampler makes of it."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock()
        self.log = folder / "web.log"
        self.log.touch()
        self.collector = Collector("web", [LogFile(path=self.log)], [], folder, self.clock)
        self.collector.begin(OLD, 0)
        self.sampler = Sampler(self.clock.now())
        self.seq = 0

    def writes(self, text: str, times: int) -> None:
        with self.log.open("a") as log:
            log.writelines(f"2026-01-01 12:00:00 ERROR shop: {text}\n" for _ in range(times))

    def messages(self, requests: int = 0) -> list[Evidence]:
        """As the agent sends them: the last words first. Until then a record that may go on is waited for."""
        self.collector.pump(self.clock.now())
        self.clock.move(FLUSH_AFTER)
        found = []
        while (last := self.collector.last_word(host="web-1", boot=1, seq=self.seq + 1)) is not None:
            self.seq += 1
            found.append(last)
        self.seq += 1
        self.collector.pump(self.clock.now())
        process = Process(balancer={"requests": requests})
        now = self.clock.now()
        found.append(
            self.collector.evidence(host="web-1", boot=1, seq=self.seq, now=now, watching=False, process=process)
        )
        return found

    def arrive(self, messages: list[Evidence]) -> None:
        for message in messages:
            self.sampler.add(message, self.clock.now())

    def windows(self) -> list[HostWindow]:
        return [window.hosts["web-1"] for window in self.sampler.cut("web", self.clock.now())]


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def records(seen: HostWindow) -> int:
    return sum(count for count, _ in seen.counts.values())


def test_the_old_releases_last_words_are_counted_and_stay_its_own(rig: Rig) -> None:
    rig.writes("refused", 5)
    rig.arrive(rig.messages(requests=40))
    rig.windows()
    rig.clock.move(6.0)
    rig.writes("refused", 3)
    rig.collector.begin(NEW, 1, {"requests": 47})
    rig.clock.move(2.0 - FLUSH_AFTER)
    rig.writes("refused", 2)
    rig.arrive(rig.messages(requests=1))
    old, new = rig.windows()
    assert (old.release, records(old), old.balancer["requests"], old.seconds) == (OLD, 3, 7, 6.0)
    assert (new.release, records(new), new.balancer, new.seconds) == (NEW, 2, {"requests": 1}, 2.0)
    assert new.first


def test_a_last_word_that_is_lost_costs_its_own_counts_only(rig: Rig) -> None:
    rig.writes("refused", 5)
    rig.arrive(rig.messages())
    rig.windows()
    rig.writes("refused", 3)
    rig.collector.begin(NEW, 1)
    rig.writes("refused", 2)
    rig.arrive(rig.messages()[1:])
    (new,) = rig.windows()
    assert (new.release, records(new)) == (NEW, 2)


def test_a_last_word_that_comes_after_the_new_release_spoke_is_left_out(rig: Rig) -> None:
    rig.arrive(rig.messages())
    rig.windows()
    rig.writes("refused", 3)
    rig.collector.begin(NEW, 1)
    last, first = rig.messages()
    rig.arrive([first, last])
    assert [seen.release for seen in rig.windows()] == [NEW]


def test_there_and_back_between_two_messages_keeps_three_countings_apart(rig: Rig) -> None:
    rig.arrive(rig.messages())
    rig.windows()
    rig.writes("refused", 4)
    rig.collector.begin(NEW, 1)
    rig.writes("broken", 3)
    rig.collector.begin(OLD, 2)
    rig.writes("refused", 2)
    rig.arrive(rig.messages())
    assert [(seen.release, records(seen)) for seen in rig.windows()] == [(OLD, 4), (NEW, 3), (OLD, 2)]


def test_last_words_that_nobody_fetches_are_bounded(rig: Rig) -> None:
    for epoch in range(1, 3 * MOST_ENDED):
        rig.collector.begin(NEW, epoch)
    assert len(rig.messages()) == MOST_ENDED + 1
