"""A rollout in waves, judged all the way; and starts, which are loud whatever the release."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import pytest

from bench.verdict.world import START, Fault, Knobs, default_policy, error_kind, make_world, start_kinds
from noonday_coordinator.core.caveats import Mark
from noonday_coordinator.core.view import Judgement
from noonday_coordinator.verdict.judge import replay

KNOBS = Knobs(seed=5, hosts=5, kinds=24, history=900.0, length=420.0, per_minute=100.0)
WAVES = replace(KNOBS, joins=(0.0, 120.0, 140.0))
Story = list[tuple[float, Judgement]]


@cache
def told(fault: Fault, knobs: Knobs = KNOBS) -> Story:
    world = make_world(knobs, fault)
    return replay(world.trial, world.windows)


def turned_back(story: Story) -> float:
    return next((at - START for at, judgement in story if judgement.verdict == "roll back"), math.inf)


def test_a_good_release_goes_through_all_its_waves() -> None:
    story = told(Fault(), WAVES)
    assert turned_back(story) == math.inf
    assert story[-1][1].verdict == "promote"


def test_a_fault_that_begins_after_the_canary_was_passed_is_found_in_a_later_wave() -> None:
    story = told(Fault("late", kinds=(error_kind(0.1),), onset=200.0), WAVES)
    assert 200 < turned_back(story) <= 320
    blamed = next(one for _, judgement in story for one in judgement.findings if one.blames)
    assert set(blamed.counts) <= {"web-1", "web-2", "web-3"}
    assert len(blamed.counts) > 1


def test_the_last_wave_is_judged_against_the_past_where_no_old_server_is_left() -> None:
    knobs = replace(KNOBS, hosts=2, joins=(0.0, 60.0))
    assert 120 < turned_back(told(Fault("late", kinds=(error_kind(0.1),), onset=120.0), knobs)) <= 240
    assert turned_back(told(Fault(), knobs)) == math.inf


@pytest.mark.parametrize("seed", [5, 6])
def test_what_every_start_writes_is_not_held_against_a_release(seed: int) -> None:
    story = told(Fault(), replace(KNOBS, seed=seed, starts=4, length=120.0))
    assert {judgement.verdict for _, judgement in story} == {"promote"}


def test_starts_ten_times_as_loud_as_earlier_ones_hold_for_a_while() -> None:
    story = told(Fault("loud", louder_starts=10.0))
    assert turned_back(story) == math.inf
    held = [one for _, judgement in story for one in judgement.findings if one.unit.startswith("start:") and one.holds]
    assert held
    assert "in a usual start" in held[0].words
    assert story[-1][1].verdict == "promote"


def test_a_caveat_covers_loud_starts_too() -> None:
    world = make_world(replace(KNOBS, length=120.0), Fault("loud", louder_starts=10.0))
    marks = {kind.key: Mark("muted", by="ada") for kind in start_kinds(KNOBS)}
    story = replay(replace(world.trial, marks=marks), world.windows)
    assert {judgement.verdict for _, judgement in story} == {"promote"}
    assert any(one.excuse == "caveat" for one in story[-1][1].findings)


def test_errors_of_starts_of_releases_that_never_went_well_are_no_excuse() -> None:
    world = make_world(replace(KNOBS, length=120.0), Fault("loud", louder_starts=10.0))
    kinds = {kind.key for kind in start_kinds(KNOBS) if kind.template.level == "ERROR"}
    entries = {
        key: replace(entry, releases={"bad": 90}) if key in kinds else entry
        for key, entry in world.trial.catalogue.entries.items()
    }
    catalogue = replace(world.trial.catalogue, entries=entries, untrusted=frozenset({"bad"}))
    assert turned_back(replay(replace(world.trial, catalogue=catalogue), world.windows)) <= 60


def test_a_log_that_switches_to_json_is_a_benign_release() -> None:
    def as_json(text: str) -> str:
        return f'{{"message": "{text}"}}'

    story = told(Fault("json", renamed=as_json))
    assert turned_back(story) == math.inf


def test_a_rollout_with_a_bolder_policy_turns_back_no_later() -> None:
    world = make_world(KNOBS, Fault("new", kinds=(error_kind(0.05),)))
    bold = default_policy(sensitivity=0.5)
    assert turned_back(replay(world.trial, world.windows, bold)) <= turned_back(replay(world.trial, world.windows))
