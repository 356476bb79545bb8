from __future__ import annotations

import numpy as np
import pytest

from noonday_coordinator.statistics.dispersion import burst_factor
from noonday_coordinator.statistics.host_effects import (
    DEFAULT_SHAPE,
    LEAST_SHAPE,
    MOST_SHAPE,
    HostTotal,
    shape_of,
)


def seen(rng: np.random.Generator, *, shape: float, hosts: int, rate: float = 500.0) -> list[HostTotal]:
    return [HostTotal(int(rng.poisson(rate * u)), 1.0, 3600.0) for u in rng.gamma(shape, 1 / shape, hosts)]


@pytest.mark.parametrize("shape", [6.0, 16.0, 60.0])
def test_the_shape_is_found_from_many_hosts(shape: float) -> None:
    rng = np.random.default_rng(1)
    assert shape_of([seen(rng, shape=shape, hosts=200)]) == pytest.approx(shape, rel=0.3)


def test_the_shape_is_found_from_many_units_of_few_hosts_on_the_whole() -> None:
    rng = np.random.default_rng(2)
    found = [shape_of([seen(rng, shape=16, hosts=6)]) for _ in range(200)]
    assert np.median(found) == pytest.approx(16, rel=0.25)
    assert max(found) < 64


def test_poisson_noise_is_not_taken_for_a_difference_between_hosts() -> None:
    rng = np.random.default_rng(3)
    units = [[HostTotal(int(rng.poisson(5)), 1.0, 3600.0) for _ in range(40)] for _ in range(60)]
    assert shape_of(units) > 2 * DEFAULT_SHAPE


@pytest.mark.parametrize(
    "unit",
    [
        [],
        [HostTotal(100, 1, 3600)] * 4,
        [HostTotal(100, 1, 3600)] * 4 + [HostTotal(100, 1, 600)],
        [HostTotal(100, 0, 3600)] * 9,
        [HostTotal(0, 1, 3600)] * 9,
    ],
)
def test_too_little_history_leaves_the_default(unit: list[HostTotal]) -> None:
    assert shape_of([unit]) == DEFAULT_SHAPE


def test_the_shape_stays_within_its_bounds() -> None:
    alike = [HostTotal(10_000_000, 1.0, 3600.0)] * 5000
    apart = [HostTotal(1_000_000 if i == 0 else 1, 1.0, 3600.0) for i in range(50)]
    assert shape_of([alike]) == MOST_SHAPE
    assert shape_of([apart]) == LEAST_SHAPE


def test_hosts_of_more_traffic_are_not_taken_for_louder_ones() -> None:
    unit = [HostTotal(100.0 * weight, weight, 3600.0) for weight in (1, 2, 3, 4, 5, 6)]
    assert shape_of([unit]) > DEFAULT_SHAPE


def table(rng: np.random.Generator, *, burst: int, windows: int = 300, rate: float = 2.0) -> list[list[float]]:
    """Counts of four hosts that differ, under a load that comes in waves; each cause gives `burst` episodes."""
    levels = (0.8, 1.0, 1.1, 1.4)
    load = 1 + 0.8 * np.sin(np.arange(windows) / 9)
    return [[float(burst * rng.poisson(rate * wave * level / burst)) for level in levels] for wave in load]


@pytest.mark.parametrize("burst", [1, 3, 10])
def test_the_burst_factor_is_how_many_episodes_one_cause_gives(burst: int) -> None:
    counts = table(np.random.default_rng(4), burst=burst)
    assert burst_factor(counts, [[1.0] * 4] * 300) == pytest.approx(burst, rel=0.2)


def test_the_hosts_own_levels_take_nothing_from_the_burst_factor_of_a_short_past() -> None:
    rng = np.random.default_rng(14)
    found = [burst_factor(table(rng, burst=5, windows=3, rate=300.0), [[1.0] * 4] * 3) for _ in range(200)]
    assert np.mean(found) == pytest.approx(5, rel=0.15)


def test_load_waves_and_incidents_that_all_share_are_no_bursts() -> None:
    counts = table(np.random.default_rng(5), burst=1)
    rng = np.random.default_rng(6)
    counts[50:60] = [[float(rng.poisson(200 * level)) for level in (0.8, 1.0, 1.1, 1.4)] for _ in range(10)]
    assert burst_factor(counts, [[1.0] * 4] * 300) < 1.3


def test_one_burst_on_one_host_is_seen() -> None:
    counts = [[0.0] * 4 for _ in range(100)]
    counts[40] = [0.0, 60.0, 0.0, 0.0]
    counts[70] = [1.0, 0.0, 1.0, 0.0]
    assert burst_factor(counts, [[1.0] * 4] * 100) > 5


def test_of_one_host_windows_are_compared_with_each_other() -> None:
    rng = np.random.default_rng(7)
    counts = [[float(5 * rng.poisson(0.5))] for _ in range(300)]
    assert burst_factor(counts, [[1.0]] * 300) == pytest.approx(5, rel=0.25)


@pytest.mark.parametrize("counts", [[], [[0.0, 0.0]], [[3.0]]])
def test_where_nothing_can_be_said_there_is_no_burst(counts: list[list[float]]) -> None:
    assert burst_factor(counts, [[1.0] * len(row) for row in counts]) == 1.0


def test_a_host_that_was_not_seen_is_left_out() -> None:
    counts = [[2.0, 0.0, 2.0], [2.0, 2.0, 2.0]] * 20
    exposures = [[1.0, 0.0, 1.0], [1.0, 1.0, 1.0]] * 20
    assert burst_factor(counts, exposures) == 1.0


def test_counts_of_a_host_that_was_not_seen_and_impossible_ones_do_no_harm() -> None:
    assert burst_factor([[90.0, 1.0, 1.0]] * 20, [[0.0, 1.0, 1.0]] * 20) == 1.0
    assert burst_factor([[0.0], [2.0]], [[1.0], [1e-309]]) == 1.0
    for bad in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="not negative"):
            burst_factor([[bad, 1.0]], [[1.0, 1.0]])


@pytest.mark.parametrize("exposures", [[], [[1.0]], [[1.0, 1.0], [1.0, 1.0]]])
def test_tables_that_do_not_fit_are_refused(exposures: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="same windows and hosts"):
        burst_factor([[1.0, 2.0]], exposures)
