"""The soak itself, for a few rollouts, and that it tells what grows."""

from __future__ import annotations

import pytest
from soak.meter import LIMITS, grown
from soak.run import Soak

from support.fleet import Fleet

FLAT = dict.fromkeys([*LIMITS, "records MB"], 100.0)


@pytest.mark.timeout(240)
def test_a_few_rollouts_with_faults_fail_no_request_and_end(fleet: Fleet) -> None:
    told = Soak(fleet, rollouts=4, size=100_000, seed=4).run()
    assert told.troubles == []
    assert sum(told.ended.values()) == len(told.series) == 4
    assert told.answered > 0
    assert set(told.series[0]) == set(FLAT)


def test_what_is_flat_is_no_trouble() -> None:
    assert grown([FLAT] * 40) == []


@pytest.mark.parametrize("name", LIMITS)
def test_what_grows_is_told_with_its_figures(name: str) -> None:
    series = [{**FLAT, name: 100.0 + 2 * number} for number in range(40)]
    assert [words.split(" grew ")[0] for words in grown(series)] == [name]


def test_the_climb_of_the_first_quarter_is_a_start_and_no_growth() -> None:
    assert grown([{**FLAT, "agent MB": 50.0}] * 10 + [FLAT] * 30) == []
