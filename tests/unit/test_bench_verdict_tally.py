"""How the bench counts: which ending counts for what, and when a bar is reached."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from bench.verdict.ours import NAME, Ending, Outcome
from bench.verdict.scenarios import Bar, Scenario, scenarios
from bench.verdict.tables import markdown
from bench.verdict.tally import Tally
from bench.verdict.world import Fault


def tally(bar: Bar, *endings: End, who: str = NAME) -> Tally:
    outcomes = [(seed, Outcome(ending, seconds)) for seed, (ending, seconds) in enumerate(endings)]
    return Tally(Scenario("test", bar, lambda _, __: Fault()), "generator", who, outcomes)


End = tuple[Ending, float]
BACK: End = ("rolled back", 40.0)
HELD: End = ("held", math.inf)
ON: End = ("promoted", math.inf)


@pytest.mark.parametrize(
    ("bar", "endings", "reached"),
    [
        (Bar(wrong=0.01), [ON, HELD], True),
        (Bar(wrong=0.01), [ON, BACK], False),
        (Bar(back=1.0), [BACK, BACK], True),
        (Bar(back=1.0), [BACK, HELD], False),
        (Bar(caught=1.0), [BACK, HELD], True),
        (Bar(caught=1.0), [BACK, ON], False),
        (Bar(back=0.5, within=40.0), [BACK, ON], True),
        (Bar(back=0.5, within=39.0), [BACK, ON], False),
        (Bar(back=1.0), [BACK, ("too early", -30.0)], False),
    ],
)
def test_a_bar_is_reached_by_shares_and_by_the_median_of_the_seconds(
    bar: Bar, endings: list[End], reached: bool
) -> None:
    assert tally(bar, *endings).reached is reached


def test_a_bar_that_real_logs_are_spared_is_asked_of_the_generator_only() -> None:
    made = tally(Bar(back=1.0), ON)
    made.scenario = replace(made.scenario, spared="they fail anyway")
    assert made.reached is False
    made.input = "trainticket"
    assert made.reached is None
    assert "none: they fail anyway" in made.row()


def test_peers_have_no_bar() -> None:
    assert tally(Bar(back=1.0), ON, who="threshold").reached is None


def test_a_rollback_before_the_onset_is_no_success_and_has_no_seconds() -> None:
    row = tally(Bar(back=0.1), BACK, ("too early", -30.0))
    assert row.seconds == [40.0]
    assert "(+1 too early)" in row.row()[4]


def test_a_table_says_how_many_were_played_and_what_could_not_be_measured() -> None:
    text = markdown([tally(Bar(back=1.0, within=90.0), BACK, HELD)], ["drain3: not measured: no network"])
    assert "- drain3: not measured: no network" in text
    assert "| test | generator | Noonday | 2 | 1 | 1 | 0 | 0 | 40 | 40 | 0 | ≥ 1 rolled back, ≤ 90 s | MISSED |" in text


def test_every_rollback_of_a_clean_release_counts_whenever_it_came() -> None:
    incident = next(one for one in scenarios() if one.name == "fleet-wide incident")
    late = next(one for one in scenarios() if "after the examine" in one.name)
    assert incident.onset(Fault(onset=120.0)) == 0.0
    assert late.onset(Fault(onset=660.0)) == 660.0


def test_every_scenario_has_a_name_and_a_bar_of_its_own() -> None:
    found = scenarios()
    assert len({one.name for one in found}) == len(found)
    assert all(str(one.bar) for one in found)
    assert all(one.bar.wrong <= 0.01 for one in found if one.clean)
