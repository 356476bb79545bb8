from __future__ import annotations

import math

import pytest

from noonday_coordinator.statistics.eprocess import EProcess
from noonday_coordinator.statistics.newcomer import Newcomer
from noonday_coordinator.statistics.onsets import Onsets
from noonday_coordinator.statistics.ratio_prior import RatioPrior
from noonday_coordinator.statistics.silence import Silence
from noonday_coordinator.statistics.window import Window

PRIOR = RatioPrior.of_hosts(16, old=4)


def test_the_first_episode_defines_a_unit_and_is_not_counted() -> None:
    unit = Newcomer.of(PRIOR, history=100).update(1, 0, 1, 4)
    assert unit.found
    assert unit.total == Window(0, 0, 1, 104)
    assert unit.e_value < 1
    assert unit.update(1, 0, 1, 4).total.x == 1


def test_a_first_episode_on_the_old_side_is_not_counted_either() -> None:
    unit = Newcomer.of(PRIOR, history=100).update(0, 2, 1, 4)
    assert unit.total == Window(0, 1, 1, 104)


def test_windows_before_the_first_episode_are_history_whichever_side_they_are_of() -> None:
    unit = Newcomer.of(PRIOR, history=100).update(0, 0, 1, 4).update(0, 0, 1, 4)
    assert not unit.found
    assert unit.total == Window(0, 0, 0, 110)
    assert unit.update(2, 0, 1, 4).total == Window(1, 0, 1, 114)


def test_a_fault_that_begins_late_is_found_about_as_soon_as_one_from_the_start() -> None:
    early, late = Newcomer.of(PRIOR, history=1800), Newcomer.of(PRIOR, history=1800)
    for _ in range(66):
        late = late.update(0, 0, 1, 4)
    for _ in range(4):
        early, late = early.update(1, 0, 1, 4), late.update(1, 0, 1, 4)
    assert late.e_value == pytest.approx(early.e_value, rel=0.05)


def test_history_without_the_unit_finds_a_fault_sooner() -> None:
    unit = Newcomer.of(PRIOR, history=1800)
    alone = EProcess.of(PRIOR)
    for _ in range(4):
        unit, alone = unit.update(1, 0, 1, 4), alone.update(1, 0, 1, 4)
    assert unit.enough
    assert unit.e_value > 133 > alone.e_value


def test_what_old_hosts_show_too_is_not_blamed_for_being_new() -> None:
    unit = Newcomer.of(PRIOR, history=1800)
    for _ in range(10):
        unit = unit.update(3, 12, 1, 4)
    assert unit.fresh.update(*unit.total).e_value > 1e6
    assert unit.e_value < 20


def test_the_first_episode_counts_towards_what_is_enough() -> None:
    unit = Newcomer.of(PRIOR, history=100).update(2, 0, 1, 4)
    assert not unit.enough
    assert unit.update(1, 0, 1, 4).enough


def test_without_history_the_rollout_s_own_windows_decide() -> None:
    unit = Newcomer.of(PRIOR, history=0)
    for _ in range(12):
        unit = unit.update(1, 0, 1, 4)
    assert unit.e_value > 100


@pytest.mark.parametrize(("history", "incident"), [(-1, 0.05), (math.nan, 0.05), (math.inf, 0.05), (1, 0), (1, 1)])
def test_a_newcomer_of_impossible_numbers_is_refused(history: float, incident: float) -> None:
    with pytest.raises(ValueError, match="history"):
        Newcomer.of(PRIOR, history=history, incident=incident)


def test_a_success_line_that_vanishes_is_silence() -> None:
    quiet = Silence.of(PRIOR)
    for _ in range(6):
        quiet = quiet.update(0, 40, 1, 4)
    assert quiet.enough
    assert quiet.expected == 60
    assert quiet.e_value > 1e4
    assert quiet.quieter > 20


def test_a_drop_by_half_is_found_where_the_past_pins_the_host_down() -> None:
    quiet = Silence.of(PRIOR.after([Window(500, 2000, 1, 4)]))
    for _ in range(20):
        quiet = quiet.update(10, 80, 1, 4)
    assert quiet.e_value > 1e3
    assert quiet.quieter == pytest.approx(2, rel=0.15)


def test_what_is_as_loud_as_ever_is_no_silence() -> None:
    quiet = Silence.of(PRIOR)
    for _ in range(20):
        quiet = quiet.update(20, 80, 1, 4)
    assert quiet.e_value < 1


def test_of_what_is_rare_silence_says_nothing() -> None:
    assert not Silence.of(PRIOR).update(0, 40, 1, 4).enough


def test_silence_without_anyone_to_compare_with_is_unknown() -> None:
    quiet = Silence.of(PRIOR).update(0, 0, 1, 0)
    assert quiet.e_value == 1.0
    assert quiet.expected == 0.0


def test_a_fault_that_begins_with_a_later_wave_is_found_in_spite_of_a_clean_canary() -> None:
    canary = PRIOR.after([Window(300, 1200, 1, 4)])
    wave = RatioPrior.of_hosts(16, new=2, old=3).after([Window(600, 900, 2, 3)])
    both, alone = Onsets.of(canary), EProcess.of(canary)
    for _ in range(30):
        both, alone = both.update(10, 40, 1, 4), alone.update(10, 40, 1, 4)
    both, alone = both.next_stage(wave), alone.next_stage(wave)
    for _ in range(3):
        both, alone = both.update(50, 30, 2, 3), alone.update(50, 30, 2, 3)
    assert both.e_value > 1000
    assert both.log_e > alone.log_e + 2


def test_the_weights_of_all_onsets_sum_to_one() -> None:
    unit = Onsets.of(PRIOR)
    assert unit.e_value == pytest.approx(1.0)
    for _ in range(5):
        unit = unit.next_stage(PRIOR)
        assert unit.e_value == pytest.approx(1.0)


def test_being_ready_for_later_onsets_costs_a_fault_from_the_start_no_more_than_half() -> None:
    unit, alone = Onsets.of(PRIOR), EProcess.of(PRIOR)
    for _ in range(6):
        unit, alone = unit.update(2, 0, 1, 4), alone.update(2, 0, 1, 4)
    assert unit.enough
    assert unit.e_value >= alone.e_value / 2
