"""A coordinator killed by SIGKILL right after it kept what rarely happens: started again, it has happened once."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from chaos.caught import ALL, LONG, hanging, silent, starts
from chaos.test_coordinator_killed_by_persons import dies_at

from noonday_coordinator.core import events as e
from noonday_coordinator.core.state import HostState
from support.eventually import eventually
from support.fleet import Fleet
from support.fleet_commands import WITHIN
from support.told_events import kept

pytestmark = [pytest.mark.timeout(400), pytest.mark.skipif(not LONG, reason="takes half a minute each: make chaos")]

POINTS = ("kept:ClockSet", "kept:HostJudged:skipped", "kept:HostJudged:lost", "kept:HostJudged:kept")
"""Where it dies here; compared with the code by `test_crash_points`."""

TESTS = Path(__file__).parents[1]
PATIENCE = 300


def test_no_wait_ends_early_or_late_when_the_clock_was_set_and_the_coordinator_died_of_it(fleet: Fleet) -> None:
    fleet.policy(examine=600, examine_most=PATIENCE * 4, host_within=PATIENCE)
    version, shift = fleet.push(), fleet.folder / "clock"
    before, told = starts(fleet), len(_set_by(fleet))
    with _clock_in(fleet, shift), fleet.load(clients=1) as load:
        rollout = fleet.begin(version)
        left = fleet.until(rollout, lambda info: info.examine, what="the examine").examine
        assert left is not None
        dies_at(fleet, "kept:ClockSet", act=lambda: shift.write_text("7200"))
        later_on = fleet.rollout(rollout)
        assert (later_on.stage, later_on.asked) == ("examining", "")
        assert later_on.examine is not None
        assert abs(later_on.examine.ends_at - left.ends_at - 7200) < 60
        dies_at(fleet, "kept:ClockSet", act=lambda: shift.write_text("0"))
        at_last = fleet.rollout(rollout)
        assert at_last.examine is not None
        assert abs(at_last.examine.ends_at - left.ends_at) < 60
        fleet.ok("promote", "web")
        end = fleet.ended(rollout)
        load.after(5)
    assert (end.end, load.failures) == ("done", [])
    assert starts(fleet) == {host: [*earlier, version] for host, earlier in before.items()}
    forth, back = _set_by(fleet)[told:]
    assert abs(forth - 7200) < 60
    assert abs(back + 7200) < 60


def test_a_host_that_was_left_out_stays_left_out_and_comes_home_when_it_is_heard(fleet: Fleet) -> None:
    host, before = fleet.host("web-3"), starts(fleet)
    fleet.policy(offline="skip", unreachable_after=11, prepare_within=PATIENCE, host_within=PATIENCE)
    version = fleet.push()
    with fleet.load(clients=1) as load:
        eventually(lambda: silent(fleet, host) < 2, what="web-3 heard", within=WITHIN, every=0.1)
        with hanging(host.agent_pid):
            rollout = fleet.begin(version)
            dies_at(fleet, "kept:HostJudged:skipped", act=lambda: None, but=("web-3",))
            end = fleet.ended(rollout)
        eventually(lambda: host.web.answers == version, what="web-3 home", within=2 * WITHIN, every=0.1)
        eventually(lambda: fleet.in_service() == ALL, what="all in service", within=WITHIN, every=0.1)
        load.after(5)
    assert (end.end, list(end.left_out), load.failures) == ("done", ["web-3"], [])
    assert starts(fleet) == {name: [*earlier, version] for name, earlier in before.items()}
    assert _judged(fleet, rollout, HostState.SKIPPED) == ["web-3"]


def test_a_host_that_can_not_be_brought_back_is_given_up_once(fleet: Fleet) -> None:
    host, old, before = fleet.host("web-1"), fleet.host("web-1").web.answers, starts(fleet)
    fleet.policy(examine=600, host_within=PATIENCE)
    version = fleet.push()
    rollout = fleet.begin(version)
    fleet.until(rollout, lambda info: info.stage == "examining", what="the examine")
    host.web.behave(old)
    with fleet.load(clients=1) as load:
        dies_at(fleet, "kept:HostJudged:lost", act=lambda: fleet.cli("abort", "web"))
        end = fleet.ended(rollout)
        load.after(5)
    host.web.behave()
    assert (end.end, "Could not be brought back: web-1" in end.reason, load.failures) == ("failed", True, []), end
    assert starts(fleet) == {**before, "web-1": [*before["web-1"], version, old, version]}
    assert fleet.in_service() == ALL
    assert _judged(fleet, rollout, HostState.LOST) == ["web-1"]


def test_a_way_back_that_stopped_stays_so_and_is_finished_when_a_person_asks(fleet: Fleet) -> None:
    keeper, failing = fleet.host("web-1"), fleet.host("web-2")
    old = keeper.web.answers
    fleet.policy(examine=0, host_within=PATIENCE)
    version = fleet.push(mode="slow 3")
    rollout = fleet.begin(version)
    fleet.until(
        rollout, lambda info: "web-2" in {one.host for one in info.hosts if one.state == "working"}, what="web-2"
    )
    failing.web.behave(old)
    with fleet.load(clients=1) as load:
        dies_at(fleet, "kept:HostJudged:kept", act=lambda: fleet.cli("abort", "web"))
        end = fleet.ended(rollout)
        load.after(5)
    assert (end.end, keeper.web.answers, load.failures) == ("failed", version, []), end
    assert (_judged(fleet, rollout, HostState.KEPT), _judged(fleet, rollout, HostState.LOST)) == (["web-1"], ["web-2"])
    failing.web.behave()
    eventually(lambda: fleet.in_service() == ALL, what="web-2 in service by itself", within=WITHIN, every=0.1)
    assert fleet.cli("reconcile", "web", "--yes").exit == 0
    assert {host.web.answers for host in fleet.hosts} == {old}


@contextmanager
def _clock_in(fleet: Fleet, shift: Path) -> Iterator[None]:
    """The coordinator's clock is as far ahead as `shift` says."""
    usual, env = fleet.coordinator.program, fleet.coordinator.env or {}
    fleet.coordinator.kill()
    fleet.coordinator.program = (sys.executable, "-m", "support.set_clock", str(shift))
    fleet.coordinator.env = env | {"PYTHONPATH": str(TESTS)}
    fleet.coordinator.start()
    fleet.all_heard()
    try:
        yield
    finally:
        fleet.coordinator.kill()
        shift.unlink(missing_ok=True)
        fleet.coordinator.program, fleet.coordinator.env = usual, env
        fleet.coordinator.start()
        fleet.all_heard()


def _kept(fleet: Fleet) -> list[e.Record]:
    return kept(fleet.folder / "noonday" / "data" / "events.sqlite")


def _set_by(fleet: Fleet) -> list[float]:
    return [one.event.by for one in _kept(fleet) if isinstance(one.event, e.ClockSet)]


def _judged(fleet: Fleet, rollout: str, state: HostState) -> list[str]:
    found = [one.event for one in _kept(fleet) if isinstance(one.event, e.HostJudged)]
    return [event.host for event in found if (event.rollout, event.state) == (rollout, state)]
