"""Properties of what is shared out and added up."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from noonday_coordinator.statistics.dispersion import burst_factor
from noonday_coordinator.statistics.goodturing import beyond_budget
from noonday_coordinator.statistics.histogram import Histogram
from noonday_coordinator.statistics.host_effects import LEAST_SHAPE, MOST_SHAPE, HostTotal, shape_of
from noonday_coordinator.statistics.spending import Spending, band_of

LEVEL = st.sampled_from(["ERROR", "FATAL", "WARN", "INFO", "DEBUG", ""])
COUNTS = st.integers(0, 1000)
TIMES = st.lists(st.floats(0, 1e6), max_size=60)
SOME = settings(max_examples=100, deadline=None)


@SOME
@given(st.lists(st.tuples(LEVEL, st.floats(0, 1e6)), max_size=60), st.lists(LEVEL, max_size=60), st.floats(0.001, 0.2))
def test_alpha_is_never_overspent(known: list[tuple[str, float]], new: list[str], alpha: float) -> None:
    spending = Spending.over(known, alpha=alpha)
    total = sum(spending.of_known(level, episodes) for level, episodes in known if band_of(level) != "other")
    for level in new:
        one, spending = spending.discover(level)
        assert one > 0
        total += one if band_of(level) != "other" else 0.0
    assert total <= alpha * (1 + 1e-12)
    assert abs(total - spending.spent) < 1e-12


@SOME
@given(st.lists(st.lists(st.tuples(COUNTS, st.floats(0, 100), st.floats(0, 9000)), max_size=9), max_size=4))
def test_the_shape_is_always_within_its_bounds(units: list[list[tuple[float, float, float]]]) -> None:
    assert LEAST_SHAPE <= shape_of([[HostTotal(*host) for host in unit] for unit in units]) <= MOST_SHAPE


@SOME
@given(st.integers(1, 4), st.data())
def test_the_burst_factor_is_at_least_one_and_does_not_depend_on_the_order_of_windows(
    hosts: int, data: st.DataObject
) -> None:
    cell = st.tuples(st.integers(0, 30), st.floats(0, 9))
    rows = data.draw(st.lists(st.lists(cell, min_size=hosts, max_size=hosts), max_size=8))
    counts = [[float(count) for count, _ in row] for row in rows]
    exposures = [[exposure for _, exposure in row] for row in rows]
    factor = burst_factor(counts, exposures)
    assert factor >= 1
    again = burst_factor(counts[::-1], exposures[::-1])
    assert abs(again - factor) <= 1e-6 * factor


@SOME
@given(TIMES, TIMES)
def test_histograms_add_in_any_order_and_lose_nothing(one: list[float], other: list[float]) -> None:
    merged = Histogram.of(one) + Histogram.of(other)
    assert merged == Histogram.of(other) + Histogram.of(one) == Histogram.of(one + other)
    assert merged.total == len(one) + len(other)


@SOME
@given(st.integers(0, 200), st.floats(0, 50))
def test_more_novelty_is_never_less_of_a_finding(new: int, budget: float) -> None:
    assert beyond_budget(new + 1, budget) >= beyond_budget(new, budget)
