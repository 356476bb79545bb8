from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from noonday_coordinator.statistics.histogram import EDGES_MS, Histogram
from noonday_coordinator.statistics.robust import Host, drift, leak, mad, theil_sen


def gauge(rng: np.random.Generator, before: float, after: float, *, windows: int = 40, noise: float = 0.05) -> Host:
    return Host(
        (before * (1 + noise * rng.standard_normal(windows))).tolist(),
        (after * (1 + noise * rng.standard_normal(windows))).tolist(),
    )


def test_a_gauge_that_rises_on_the_new_side_alone_holds() -> None:
    rng = np.random.default_rng(1)
    shift = drift([gauge(rng, 100, 160)], [gauge(rng, level, level * 1.02) for level in (90, 105, 120)])
    assert shift.outcome == "hold"
    assert shift.moved == pytest.approx(58, abs=10)
    assert shift.level == pytest.approx(100, rel=0.05)


def test_a_gauge_that_rises_everywhere_is_steady() -> None:
    rng = np.random.default_rng(2)
    assert drift([gauge(rng, 100, 160)], [gauge(rng, v, v * 1.6) for v in (90, 105, 120)]).outcome == "steady"


def test_a_few_odd_windows_or_one_odd_host_decide_nothing() -> None:
    rng = np.random.default_rng(3)
    new = gauge(rng, 100, 100)
    spiky = Host(new.before, [*new.after[:34], *[1e6] * 6])
    old = [gauge(rng, v, v) for v in (90, 105, 120, 100)]
    assert drift([spiky], [*old, gauge(rng, 100, 500)]).outcome == "steady"


@pytest.mark.parametrize(("worse", "outcome"), [("up", "steady"), ("down", "hold"), ("either", "hold")])
def test_only_the_worse_direction_holds(worse: str, outcome: str) -> None:
    rng = np.random.default_rng(4)
    old = [gauge(rng, 100, 100) for _ in range(3)]
    assert drift([gauge(rng, 100, 40)], old, worse=worse).outcome == outcome  # type: ignore[arg-type]


def test_clean_gauges_hardly_ever_hold() -> None:
    rng = np.random.default_rng(5)
    held = 0
    for _ in range(300):
        levels = 100 * (1 + 0.25 * rng.standard_normal(5))
        moves = 1.3 * (1 + 0.05 * rng.standard_normal(5))
        hosts = [gauge(rng, a, a * b) for a, b in zip(levels, moves, strict=True)]
        held += drift(hosts[:1], hosts[1:]).outcome == "hold"
    assert held <= 3


def test_a_gauge_that_never_moves_holds_only_for_a_real_change() -> None:
    flat = Host([50.0] * 10, [50.0] * 10)
    assert drift([flat], [flat, flat]).outcome == "steady"
    assert drift([Host([50.0] * 10, [51.0] * 10)], [flat, flat]).outcome == "steady"
    assert drift([Host([50.0] * 10, [80.0] * 10)], [flat, flat]).outcome == "hold"
    zero = Host([0.0] * 10, [0.0] * 10)
    assert drift([zero], [zero]).outcome == "steady"
    assert drift([Host([0.0] * 10, [5.0] * 10)], [zero]).outcome == "hold"


def test_too_few_windows_say_nothing_and_not_numbers_are_left_out() -> None:
    flat = Host([50.0] * 10, [50.0] * 10)
    assert drift([Host([50.0] * 5, [90.0] * 10)], [flat]).outcome == "unknown"
    assert drift([flat], []).outcome == "unknown"
    assert drift([Host([math.nan] * 5 + [50.0] * 5, [90.0] * 10)], [flat]).outcome == "unknown"
    assert drift([Host([50.0] * 10, [math.nan, math.inf] + [50.0] * 8)], [flat]).outcome == "steady"


def test_the_slope_is_theil_and_sen_s() -> None:
    rng = np.random.default_rng(6)
    times = np.sort(rng.uniform(0, 600, 40))
    values = 3 + 0.7 * times + 20 * rng.standard_normal(40)
    found, exact = theil_sen(times.tolist(), values.tolist()), stats.theilslopes(values, times, alpha=0.99)
    assert found is not None
    assert found.slope == pytest.approx(exact.slope)
    assert found.low == pytest.approx(exact.low_slope, rel=0.02)
    assert found.high == pytest.approx(exact.high_slope, rel=0.02)


def test_a_long_series_is_taken_in_blocks() -> None:
    times = [float(t) for t in range(0, 50_000, 10)]
    found = theil_sen(times, [0.5 * t + (1e9 if i % 50 == 0 else 0.0) for i, t in enumerate(times)])
    assert found is not None
    assert found.slope == pytest.approx(0.5, rel=0.01)


