"""What a start writes, compared with the start of an old server that was restarted at the same hour."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.verdict.world import (
    NEW,
    OLD,
    Fault,
    Knobs,
    World,
    default_policy,
    known_kinds,
    make_world,
    start_kinds,
    template,
)
from noonday_coordinator.core.view import Judgement
from noonday_coordinator.verdict.judge import replay
from noonday_coordinator.verdict.window import HostWindow, Window

KNOBS = Knobs(seed=3, kinds=24, history=600.0, length=150.0, per_minute=120.0)
COLD = template("pool is cold, it asks the database instead", "ERROR", "shop.pool")
SHOWS = 6
"""Windows of a start that hold it."""


def aged(seen: HostWindow, turn: int, shown: int) -> HostWindow:
    """The window `turn` of a host's start, which shows so many cold pools."""
    counts = {**seen.counts, COLD.key: (shown, shown)} if shown else seen.counts
    return replace(seen, age=(turn + 1) * 10.0, first=turn == 0, counts=counts)


def world(*, canary: int, twin: int, until: int = SHOWS, twin_until: int = SHOWS, restarted: bool = True) -> World:
    """Each window of a start shows so many cold pools up to `until`; an old host starts two windows earlier."""
    made = make_world(KNOBS, Fault())
    began = next(n for n, one in enumerate(made.windows) if any(h.release == NEW.id for h in one.hosts.values()))
    old = max(host for host, seen in made.windows[began].hosts.items() if seen.release == OLD.id)
    windows: list[Window] = []
    for n, window in enumerate(made.windows):
        hosts = dict(window.hosts)
        for host, seen in window.hosts.items():
            if seen.release == NEW.id:
                hosts[host] = aged(seen, n - began, canary if n - began < until else 0)
            elif host == old and restarted:
                hosts[host] = aged(seen, n, twin if n < twin_until else 0)
        told = (*window.templates, COLD) if n == 0 else window.templates
        windows.append(replace(window, hosts=hosts, templates=told))
    return replace(made, windows=windows)


def judged(made: World) -> list[Judgement]:
    return [judgement for _, judgement in replay(made.trial, made.windows)]


def verdicts(story: list[Judgement]) -> set[str]:
    return {one.verdict for one in story}


def test_a_record_that_both_starts_write_is_not_held_against_the_release() -> None:
    story = judged(world(canary=6, twin=6))
    assert "roll back" not in verdicts(story)
    excused = [one for judgement in story for one in judgement.findings if one.excuse == "twin"]
    assert excused
    assert "as on an old server that was restarted meanwhile: not this release" in excused[-1].words
    assert story[-1].verdict == "promote"


def test_without_a_twin_the_same_record_turns_the_release_back() -> None:
    assert "roll back" in verdicts(judged(world(canary=6, twin=0, restarted=False)))


def test_three_times_as_much_as_the_twin_wrote_is_still_blamed() -> None:
    assert "roll back" in verdicts(judged(world(canary=18, twin=6)))


def test_what_goes_on_after_the_start_is_blamed_whatever_the_twin_wrote_in_its_own() -> None:
    story = judged(world(canary=6, twin=6, until=1000))
    assert "roll back" in verdicts(story)


def test_a_known_alert_that_rises_is_not_excused_because_the_twin_shows_it_as_ever() -> None:
    alert = next(kind.key for kind in known_kinds(KNOBS) if kind.template.level == "ERROR")
    made = make_world(KNOBS, Fault("often", times=((alert, 10.0),)))
    old = max(host for host, seen in made.windows[0].hosts.items() if seen.release == OLD.id)
    windows = [
        replace(one, hosts={h: aged(s, n, 0) if h == old or s.release == NEW.id else s for h, s in one.hosts.items()})
        for n, one in enumerate(made.windows)
    ]
    assert "roll back" in verdicts(judged(replace(made, windows=windows)))


def test_starts_louder_than_usual_do_not_hold_where_the_twin_was_as_loud_today() -> None:
    made = make_world(replace(KNOBS, length=120.0), Fault("loud", louder_starts=10.0))
    old = max(host for host, seen in made.windows[0].hosts.items() if seen.release == OLD.id)
    says = {kind.key for kind in start_kinds(KNOBS)}
    windows = []
    for n, window in enumerate(made.windows):
        loud = {
            key: shown
            for seen in window.hosts.values()
            if seen.release == NEW.id
            for key, shown in seen.counts.items()
            if key in says
        }
        twin = aged(replace(window.hosts[old], counts={**window.hosts[old].counts, **loud}), n, 0)
        windows.append(replace(window, hosts={**window.hosts, old: twin}))

    def of_starts(story: list[Judgement]) -> set[tuple[str, bool]]:
        found = (one for judgement in story for one in judgement.findings if one.unit.startswith("start:"))
        return {(one.excuse, one.holds) for one in found}

    assert of_starts(judged(made)) == {("", True)}
    assert of_starts(judged(replace(made, windows=windows))) == {("twin", False)}


@pytest.mark.parametrize("gone", [True, False])
def test_the_judgement_of_a_rollout_with_a_twin_is_the_same_each_time(*, gone: bool) -> None:
    made = world(canary=6, twin=6, restarted=gone)
    assert judged(made) == judged(made)
    assert made.trial.rollout.policy == default_policy()
