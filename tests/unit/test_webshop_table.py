"""The last table says what happened, and every bar that was missed."""

from __future__ import annotations

from dataclasses import replace

from examples.webshop.result import DemoResult, Step, table
from examples.webshop.tally import Tally

STEP = Step("1.1.0", expected=0, exit=0, verdict="promote", seconds=40.0, evidence=("400 requests, nothing new",))
GOOD = DemoResult(
    steps=(STEP,),
    load=Tally(requests=20_000, lasted=100.0, longest_pause=0.031, by_release={"1.0.0": 20_000}),
    seconds_out={"web-2": 4.0, "web-1": 3.96},
    most_out=1,
    seconds=120.0,
)


def test_a_good_run_misses_no_bar() -> None:
    assert GOOD.missed == ()
    assert "Every bar was reached." in table(GOOD)


def test_the_table_holds_every_figure() -> None:
    text = table(GOOD)
    assert "20000 (200 a second; 20000 by 1.0.0)" in text
    assert "web-1 4.0 s, web-2 4.0 s" in text
    assert "31 ms between two answers" in text
    assert "promote after 40 s" in text
    assert "400 requests, nothing new" in text


def test_one_failed_request_is_a_missed_bar() -> None:
    bad = replace(GOOD, load=replace(GOOD.load, failed=1, failures=("/: status 503",)))
    assert bad.missed == ("1 of 20000 requests failed: /: status 503",)
    assert "MISSED: 1 of 20000 requests failed" in table(bad)


def test_no_requests_at_all_prove_nothing() -> None:
    assert replace(GOOD, load=Tally()).missed == ("no request was made",)


def test_another_exit_status_than_expected_is_a_missed_bar() -> None:
    assert not replace(STEP, exit=3).held
    assert replace(GOOD, steps=(replace(STEP, exit=3),)).missed == ("1.1.0: exit status 3, not 0",)


def test_what_a_step_did_not_show_is_a_missed_bar() -> None:
    step = replace(STEP, missed=("the known error was not listed",))
    assert replace(GOOD, steps=(step,)).missed == ("1.1.0: the known error was not listed",)


def test_two_servers_out_at_once_are_a_missed_bar() -> None:
    assert replace(GOOD, most_out=2).missed == ("2 servers were out of the load balancer at once, not 1 at most",)


def test_a_run_that_takes_too_long_is_a_missed_bar() -> None:
    assert replace(GOOD, seconds=400.0).missed == ("it took 400 s, not 360 s at most",)


def test_long_evidence_is_wrapped_under_its_step() -> None:
    step = replace(STEP, evidence=("word " * 40, "  a line of the log"))
    lines = table(replace(GOOD, steps=(step,)), width=60).splitlines()
    told = lines[lines.index("  1.1.0  promote after 40 s") + 1 : -2]
    assert len(told) > 3
    assert all(line.startswith(" " * 9) and len(line) <= 60 for line in told)
    assert told[-1] == " " * 11 + "a line of the log"
