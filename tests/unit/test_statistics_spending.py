from __future__ import annotations

import math

import pytest
from scipy import stats

from noonday_coordinator.statistics.goodturing import (
    beyond_budget,
    novelty_budget,
    novelty_chance,
    rare_cluster,
)
from noonday_coordinator.statistics.spending import Spending, band_of, log_threshold


@pytest.mark.parametrize(
    ("level", "band"),
    [("ERROR", "error"), ("fatal", "error"), (" Critical ", "error"), ("WARNING", "warn"), ("INFO", "other")],
)
def test_levels_fall_into_three_bands(level: str, band: str) -> None:
    assert band_of(level) == band


def test_known_units_share_their_tenth_by_level_and_within_by_the_roots_of_how_often_they_came() -> None:
    spending = Spending.over([("ERROR", 100), ("ERROR", 900), ("WARN", 40), *[("INFO", 7.0)] * 100])
    assert spending.of_known("FATAL", 100) == pytest.approx(0.005 * 2 / 3 / 4)
    assert spending.of_known("ERROR", 900) == pytest.approx(0.005 * 2 / 3 * 3 / 4)
    assert spending.of_known("WARN", 40) == pytest.approx(0.005 / 3)
    assert spending.of_known("DEBUG", 7) == pytest.approx(0.005 * 0.1 / 100)


def test_what_is_known_and_was_not_seen_lately_counts_as_seen_once() -> None:
    spending = Spending.over([("ERROR", 0), ("ERROR", 9)])
    assert spending.of_known("ERROR", 0) == pytest.approx(0.005 / 4)


def test_a_band_without_units_leaves_its_share_to_the_other_but_none_to_what_is_never_blamed() -> None:
    assert Spending.over([("WARN", 30)] * 5).of_known("WARN", 30) == pytest.approx(0.005 / 5)
    assert Spending.over([("INFO", 30)] * 5).of_known("INFO", 30) == pytest.approx(0.005 * 0.1 / 5)


def test_new_units_get_less_the_later_they_are_discovered() -> None:
    first, spending = Spending.over([]).discover("ERROR")
    second, spending = spending.discover("ERROR")
    assert first == pytest.approx(0.045 * 2 / 3 / 2)
    assert second == pytest.approx(0.045 * 2 / 3 / 6)
    assert spending.discover("ERROR")[0] == pytest.approx(0.045 * 2 / 3 / 12)


def test_where_all_units_are_new_they_have_all_of_it() -> None:
    assert Spending.over([], known_part=0.0).discover("WARN")[0] == pytest.approx(0.05 / 3 / 2)


def test_a_flood_of_new_info_takes_nothing_from_new_errors() -> None:
    spending = Spending.over([("ERROR", 30)])
    for _ in range(1000):
        _, spending = spending.discover("INFO")
    assert spending.discover("ERROR")[0] == pytest.approx(0.045 * 2 / 3 / 2)
    assert spending.spent == pytest.approx(0.005)


def test_what_e_must_reach_is_one_over_alpha() -> None:
    assert log_threshold(0.0075) == pytest.approx(math.log(1 / 0.0075))


def test_a_unit_of_an_unknown_band_has_no_share() -> None:
    with pytest.raises(ValueError, match="INFO"):
        Spending.over([("ERROR", 30)]).of_known("INFO", 30)


@pytest.mark.parametrize("alpha", [0.0, 1.0, -1.0, math.nan])
def test_an_alpha_that_is_no_probability_is_refused(alpha: float) -> None:
    with pytest.raises(ValueError, match="alpha"):
        Spending.over([], alpha=alpha)


def test_the_novelty_budget_is_good_and_turing_s() -> None:
    assert novelty_chance(5, 1000) == 0.005
    assert novelty_budget(5, 1000, 600) == pytest.approx(3.0)
    assert novelty_chance(0, 0) == 1.0


@pytest.mark.parametrize(("singletons", "observations"), [(-1, 5), (6, 5)])
def test_more_singletons_than_observations_are_refused(singletons: int, observations: int) -> None:
    with pytest.raises(ValueError, match="seen once"):
        novelty_chance(singletons, observations)


def test_novelty_within_three_budgets_or_within_luck_is_no_finding() -> None:
    assert not beyond_budget(9, 3.0)
    assert beyond_budget(10, 3.0)
    assert not beyond_budget(1, 0.2)
    assert beyond_budget(3, 0.2)
    assert beyond_budget(1, 0.0)
    assert not beyond_budget(0, 0.0)
    assert beyond_budget(100_000, 2.0)


@pytest.mark.parametrize("budget", [0.05, 0.5, 2.0, 40.0])
def test_luck_is_the_poisson_tail_of_scipy(budget: float) -> None:
    for new in range(1, 140):
        assert beyond_budget(new, budget) == (new > 3 * budget and stats.poisson.sf(new - 1, budget) < 0.01)


def test_a_key_of_a_new_or_settled_cluster_is_a_unit_of_its_own() -> None:
    assert rare_cluster(0, 0)
    assert rare_cluster(0, 5)
    assert rare_cluster(1, 50)
    assert not rare_cluster(0, 3)
    assert not rare_cluster(30, 100)
