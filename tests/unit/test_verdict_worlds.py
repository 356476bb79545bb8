from __future__ import annotations

import math
import re
from dataclasses import replace
from functools import cache

import pytest

from bench.verdict.world import (
    NEW,
    OLD,
    START,
    Fault,
    Knobs,
    World,
    default_policy,
    error_kind,
    known_kinds,
    make_world,
    template,
)
from noonday_coordinator.core.caveats import Mark
from noonday_coordinator.core.policy import Policy
from noonday_coordinator.core.view import Judgement
from noonday_coordinator.verdict.judge import EvidenceJudge, replay

KNOBS = Knobs(seed=3, kinds=24, history=900.0, length=300.0, per_minute=120.0)
NEW_ERROR = error_kind(0.05)
Story = list[tuple[float, Judgement]]


@cache
def told(fault: Fault, knobs: Knobs = KNOBS) -> tuple[World, Story]:
    world = make_world(knobs, fault)
    return world, replay(world.trial, world.windows)


def verdicts(story: Story) -> set[str]:
    return {judgement.verdict for _, judgement in story}


def turned_back(story: Story) -> float:
    """Seconds after the start; infinite when it never was."""
    return next((at - START for at, judgement in story if judgement.verdict == "roll back"), math.inf)


def alert(level: str = "ERROR") -> str:
    return next(kind.key for kind in known_kinds(KNOBS) if kind.template.level == level)


def kinds(judgement: Judgement) -> set[str]:
    return {finding.kind for finding in judgement.findings if finding.holds or finding.blames}


@pytest.mark.parametrize("seed", [3, 4])
def test_the_same_release_again_is_promoted(seed: int) -> None:
    _, story = told(Fault(), replace(KNOBS, seed=seed))
    assert "roll back" not in verdicts(story)
    assert (story[-1][1].verdict, story[-1][1].enough) == ("promote", True)


def test_a_release_that_rewords_its_log_goes_on() -> None:
    def fresh(text: str) -> str:
        return text.replace(text.split()[1], "fresh", 1)

    _, story = told(Fault("benign", renamed=fresh, rename_share=0.3))
    assert "roll back" not in verdicts(story)
    assert story[-1][1].verdict == "promote"


def test_what_all_hosts_suffer_is_shared_trouble_and_passes() -> None:
    timeouts = error_kind(0.3, "TimeoutError in shop/db.py connect")
    _, story = told(Fault("incident", everywhere=(timeouts,), everywhere_errors=0.3, onset=60.0, until=150.0))
    assert "roll back" not in verdicts(story)
    held = [judgement for at, judgement in story if 80 < at - START <= 150]
    assert all("not this release" in judgement.reason for judgement in held)
    assert story[-1][1].verdict == "promote"


def test_a_new_error_turns_the_release_back_and_is_told_with_its_proof() -> None:
    _, story = told(Fault("new error", kinds=(NEW_ERROR,)))
    assert turned_back(story) <= 90
    blamed = next(one for _, judgement in story for one in judgement.findings if one.blames)
    assert (blamed.kind, blamed.key, blamed.samples) == ("new-error", NEW_ERROR.key, NEW_ERROR.template.samples)
    assert blamed.words.startswith("ERROR new with 1.1.0, 'KeyError in shop/pay.py charge': ")
    assert "never in 14 min on 4 old servers" in blamed.words
    assert blamed.rate_here > 0.01
    assert blamed.rate_there == 0
    assert blamed.e > 20


def test_a_busy_new_error_is_found_in_the_second_window() -> None:
    knobs = replace(KNOBS, per_minute=3000.0, history=120.0, coarse=10.0, fine=2.0, length=20.0)
    _, story = told(Fault("new error", kinds=(NEW_ERROR,)), knobs)
    assert turned_back(story) <= 4


def test_a_known_alert_ten_times_as_often_turns_back_and_once_is_no_news() -> None:
    _, story = told(Fault("often", times=((alert(), 10.0),)))
    assert turned_back(story) <= 60
    assert "more-often" in {one.kind for _, judgement in story for one in judgement.findings if one.blames}


