"""What is known from before: how steady its rate was, and what that rate is worth."""

from __future__ import annotations

import math

import numpy as np
import pytest

from noonday_coordinator.statistics.accustomed import INCIDENT, Accustomed
from noonday_coordinator.statistics.ratio_prior import RatioPrior
from noonday_coordinator.statistics.tide import DEFAULT_STEADINESS, MOST_STEADY, Block, steadiness
from noonday_coordinator.statistics.window import Window

PRIOR = RatioPrior.of_hosts(16, old=4).after([Window(100, 400, 1, 4)])
RECORD = Block(60.0, 60.0)


def test_without_a_record_the_hosts_at_the_same_time_decide() -> None:
    unit = Accustomed.of(PRIOR).update(9, 4, 1, 4)
    assert unit.log_e == unit.now.log_e


def test_a_steady_record_finds_sooner_what_hosts_at_the_same_time_show_late() -> None:
    plain, known = Accustomed.of(PRIOR), Accustomed.of(PRIOR, record=RECORD)
    for _ in range(3):
        plain, known = plain.update(5, 3, 0.5, 2), known.update(5, 3, 0.5, 2)
    assert known.log_e > plain.log_e + 1


def test_a_record_never_proves_more_than_an_incident_allows() -> None:
    unit = Accustomed.of(PRIOR, record=RECORD)
    for _ in range(10):
        unit = unit.update(20, 80, 1, 4)
    assert unit.log_e <= unit.now.log_e - math.log(2 * INCIDENT)
    assert unit.log_e < math.log(20)


def test_what_compares_nothing_changes_nothing() -> None:
    assert Accustomed.of(PRIOR, record=RECORD).update(0, 0, 0, 0).log_e == Accustomed.of(PRIOR, record=RECORD).log_e
    with pytest.raises(ValueError, match="not negative"):
        Accustomed.of(PRIOR, record=Block(-1.0, 3.0))


def test_a_fault_that_begins_with_a_later_stage_is_found_in_spite_of_a_clean_first_one() -> None:
    wave = RatioPrior.of_hosts(16, new=2, old=3).after([Window(200, 300, 2, 3)])
    begun = going_on = Accustomed.of(PRIOR, record=RECORD)
    for _ in range(20):
        begun, going_on = begun.update(2, 8, 1, 4), going_on.update(2, 8, 1, 4)
    begun, going_on = begun.next_stage(wave), going_on.next_stage(wave, begin=False)
    for _ in range(4):
        begun, going_on = begun.update(12, 6, 2, 3), going_on.update(12, 6, 2, 3)
    assert begun.log_e > max(math.log(100), going_on.log_e)


def test_clean_rollouts_raise_few_false_alarms() -> None:
    rng = np.random.default_rng(12)
    blamed = 0
    for _ in range(100):
        hosts = rng.gamma(16, 1 / 16, 5)
        before = rng.poisson(2 * hosts, size=(60, 5))
        past = [Window(float(row[0]), float(row[1:].sum()), 1, 4) for row in before]
        total = float(before.sum())
        unit = Accustomed.of(RatioPrior.of_hosts(16, old=4).after(past), record=Block(total / 6, 50.0))
        top = 0.0
        for _ in range(40):
            unit = unit.update(int(rng.poisson(2 * hosts[0])), int(rng.poisson(2 * hosts[1:].sum())), 1, 4)
            top = max(top, unit.log_e)
        blamed += top >= math.log(20)
    assert blamed <= 5


def test_a_rate_that_stood_still_is_worth_much_and_one_that_went_up_and_down_little() -> None:
    rng = np.random.default_rng(4)
    still = [Block(float(n), 10.0) for n in rng.poisson(200, 12)]
    tide = [Block(float(n), 10.0) for n in rng.poisson(200 * rng.gamma(4, 1 / 4, 12))]
    assert steadiness(still) > 50
    assert steadiness(tide) < 12


@pytest.mark.parametrize("blocks", [[], [Block(5.0, 1.0)], [Block(0.0, 1.0)] * 9, [Block(3.0, 0.0)] * 9])
def test_of_too_little_the_default_is_believed(blocks: list[Block]) -> None:
    assert steadiness(blocks) == DEFAULT_STEADINESS


def test_no_rate_is_believed_without_end() -> None:
    assert steadiness([Block(1000.0, 1.0)] * 2000) == MOST_STEADY
