"""What others decide by, as it stands in the bench: each sees what its rule says, and no more."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from bench.verdict.case import Alert, Case
from bench.verdict.generated import Generator
from bench.verdict.peers.any_error import AnyNewError
from bench.verdict.peers.mann_whitney import MannWhitney, is_high
from bench.verdict.peers.template_diff import differs
from bench.verdict.peers.threshold import Threshold
from bench.verdict.scenarios import Bar, Scenario
from bench.verdict.world import Fault, Kind, error_kind


def case_of(fault: Fault) -> Case:
    return Generator().case(Scenario("test", Bar(), lambda _, __: fault, length=600.0), seed=5)


def seconds(at: float | None, case: Case) -> float | None:
    return None if at is None else at - case.start


def test_the_threshold_looks_at_the_canary_and_not_at_the_others() -> None:
    case = case_of(Fault("5xx", errors=0.3))
    at = seconds(Threshold().turns_back(case), case)
    assert at is not None
    assert at >= 50.0


def test_mann_whitney_is_blind_to_what_is_new_and_sparse() -> None:
    assert not is_high([0.0, 0.02, 0.0, 0.01, 0.0, 0.02, 0.0, 0.01, 0.02, 0.0], [0.0] * 10)


def test_mann_whitney_sees_a_shift_of_all_points() -> None:
    assert is_high([0.21, 0.22, 0.2, 0.23, 0.24, 0.2, 0.21], [0.1, 0.11, 0.09, 0.1, 0.12, 0.1, 0.11])
    assert not is_high([0.1, 0.11, 0.09, 0.1, 0.12, 0.1, 0.11], [0.21, 0.22, 0.2, 0.23, 0.24, 0.2, 0.21])


def test_mann_whitney_says_nothing_of_a_few_points() -> None:
    assert not is_high([9.0, 9.1], [1.0, 1.1])


def test_mann_whitney_finds_requests_that_take_twice_as_long() -> None:
    case = case_of(Fault("slow", slower=2.0))
    assert MannWhitney().turns_back(case) is not None


def test_the_diff_takes_more_of_the_same_for_a_difference() -> None:
    same = Counter({"a": 100, "b": 50})
    assert not differs(same, Counter({"a": 400, "b": 200}))
    assert differs(Counter({"a": 100, "b": 120}), Counter({"a": 400, "b": 200}))
    assert not differs(Counter(), same)


def test_any_new_error_line_needs_a_line_that_differs_by_more_than_numbers() -> None:
    case = case_of(Fault("new", kinds=(error_kind(0.3),)))
    known = replace(case, lines=lambda window, host: [Alert("ERROR", f"order {window.ends:.0f} is gone")])
    assert AnyNewError().turns_back(known) is None
    assert AnyNewError().turns_back(case) is not None


def test_what_the_catalogue_knows_is_new_to_nobody() -> None:
    case = case_of(Fault())
    known = {alert.text for alert in case.older}
    assert any("trying again" in text for text in known)
    starts = replace(case, lines=lambda window, host: [one for one in case.older if "trying again" in one.text])
    assert AnyNewError().turns_back(starts) is None


@pytest.mark.parametrize("level", ["INFO", "WARN"])
def test_any_new_error_line_does_not_mind_other_levels(level: str) -> None:
    case = case_of(Fault("new", kinds=(Kind(error_kind(0.3, level=level).template, 0.3),)))
    quiet = replace(case, lines=lambda window, host: [one for one in case.lines(window, host) if one.level == level])
    assert AnyNewError().turns_back(quiet) is None