def test_an_accepted_caveat_never_turns_back_at_its_rate_but_does_beyond_it() -> None:
    world = make_world(KNOBS, Fault("often", times=((alert(), 10.0),)))

    def marked(rate: float) -> Story:
        return replay(replace(world.trial, marks={alert(): Mark("accepted", rate=rate)}), world.windows)

    assert turned_back(marked(1.0)) == math.inf
    assert turned_back(marked(0.001)) <= 60


def test_answers_with_5xx_turn_back() -> None:
    _, story = told(Fault("5xx", errors=0.1))
    assert turned_back(story) <= 90
    assert any(one.unit == "status:5xx" for _, judgement in story for one in judgement.findings if one.blames)


def test_slower_requests_turn_back() -> None:
    _, story = told(Fault("slower", slower=1.5))
    assert turned_back(story) <= 200
    assert any(one.kind == "slower" for _, judgement in story for one in judgement.findings if one.blames)


def test_a_line_that_is_missing_holds_and_never_turns_back() -> None:
    usual = known_kinds(KNOBS)[1].key
    _, story = told(Fault("silent", times=((usual, 0.0),)))
    assert "roll back" not in verdicts(story)
    assert "silence" in kinds(story[-1][1])


def test_memory_that_only_the_new_release_takes_holds() -> None:
    _, story = told(Fault("leak", leak=3e5))
    assert "roll back" not in verdicts(story)
    assert "gauge" in kinds(story[-1][1])


def test_a_canary_with_half_the_weight_is_not_blamed_for_it() -> None:
    _, story = told(Fault(), replace(KNOBS, weight=0.5))
    assert verdicts(story) == {"promote"}


def test_too_many_missing_windows_make_the_evidence_incomplete() -> None:
    _, story = told(Fault("missing", missing=0.4))
    assert "roll back" not in verdicts(story)
    assert "incomplete" in kinds(story[-1][1])


def test_a_flood_of_different_lines_holds_and_costs_no_verdict() -> None:
    _, story = told(Fault("garbage", garbage=60, onset=60.0), replace(KNOBS, length=150.0))
    assert story[-1][1].verdict in ("hold", "roll back")
    assert len(story[-1][1].findings) < 100


def test_one_new_error_alone_holds_for_a_while_and_then_goes_on() -> None:
    world = make_world(replace(KNOBS, length=420.0, novelty=0.0), Fault())
    first = world.windows[2]
    once = {**first.hosts["web-1"].counts, NEW_ERROR.key: (1, 1)}
    hosts = {**first.hosts, "web-1": replace(first.hosts["web-1"], counts=once)}
    world.windows[2] = replace(first, hosts=hosts, templates=(*first.templates, NEW_ERROR.template))
    story = replay(world.trial, world.windows)
    assert story[3][1].verdict == "hold"
    assert "too few to blame it" in story[3][1].reason
    assert story[-1][1].verdict == "promote"


def test_replay_says_the_same_to_the_last_bit_and_another_policy_its_own() -> None:
    world, story = told(Fault("new error", kinds=(NEW_ERROR,)))
    assert replay(world.trial, world.windows) == story
    ignoring = default_policy(overrides=[{"match": "KeyError", "action": "ignore"}])
    assert turned_back(replay(world.trial, world.windows, ignoring)) == math.inf
    bold = default_policy(sensitivity=0.5)
    assert turned_back(replay(world.trial, world.windows, bold)) <= turned_back(story)


