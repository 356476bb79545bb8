from __future__ import annotations

from dataclasses import replace

import pytest

from bench.verdict.world import NEW, OLD, START, Fault, Knobs, World, error_kind, make_world
from noonday_coordinator.api.comparison import compare
from noonday_coordinator.api.models_evidence import Comparison
from noonday_coordinator.verdict.window import HostWindow, Window
from noonday_shared.messages.latency import BUCKETS, EDGES, bucket

KIND = error_kind(0.2)
KNOBS = Knobs(seed=3, kinds=10, history=600.0, length=300.0, novelty=0.0)


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(KNOBS, Fault("new", kinds=(KIND,), errors=0.1, slower=2.0))


@pytest.fixture(scope="module")
def found(world: World) -> Comparison:
    return compare(world.trial, world.windows, most=5)


def test_each_side_is_the_sum_of_its_hosts(world: World, found: Comparison) -> None:
    def total(release: str) -> int:
        return sum(seen.requests for one in world.windows for seen in one.hosts.values() if seen.release == release)

    assert (found.canary.hosts, found.controls.hosts) == (("web-1",), ("web-2", "web-3", "web-4", "web-5"))
    assert (found.canary.requests, found.controls.requests) == (total(NEW.id), total(OLD.id))
    assert found.before.hosts == ("web-1",)
    assert (found.since, found.until) == (world.windows[0].ends, world.windows[-1].ends)
    assert found.words == ""


def test_what_is_worse_here_shows(found: Comparison) -> None:
    here, there = found.canary, found.controls
    assert here.failed is not None
    assert there.failed is not None
    assert here.failed > 0.05 > there.failed
    assert here.errors > 0
    for name in ("p50", "p95", "p99"):
        assert getattr(here, name) > getattr(there, name) > 0
    assert here.cpu_per_request is not None
    assert here.rss is not None


def test_a_new_error_is_the_first_of_the_records_that_differ(found: Comparison) -> None:
    first = found.changes[0]
    assert (first.key, first.level, first.known, first.there) == (KIND.key, "ERROR", False, 0)
    assert first.rate_here == pytest.approx(first.here / found.canary.requests)
    assert 0.1 < first.rate_here < 0.3
    assert len(found.changes) <= 5


def test_two_sides_that_are_alike_differ_in_next_to_nothing() -> None:
    alike = make_world(replace(KNOBS, bursts=0.0, spread=0.0))
    assert len(compare(alike.trial, alike.windows, most=50).changes) <= 3


def seen(release: str, *, requests: int = 10, slow: float = 0.1, **more: object) -> HostWindow:
    latency = [0] * BUCKETS
    latency[bucket(slow)] = requests
    return HostWindow(release, 10.0, requests=requests, latency=tuple(latency), **more)  # type: ignore[arg-type]


def test_only_time_that_both_sides_told_of_is_compared(world: World) -> None:
    early = Window(START + 10, {"web-2": seen(OLD.id, requests=1000)})
    both = Window(START + 20, {"web-1": seen(NEW.id), "web-2": seen(OLD.id)})
    late = Window(START + 30, {"web-1": seen(NEW.id, requests=1000)})
    told = compare(world.trial, [early, both, late], most=5)
    assert (told.canary.requests, told.controls.requests) == (10, 10)
    assert (told.since, told.until) == (START + 20, START + 20)


def test_without_another_release_the_canarys_own_past_is_the_other_side(world: World) -> None:
    told = compare(world.trial, [Window(START + 10, {"web-1": seen(NEW.id)})], most=5)
    assert (told.canary.requests, told.controls.hosts, told.against) == (10, (), "before")
    assert "compared with what its hosts did before" in told.words
    alone = compare(replace(world.trial, before=()), [Window(START + 10, {"web-1": seen(NEW.id)})], most=5)
    assert "and none from before" in alone.words
    assert alone.changes == ()


def test_before_the_canary_tells_of_itself_only_the_controls_are_shown(world: World) -> None:
    told = compare(world.trial, [Window(START + 10, {"web-2": seen(OLD.id)})], most=5)
    assert told.words == "No evidence has arrived from 1.1.0 yet."
    assert (told.canary.hosts, told.controls.requests, told.changes) == ((), 10, ())


def test_latency_is_the_edge_of_a_bucket_and_of_warm_processes(world: World) -> None:
    starting = seen(NEW.id, slow=40.0, age=5.0)
    running = seen(NEW.id, slow=0.1, age=500.0)
    forever = seen(OLD.id, slow=1e6)
    windows = [Window(START + 10 * n, {"web-1": one, "web-2": forever}) for n, one in enumerate([starting, running])]
    told = compare(world.trial, windows, most=0)
    assert told.canary.p99 == EDGES[bucket(0.1)] >= 0.1
    assert told.controls.p50 == EDGES[-1]
    assert told.changes == ()


def test_where_nobody_counts_requests_rates_are_by_time() -> None:
    mute = HostWindow(NEW.id, 10.0, counts={KIND.key: (6, 5)}), HostWindow(OLD.id, 10.0)
    window = Window(START + 10, {"web-1": mute[0], "web-2": mute[1]}, (KIND.template,))
    world = make_world(KNOBS)
    told = compare(replace(world.trial, before=()), [window], most=5)
    assert told.per == "second"
    assert (told.changes[0].rate_here, told.canary.failed, told.canary.p50) == (0.5, None, None)
    assert (told.canary.errors, told.canary.error_rate) == (6, 0.5)