def test_a_few_points_have_no_slope_and_a_few_more_no_certain_one() -> None:
    assert theil_sen([1, 2, 3, 4, 5], [1, 2, 3, 4, 5]) is None
    assert theil_sen([1.0] * 10, [1.0] * 10) is None
    assert theil_sen([1, 2, 3, math.nan, 5, 6], [1.0] * 6) is None


def resident(rng: np.random.Generator, per_hour: float) -> tuple[list[float], list[float]]:
    """Memory of one process for ten minutes, warming up in the first."""
    times = [10.0 * i for i in range(60)]
    grown = [200 - 50 * math.exp(-t / 60) + 200 * per_hour * t / 3600 + rng.standard_normal() for t in times]
    return times, grown


def test_memory_that_grows_on_holds() -> None:
    rng = np.random.default_rng(7)
    found = leak(*resident(rng, 1.0), [resident(rng, 0.0) for _ in range(3)])
    assert found.outcome == "hold"
    assert 0.4 < found.growth < 1.2


def test_memory_that_warms_up_as_on_old_hosts_at_equal_age_is_steady() -> None:
    rng = np.random.default_rng(8)
    assert all(leak(*resident(rng, 0.0), [resident(rng, 0.0) for _ in range(3)]).outcome == "steady" for _ in range(50))


def test_a_leak_that_old_hosts_have_too_is_not_new() -> None:
    rng = np.random.default_rng(9)
    assert leak(*resident(rng, 1.0), [resident(rng, 1.0), resident(rng, 0.9)]).outcome == "steady"


def test_a_leak_of_too_few_windows_is_unknown() -> None:
    assert leak([1, 2], [1, 2], []).outcome == "unknown"


def test_the_median_absolute_deviation_is_that_of_scipy() -> None:
    values = np.random.default_rng(10).standard_normal(101)
    assert mad(values.tolist()) == pytest.approx(stats.median_abs_deviation(values, scale="normal"), rel=1e-3)


def test_merging_histograms_is_adding() -> None:
    times = np.random.default_rng(11).lognormal(3, 1, 500).tolist()
    assert Histogram.of(times[:200]) + Histogram.of(times[200:]) == Histogram.of(times)
    assert Histogram.of(times) - Histogram.of(times[:200]) == Histogram.of(times[200:])


def test_each_time_lies_at_or_below_its_edge() -> None:
    histogram = Histogram.of([0.0, 0.1, 0.5, 0.51, 1e9, math.inf])
    assert histogram.counts[0] == 3
    assert histogram.counts[1] == 1
    assert histogram.counts[-1] == 2
    assert histogram.total == 6


@pytest.mark.parametrize("share", [0.5, 0.95, 0.99])
def test_a_quantile_s_edge_is_the_least_that_covers_its_share(share: float) -> None:
    times = np.random.default_rng(12).lognormal(4, 1, 5000)
    edge = Histogram.of(times.tolist()).quantile_edge(share)
    assert edge is not None
    assert np.mean(times <= edge) >= share > np.mean(times <= edge / 2**0.25)


def test_requests_slower_than_an_edge_are_counted_exactly() -> None:
    times = np.random.default_rng(13).lognormal(4, 1, 5000)
    histogram = Histogram.of(times.tolist())
    watched = histogram.edges_to_watch()
    assert list(watched) == ["p50", "p95", "p99"]
    for edge in watched.values():
        assert histogram.slower_than(edge) == np.sum(times > edge)


def test_an_edge_that_hardly_anything_exceeded_is_not_watched() -> None:
    assert list(Histogram.of(np.linspace(50, 150, 100).tolist()).edges_to_watch()) == ["p50"]
    assert Histogram.of([10.0] * 1000).edges_to_watch() == {}
    assert Histogram().edges_to_watch() == {}


def test_an_empty_histogram_or_one_beyond_all_edges_has_no_quantile() -> None:
    assert Histogram().quantile_edge(0.5) is None
    assert Histogram.of([1e9]).quantile_edge(0.5) is None


@pytest.mark.parametrize("counts", [(1.0,), (-1.0,) * (len(EDGES_MS) + 1), (math.nan,) * (len(EDGES_MS) + 1)])
def test_counts_that_are_no_histogram_are_refused(counts: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="counts"):
        Histogram(counts)


def test_a_histogram_that_shrank_and_a_value_that_is_no_edge_are_refused() -> None:
    with pytest.raises(ValueError, match="counts"):
        Histogram.of([1.0]) - Histogram.of([1.0, 2.0, 900.0])
    with pytest.raises(ValueError, match="edge"):
        Histogram.of([1.0]).slower_than(1.1)
    with pytest.raises(ValueError, match="not a number"):
        Histogram.of([math.nan])
