"""What a release did that went back is no excuse for the next one, wherever it had come to."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import pytest

from bench.verdict.world import NEW, START, Fault, Knobs, World, error_kind, known_kinds, make_world
from noonday_coordinator.verdict.catalogue import Entry
from noonday_coordinator.verdict.judge import EvidenceJudge, replay
from noonday_coordinator.verdict.session import RolloutSession
from noonday_coordinator.verdict.window import HostWindow, Window

BAD = "1.0.9-cccccccc"
KNOBS = Knobs(seed=4, kinds=24, history=1800.0, length=200.0, per_minute=120.0)
ERROR = error_kind(0.05)
ALERT = next(kind for kind in known_kinds(KNOBS) if kind.template.level == "ERROR")
REACHED = ("web-1", "web-2", "web-3")


def _world(fault: Fault, shows: Mapping[str, int], *, trusted: bool = False) -> World:
    """For ten minutes, twenty before the start, a release was on three hosts and showed so many episodes a window."""
    world = make_world(KNOBS, fault)
    hosts = {ERROR.key: 0, ALERT.key: 0}

    def on_bad(window: Window) -> Window:
        if not START - 1200 < window.ends <= START - 600:
            return window
        found = dict(window.hosts)
        for host in REACHED:
            found[host] = _bad(window.hosts[host], shows, age=window.ends - (START - 1200))
            for key, count in shows.items():
                hosts[key] += count
        return replace(window, hosts=found)

    before = tuple(on_bad(window) for window in world.trial.before)
    catalogue = world.trial.catalogue
    entries = dict(catalogue.entries)
    for key, count in hosts.items():
        one = ERROR.template
        entry = entries.get(key) or Entry(key, one.level, one.logger, one.text, max(catalogue.clusters) + 1, START)
        entries[key] = replace(
            entry, episodes=entry.episodes + count, at_start=entry.at_start + count,
            releases={**entry.releases, BAD: count},
        )  # fmt: skip
    untrusted = frozenset() if trusted else frozenset({BAD, NEW.id})
    catalogue = replace(catalogue, entries=entries, untrusted=untrusted)
    return replace(world, trial=replace(world.trial, before=before, catalogue=catalogue))


def _bad(seen: HostWindow, shows: Mapping[str, int], age: float) -> HostWindow:
    counts = {**seen.counts, **{key: (count, count) for key, count in shows.items()}}
    slow = (*([0] * (len(seen.latency) - 1)), sum(seen.latency))
    return replace(seen, release=BAD, counts=counts, latency=slow, gauges={"rss_bytes": 9e9}, age=age)


def _session(world: World) -> RolloutSession:
    return EvidenceJudge().open(world.trial)


def _turned_back(world: World) -> float:
    story = replay(world.trial, world.windows)
    return next((at - START for at, judgement in story if judgement.verdict == "roll back"), math.inf)


def test_the_same_fault_again_goes_back_as_soon_as_the_first_time() -> None:
    fault = Fault("new error", kinds=(ERROR,))
    again = _turned_back(_world(fault, {ERROR.key: 3}))
    assert again == _turned_back(make_world(KNOBS, fault)) <= 60
    assert _turned_back(_world(fault, {ERROR.key: 3}, trusted=True)) > again


def test_a_known_alert_that_a_bad_release_made_loud_when_it_started_is_no_affair_of_starts() -> None:
    world = _world(Fault("often", times=((ALERT.key, 10.0),)), {ALERT.key: 200})
    assert not world.trial.catalogue.of_starts(ALERT.key)
    assert replace(world.trial.catalogue, untrusted=frozenset()).of_starts(ALERT.key)
    assert _turned_back(world) <= 60


@pytest.mark.parametrize("trusted", [False, True])
def test_nothing_of_the_past_is_that_of_a_release_that_went_back(trusted: bool) -> None:
    world = _world(Fault(), {ERROR.key: 3}, trusted=trusted)
    session = _session(world)
    clean = _session(make_world(KNOBS))
    assert (session.past.episodes(f"template:{ERROR.key}") > 0) == trusted
    assert (session.past.exposure < clean.past.exposure) != trusted
    assert (session.counting.edges == clean.counting.edges) != trusted
    assert (9e9 in [value for _, value in session.gauges._before["rss_bytes"]["web-1"]]) == trusted


def test_a_past_of_nothing_but_bad_releases_is_none() -> None:
    world = make_world(KNOBS)
    before = tuple(
        replace(window, hosts={host: replace(seen, release=BAD) for host, seen in window.hosts.items()})
        for window in world.trial.before
    )
    session = EvidenceJudge().open(
        replace(world.trial, before=before, catalogue=replace(world.trial.catalogue, untrusted=frozenset({BAD})))
    )
    assert not session.past.arms
    assert session.settling == 0
