"""Settle times of the balancers that poll a file or an endpoint, on a clock that stands still."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from noonday_agent.balancers.build import build_balancers
from noonday_agent.balancers.file import FileBalancer
from noonday_agent.balancers.protocol import Balancer
from noonday_agent.config import EndpointBalancer as EndpointSettings
from noonday_agent.config import FileBalancer as FileSettings
from noonday_shared.errors import Permanent, Temporary
from support.fake_clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def polled(tmp_path: Path) -> Path:
    folder = tmp_path / "public"
    folder.mkdir()
    return folder / "health"


def _file(polled: Path, clock: FakeClock, present: Literal["in", "out"] = "in") -> Balancer:
    settings = FileSettings(kind="file", path=polled, present=present, settle=10)
    return build_balancers("web", [settings], polled.parent.parent / "state", clock)[0]


@pytest.mark.parametrize("present", ["in", "out"])
def test_a_file_that_was_turned_settles_after_its_time(
    polled: Path, clock: FakeClock, present: Literal["in", "out"]
) -> None:
    balancer = _file(polled, clock, present)
    balancer.put_back()
    assert polled.exists() is (present == "in")
    assert not balancer.in_service()
    clock.move(10)
    assert balancer.in_service()
    balancer.take_out()
    assert polled.exists() is (present == "out")
    clock.move(9.5)
    assert (balancer.idle(), balancer.in_service(), balancer.state()) == (False, False, "OUT, settling")
    clock.move(0.5)
    assert (balancer.idle(), balancer.state()) == (True, "OUT")


@pytest.mark.parametrize("present", ["in", "out"])
def test_neither_a_repeat_nor_a_restart_begins_the_settle_time_anew(
    polled: Path, clock: FakeClock, present: Literal["in", "out"]
) -> None:
    _file(polled, clock, present).put_back()
    _file(polled, clock, present).take_out()
    for _ in range(4):
        clock.move(2.5)
        _file(polled, clock, present).take_out()
    assert _file(polled, clock, present).idle()


def test_a_file_put_back_by_hand_is_in_at_once_and_has_to_settle_again_when_taken_out(
    polled: Path, clock: FakeClock
) -> None:
    balancer = _file(polled, clock)
    balancer.take_out()
    clock.move(60)
    polled.write_text("by hand")
    assert balancer.in_service()
    assert not balancer.idle()
    balancer.take_out()
    assert not balancer.idle()


def test_a_file_removed_by_hand_settles_from_the_order_on(polled: Path, clock: FakeClock) -> None:
    balancer = _file(polled, clock)
    clock.move(60)
    assert not balancer.idle()
    balancer.take_out()
    clock.move(10)
    assert balancer.idle()


def test_a_crash_between_the_file_and_its_instant_makes_the_settle_time_longer_never_shorter(
    polled: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    balancer = _file(polled, clock)
    balancer.take_out()
    clock.move(60)
    polled.write_text("by hand")
    with monkeypatch.context() as patch:
        patch.setattr(FileBalancer, "_change", _change_and_die)
        with pytest.raises(KeyboardInterrupt):
            balancer.take_out()
    assert not polled.exists()
    assert not balancer.idle()
    balancer.take_out()
    assert not balancer.idle()
    clock.move(10)
    assert balancer.idle()


def _change_and_die(balancer: FileBalancer, *, present: bool) -> None:
    assert not present
    balancer.settings.path.unlink()
    raise KeyboardInterrupt


def test_a_clock_that_is_set_back_is_healed_by_the_next_order(polled: Path, clock: FakeClock) -> None:
    balancer = _file(polled, clock)
    balancer.take_out()
    clock.move(-3600)
    balancer.take_out()
    clock.move(10)
    assert balancer.idle()


def test_a_folder_that_is_missing_is_found_by_the_check(polled: Path, clock: FakeClock) -> None:
    polled.parent.rmdir()
    with pytest.raises(Permanent, match="can't make or remove"):
        _file(polled, clock).check()
    with pytest.raises(Temporary, match=r"file health: .*No such file"):
        _file(polled, clock).put_back()


def test_a_folder_in_the_place_of_the_file_is_found_by_the_check(polled: Path, clock: FakeClock) -> None:
    polled.mkdir()
    with pytest.raises(Permanent, match="can't make or remove"):
        _file(polled, clock).check()


def test_an_endpoint_settles_from_its_marker_also_in_another_process(tmp_path: Path, clock: FakeClock) -> None:
    settings = EndpointSettings(kind="endpoint", listen="127.0.0.1:1", settle=10)

    def again() -> Balancer:
        return build_balancers("web", [settings], tmp_path, clock)[0]

    assert again().state() == "IN"
    again().take_out()
    assert again().state() == "OUT, settling"
    for _ in range(4):
        clock.move(2.5)
        again().take_out()
    assert again().idle()
    again().put_back()
    assert (again().idle(), again().state()) == (False, "IN, settling")


def test_a_marker_that_was_scribbled_on_is_no_answer(tmp_path: Path, clock: FakeClock) -> None:
    settings = EndpointSettings(kind="endpoint", listen="127.0.0.1:1", settle=10)
    balancer = build_balancers("web", [settings], tmp_path, clock)[0]
    balancer.take_out()
    next((tmp_path / "balancers").iterdir()).write_text("maybe")
    with pytest.raises(Temporary, match="neither 'in' nor 'out'"):
        balancer.idle()
