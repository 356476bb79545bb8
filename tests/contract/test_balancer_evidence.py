"""What a real HAProxy counts for a server is what the verdict takes as requests and statuses, over its reloads too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from noonday_agent.balancers.pool import Pool
from noonday_agent.balancers.traffic import Traffic
from noonday_coordinator.verdict.arms import Arms, arms_of
from noonday_coordinator.verdict.catalogue import Catalogue
from noonday_coordinator.verdict.counting import Counting, exposure_of
from noonday_coordinator.verdict.sampler import Sampler
from noonday_shared.logs.counter import Process, ReleaseCounter
from noonday_shared.logs.redact import Redactor
from support.eventually import eventually
from support.haproxy import HaproxyWorld, fetch

NEW = "1.1.0-bbbbbbbb"


class Chain:
    """HAProxy → the agent's sums → evidence → window, as it is between a server and the verdict. All goes to web-1."""

    def __init__(self, folder: Path) -> None:
        self.world = HaproxyWorld(folder)
        self.traffic = Traffic()
        self.counter = ReleaseCounter("web", NEW, 1, 0.0, Redactor())
        self.sampler = Sampler(since=0.0)
        self.seq = 0

    def start(self) -> None:
        self.world.start()
        self.pool = Pool([self.world.balancer()])
        self.only_web_1()

    def only_web_1(self) -> None:
        self.world.order("set server web/web-2 state maint")

    def asks(self, path: str = "/", times: int = 1) -> None:
        for _ in range(times):
            fetch(self.world.port, path)

    def look(self) -> None:
        self.traffic.add(self.pool.traffic())

    def window(self) -> Arms:
        """What came since the window before, on the new side."""
        self.look()
        self.seq += 1
        now = 10.0 * self.seq
        process = Process(balancer=self.traffic.sums())
        told = self.counter.to_evidence(host="web-1", boot=1, seq=self.seq, now=now, counted_for=now, process=process)
        self.sampler.add(told, now)
        (window,) = self.sampler.cut("web", now)
        return arms_of(window, NEW, by_requests=True)

    def statuses(self, arms: Arms) -> dict[str, int]:
        counting = Counting(Catalogue(), {})
        units = counting.of_host(arms.new["web-1"], new=True)
        return {one.unit: one.episodes for one in units if one.unit.startswith("status:")}


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    made = Chain(tmp_path)
    try:
        made.start()
        yield made
    finally:
        made.world.stop()


def test_requests_and_statuses_come_from_the_balancer_when_the_log_tells_none(chain: Chain) -> None:
    chain.asks(times=5)
    chain.look()
    chain.window()
    chain.asks(times=6)
    chain.asks("/status/500", 3)
    chain.asks("/status/404", 2)
    arms = chain.window()
    assert arms.e_new == 11
    assert exposure_of("statuses", arms.new["web-1"], 0.0) == 11
    assert chain.statuses(arms) == {"status:5xx": 3, "status:4xx": 2}


def test_an_answer_that_breaks_off_is_an_error_that_only_the_balancer_sees(chain: Chain) -> None:
    chain.look()
    chain.window()
    chain.asks(times=4)
    chain.asks("/break", 2)
    found = chain.statuses(chain.window())
    assert found == {"status:errors": 2}


def test_a_reload_neither_repeats_nor_makes_up_a_request(chain: Chain) -> None:
    chain.look()
    chain.window()
    chain.asks(times=7)
    assert chain.window().e_new == 7
    chain.world.haproxy.reload()
    eventually(lambda: fetch(chain.world.port)[0] == 200, what="HAProxy's new worker answers")
    chain.only_web_1()
    began = read(chain)
    chain.asks(times=3)
    chain.asks("/status/500", 2)
    arms = chain.window()
    assert arms.e_new == began["requests"] + 5
    assert chain.statuses(arms) == {"status:5xx": 2}
    chain.asks(times=2)
    assert chain.window().e_new == 2


def test_reloads_between_two_looks_lose_what_nobody_saw_and_nothing_else(chain: Chain) -> None:
    chain.look()
    chain.window()
    chain.asks(times=6)
    chain.look()
    chain.asks(times=4)
    chain.world.haproxy.reload()
    eventually(lambda: fetch(chain.world.port)[0] == 200, what="HAProxy's new worker answers")
    chain.only_web_1()
    assert chain.window().e_new == 6 + read(chain)["requests"]


def read(chain: Chain) -> Counter[str]:
    """What HAProxy itself says now."""
    (counted,) = chain.pool.traffic().values()
    return Counter(counted)
