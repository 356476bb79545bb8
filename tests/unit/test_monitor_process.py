"""What the monitor tells beside the logs: since when the app runs, its restarts, its balancers' counts, its gauges."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest

from noonday_agent.balancers.pool import Pool
from noonday_agent.monitor import Monitor
from noonday_agent.probes.proof import Proof, Seen
from noonday_agent.probes.running import seen, started
from noonday_shared.clock import SystemClock
from support.fake_balancer import FakeBalancer, FakePlace
from support.fake_host import SETTINGS, FakeHost


@dataclass(frozen=True)
class CountingBalancer(FakeBalancer):
    """Counts what the test says is under way."""

    def traffic(self) -> dict[str, int]:
        return {"requests": self.place.under_way}


class Itself:
    """A prover for an app that is this very process."""

    def seen(self, pid: int | None) -> Seen:
        return seen(pid)

    def started(self, pid: int) -> float | None:
        return started(pid)

    def prove(self, pid: int | None, *, release_dir: Path, not_before: Seen) -> Proof:
        return Proof(True, "it is us.")


@pytest.fixture
def place() -> FakePlace:
    return FakePlace()


@pytest.fixture
def host() -> FakeHost:
    made = FakeHost()
    made.process._pid = os.getpid()
    return made


@pytest.fixture
def monitor(place: FakePlace, host: FakeHost, tmp_path: Path) -> Monitor:
    parts = replace(host.parts(), pool=Pool((CountingBalancer(place),)), prover=Itself())
    return Monitor(SETTINGS.model_copy(update={"root": tmp_path}), parts)


def test_it_tells_since_when_the_app_runs_and_what_it_uses(monitor: Monitor) -> None:
    monitor.look()
    process = monitor.process(SystemClock())
    assert process.started_at == pytest.approx(psutil.Process().create_time(), abs=2.0)
    assert process.gauges is not None
    assert process.gauges["rss_bytes"] > 0


def test_an_app_that_does_not_run_was_not_started(monitor: Monitor, host: FakeHost) -> None:
    host.process._pid = None
    monitor.look()
    assert monitor.process(SystemClock()).started_at == 0.0


def test_balancers_counts_begin_with_the_release(monitor: Monitor, place: FakePlace) -> None:
    for counted in (100, 110):
        place.under_way = counted
        monitor.look()
    assert monitor.process(SystemClock()).balancer == {"requests": 10}
    place.under_way = 115
    monitor.restarted()
    assert monitor.begin() == {"requests": 15}
    assert monitor.process(SystemClock()).balancer == {}
    place.under_way = 118
    monitor.look()
    assert monitor.process(SystemClock()).balancer == {"requests": 3}
