"""A disk that is full under the event log: new work is refused in words, and nothing that is under way is lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from noonday_coordinator.core.commands import Abort, Deploy, Enroll
from noonday_coordinator.core.events import End, Stage
from noonday_coordinator.store.catalogue import CatalogueStore
from noonday_coordinator.store.event_log import EventLog
from noonday_coordinator.store.windows import WindowStore
from noonday_shared.errors import Temporary
from noonday_shared.messages import Outcome
from support.engine_rig import HOSTS, POLICY, EngineRig


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[EngineRig]:
    with (
        closing(EventLog.open(tmp_path / "events.sqlite")) as log,
        closing(WindowStore.open(tmp_path / "windows.sqlite")) as windows,
        closing(CatalogueStore.open(tmp_path / "catalogue.sqlite")) as catalogue,
    ):
        yield EngineRig(log, windows, catalogue)


def test_a_command_is_refused_in_words_that_say_what_to_do(rig: EngineRig) -> None:
    rig.fill()
    before = rig.engine.state
    for command in (Deploy("web", "1.0.0", POLICY), Enroll("web-3", {}, "key")):
        with pytest.raises(Temporary, match="is full, so nothing was kept") as caught:
            rig.do(command)
        assert caught.value.rule == "disk-full"
        assert "df -h" in caught.value.next_action
    assert rig.engine.state == before
    rig.kept()


def test_what_is_refused_on_a_full_disk_is_taken_once_there_is_room(rig: EngineRig) -> None:
    rig.fill()
    with pytest.raises(Temporary):
        rig.do(Deploy("web", "1.0.0", POLICY))
    rig.make_room()
    rig.do(Deploy("web", "1.0.0", POLICY))
    assert rig.engine.trouble == ""
    assert rig.engine.state.active("web") is not None
    rig.kept()


def test_a_rollout_under_way_outlasts_a_full_disk_whatever_deadlines_pass(rig: EngineRig) -> None:
    rig.do(Deploy("web", "1.0.0", POLICY))
    rig.turn()
    rig.fill()
    for _ in range(20):  # ten minutes, with deadlines of one
        rig.clock.sleep(30)
        for host in HOSTS:
            rig.say(host, Outcome.DONE)
    rig.kept()
    rig.make_room()
    rig.turn()
    rollout = rig.engine.state.active("web")
    assert rollout is not None, "it was given up while nobody could be heard"
    assert rollout.stage is Stage.PREPARING
    for _ in range(6):
        rig.clock.sleep(2)
        for host in HOSTS:
            rig.say(host, Outcome.DONE)
    (ended,) = rig.engine.state.rollouts.values()
    assert ended.end is End.DONE, ended.reason
    rig.kept()


def test_no_order_goes_out_that_the_log_does_not_hold(rig: EngineRig) -> None:
    rig.do(Deploy("web", "1.0.0", POLICY))
    rig.turn()
    said = {host: rig.broker.waiting(f"noonday.agent.{host}") for host in HOSTS}
    rig.fill()
    for _ in range(5):
        for host in HOSTS:
            rig.say(host, Outcome.DONE)
    assert {host: rig.broker.waiting(f"noonday.agent.{host}") for host in HOSTS} == said
    rig.kept()


def test_a_person_can_not_abort_on_a_full_disk_but_is_told_so_at_once(rig: EngineRig) -> None:
    rig.do(Deploy("web", "1.0.0", POLICY))
    rig.fill()
    with pytest.raises(Temporary, match="go on by themselves once there is room"):
        rig.do(Abort("web", "enough"))
    rig.make_room()
    rig.do(Abort("web", "enough"))


def test_waits_end_again_after_a_single_refusal(rig: EngineRig) -> None:
    rig.do(Deploy("web", "1.0.0", POLICY))
    rig.turn()
    rig.fill()
    with pytest.raises(Temporary):
        rig.do(Enroll("web-3", {}, "key"))
    rig.make_room()
    rig.turn()
    for _ in range(20):
        rig.clock.sleep(5)
        rig.turn()
    (ended,) = rig.engine.state.rollouts.values()
    assert ended.end is End.FAILED
    assert "Not prepared within" in ended.reason
