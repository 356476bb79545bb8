"""Clocks that are set, forward or back, at the coordinator or on a host: no wait takes longer or shorter for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from noonday_agent.core.limits import Limits
from noonday_coordinator.core import commands as c
from noonday_coordinator.core.clock_set import view_moved
from noonday_coordinator.core.events import Assigned, ClockSet, CoordinatorStarted, End
from noonday_coordinator.core.evolve import fold
from noonday_coordinator.engine import Engine
from noonday_coordinator.store.catalogue import CatalogueStore
from noonday_coordinator.store.codec import from_json, kind_of, to_json
from noonday_coordinator.store.event_log import EventLog
from noonday_coordinator.store.lines import LineBuffer
from noonday_coordinator.store.windows import WindowStore
from noonday_coordinator.words import say
from noonday_shared.bus.memory import MemoryBroker, MemoryBus
from noonday_shared.keys import SigningKey
from noonday_shared.messages import Goal, Outcome
from support.fake_host import FakeHost, assignment, ref
from support.story import NEW, Story
from support.virtual_clock import VirtualClock

OLD = ref("1.0.0", "a")


def engine_on(folder: Path, clock: VirtualClock) -> Engine:
    bus = MemoryBus(MemoryBroker(clock=clock))
    bus.start()
    engine = Engine(
        log=EventLog.open(folder / "events.sqlite"),
        windows=WindowStore.open(folder / "windows.sqlite"),
        catalogue=CatalogueStore.open(folder / "catalogue.sqlite"),
        bus=bus,
        key=SigningKey.new(),
        artifact_url=lambda _app, _release: "http://127.0.0.1/web.tar.gz",
        clock=clock,
        lines=LineBuffer(),
    )
    engine.begin()
    return engine


def sets(engine: Engine) -> list[float]:
    return [one.event.by for one in engine._log.read() if isinstance(one.event, ClockSet)]


@pytest.mark.parametrize("by", [-7200.0, 7200.0])
def test_a_clock_that_is_set_while_the_coordinator_looks_is_noted_once(tmp_path: Path, by: float) -> None:
    clock = VirtualClock()
    engine = engine_on(tmp_path, clock)
    for _ in range(3):
        clock.sleep(1.0)
        engine.turn()
    clock.jump(by)
    for _ in range(3):
        clock.sleep(1.0)
        engine.turn()
    assert sets(engine) == [pytest.approx(by)]


def test_a_clock_that_was_put_back_while_no_coordinator_ran_is_noted_before_it_begins(tmp_path: Path) -> None:
    clock = VirtualClock()
    first = engine_on(tmp_path, clock)
    first.ask(c.Enroll("web-1", {"role": "web"}, str(SigningKey.new().public)), "alice")
    first.turn()
    first._keep([Assigned("web-1", "web", 1, Goal.PREPARED, NEW)], "coordinator")
    first._log.close()
    clock.jump(-3600.0)
    again = engine_on(tmp_path, clock)
    records = again._log.read()
    kinds = [type(one.event) for one in records[-2:]]
    assert kinds == [ClockSet, CoordinatorStarted]
    assert fold(records) == again.state


@pytest.mark.parametrize("by", [-500.0, 500.0])
def test_a_rollout_waits_no_longer_and_no_shorter(by: float) -> None:
    story = Story(prepare_within=60)
    story.deploy()
    story.passing(30.0)
    story.keep(ClockSet(by))
    story.now += by
    story.view = view_moved(story.view, by)
    story.passing(20.0)
    assert not story.rollout.reason.startswith("Not prepared")
    story.passing(20.0)
    assert story.rollout.end is End.FAILED


def test_it_is_told_in_words_and_comes_back_from_the_log_as_it_was() -> None:
    event = ClockSet(-7200.0)
    assert from_json(kind_of(event), to_json(event)) == event
    assert "back by 7200 s" in say(event)


@pytest.mark.parametrize("by", [-7200.0, 7200.0])
def test_a_step_on_a_host_takes_no_longer_and_no_shorter(by: float) -> None:
    host = FakeHost(limits=Limits(healthy_within=30.0))
    host.runner.offer(assignment(host.clock, Goal.SERVING, OLD, generation=1))
    host.settle()
    host.sick.add(NEW.version)
    host.runner.offer(assignment(host.clock, Goal.SERVING, NEW, generation=2, previous=OLD))
    while host.running != NEW.id:
        host.turn()
    began = host.clock.monotonic()
    host.clock.jump(by)
    host.settle()
    assert host.runner.journal.outcome is Outcome.REVERTED
    assert 25.0 < host.clock.monotonic() - began < 45.0


def test_an_attempt_that_seems_to_have_begun_in_the_future_gets_no_more_time_than_it_has() -> None:
    host = FakeHost(limits=Limits(healthy_within=300.0))
    host.runner.offer(assignment(host.clock, Goal.SERVING, OLD, generation=1))
    host.settle()
    host.sick.add(NEW.version)
    host.runner.offer(assignment(host.clock, Goal.SERVING, NEW, generation=2, previous=OLD, deadline=60.0))
    while host.running != NEW.id:
        host.turn()
    host.clock.jump(-7200.0)
    host.agent()
    began = host.clock.monotonic()
    host.settle(within=600.0)
    assert (host.runner.journal.outcome, host.clock.monotonic() - began < 90.0) == (Outcome.REVERTED, True)
