"""The app's own numbers: the series asked for, whatever else the page holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from noonday_agent.config import Metrics
from noonday_agent.evidence.prometheus import read_metrics

PAGE = """\
# HELP queue_depth Jobs that wait.
# TYPE queue_depth gauge
queue_depth 17
jobs_total{queue="mail",state="done"} 1.5e3 1767268800000
jobs_total{queue="mail",state="failed"} 3
jobs_total{queue="pdf", state="done",} 40
odd{text="a \\"quoted\\" } brace, and \\\\ more"} 2
broken NaN
endless{a="b"} +Inf
queue_depth_max 99
half{a="
minus -Inf
small nan
huge 1e999
under 1_000
binary \x00\ufffd 5
twice NaN
twice 3
nothing
words many of them
"""


@pytest.mark.parametrize(
    ("series", "value"),
    [
        ("queue_depth", 17.0),
        ("jobs_total", 1543.0),
        ('jobs_total{queue="mail"}', 1503.0),
        ('jobs_total{state="done",queue="mail"}', 1500.0),
        ('odd{text="a \\"quoted\\" } brace, and \\\\ more"}', 2.0),
        ("broken", None),
        ("endless", None),
        ("missing", None),
        ("half", None),
        ("words", None),
        ("minus", None),
        ("small", None),
        ("huge", None),
        ("binary", None),
        ("twice", 3.0),
    ],
)
def test_a_series_is_found_by_name_and_labels(series: str, value: float | None) -> None:
    assert read_metrics(PAGE, [series]).get(series) == value


def test_sums_that_overflow_are_absent() -> None:
    assert read_metrics('a{x="1"} 1e308\na{x="2"} 1e308\n', ["a"]) == {}


@pytest.mark.parametrize("series", ["", "9x", "a{", 'a{b="c"', 'a{b="c"}x', "a b", "a{b=c}", 'a{"b"}'])
def test_what_is_no_series_is_refused_with_an_example(series: str) -> None:
    with pytest.raises(ValidationError, match="jobs_total"):
        Metrics(series=(series,))


@given(st.text(max_size=300))
def test_any_page_is_read(page: str) -> None:
    read_metrics(f"a{page}\na 1\n{page}", ["a", 'a{b="c"}'])