def test_errors_of_a_release_that_never_went_well_are_no_excuse() -> None:
    world, _ = told(Fault("new error", kinds=(NEW_ERROR,)))
    entry = next(iter(world.trial.catalogue.entries.values()))
    seen = replace(entry, key=NEW_ERROR.key, level="ERROR", text=NEW_ERROR.template.text, releases={NEW.id: 50})
    catalogue = replace(
        world.trial.catalogue,
        entries={**world.trial.catalogue.entries, NEW_ERROR.key: seen},
        untrusted=frozenset({NEW.id}),
    )
    again = replay(replace(world.trial, catalogue=catalogue), world.windows)
    assert turned_back(again) <= 90
    excused = replace(catalogue, entries={**catalogue.entries, NEW_ERROR.key: replace(seen, releases={OLD.id: 50})})
    known = replay(replace(world.trial, catalogue=excused), world.windows)
    blamed = next((one for _, judgement in known for one in judgement.findings if one.blames), None)
    assert blamed is None or blamed.kind == "more-often"


def test_a_fleet_of_one_host_is_compared_with_its_own_past() -> None:
    knobs = replace(KNOBS, hosts=1)
    assert turned_back(told(Fault("new error", kinds=(NEW_ERROR,)), knobs)[1]) <= 120
    assert "roll back" not in verdicts(told(Fault(), knobs)[1])


def test_without_any_past_and_other_host_nothing_is_blamed() -> None:
    world = make_world(replace(KNOBS, hosts=1), Fault("new error", kinds=(NEW_ERROR,)))
    bare = replace(world.trial, before=(), catalogue=replace(world.trial.catalogue, entries={}, clusters={}))
    assert "roll back" not in verdicts(replay(bare, world.windows))


def test_no_evidence_of_the_new_release_is_a_hold() -> None:
    world, _ = told(Fault())
    session = EvidenceJudge().open(world.trial)
    judgement = session.judgement(world.rollout, world.hosts, START)
    assert (judgement.verdict, judgement.enough) == ("hold", False)
    assert "no evidence has arrived" in judgement.reason


def test_a_judgement_changes_nothing() -> None:
    world, story = told(Fault("new error", kinds=(NEW_ERROR,)))
    session = EvidenceJudge().open(world.trial)
    for window in world.windows:
        session.advance(window)
        session.judgement(world.rollout, world.hosts, window.ends)
        session.judgement(world.rollout, world.hosts, window.ends)
    assert session.judgement(world.rollout, {}, story[-1][0]).findings == story[-1][1].findings


def test_an_override_that_holds_never_turns_back() -> None:
    world, _ = told(Fault("new error", kinds=(NEW_ERROR,)))
    policy: Policy = default_policy(overrides=[{"match": "^ERROR KeyError", "action": "hold"}])
    story = replay(world.trial, world.windows, policy)
    assert "roll back" not in verdicts(story)
    assert "the policy wants a person to look" in story[-1][1].reason


def test_new_information_is_seen_but_not_blamed() -> None:
    words = ("zeta", "omega", "sigma")
    news = tuple(error_kind(0.2, f"{word} alpha beta gamma delta", "INFO") for word in words)
    _, story = told(Fault("news", kinds=news))
    assert "roll back" not in verdicts(story)
    assert template(news[0].template.text, "INFO").key == news[0].key


def test_what_is_counted_by_seconds_is_not_said_to_be_requests() -> None:
    plain = NEW_ERROR.template.model_copy(update={"by_second": True})
    _, story = told(Fault("new", kinds=(replace(NEW_ERROR, template=plain),)))
    words = next(one.words for one in story[-1][1].findings if one.blames)
    assert re.search(r": in \d+ seconds on web-1, never", words)


def test_the_rate_of_what_is_counted_by_seconds_is_no_percentage_of_requests() -> None:
    known = next(kind for kind in known_kinds(KNOBS) if kind.template.level == "ERROR")
    world, _ = told(Fault("more", times=((known.key, 20.0),)))
    windows = [
        replace(one, templates=(known.template.model_copy(update={"by_second": True}),)) for one in world.windows
    ]
    words = next(one.words for one in replay(world.trial, windows)[-1][1].findings if one.blames)
    assert re.search(r" per 100 requests against [\d.]+ per 100 requests\)", words)
