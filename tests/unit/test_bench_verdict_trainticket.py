"""Rollouts on logs of real requests: what is read, who writes what, and that a fault is the canary's alone."""

from __future__ import annotations

import json
import lzma
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from bench.verdict.day import Day, read_day
from bench.verdict.scenarios import Bar, Scenario
from bench.verdict.trainticket import CANARY, HOSTS, TrainTicket
from bench.verdict.world import NEW, START, Fault, error_kind
from noonday_coordinator.verdict.window import Window
from noonday_shared.errors import BadInput

MINUTES = 50
_WRONG = -6_795_364_578_871_345_152


def written(folder: Path) -> Path:
    """A little day in the data's form: ten requests a minute, a pause after each third minute, and one wrong time."""
    chance = random.Random(1)
    (folder / "trainticket").mkdir()
    with lzma.open(folder / "trainticket" / "day.jsonl.xz", "wt") as file:
        for minute in range(MINUTES):
            begin = 1_700_000_000 + 60 * minute + 300 * (minute // 3)
            for number in range(10):
                at = begin + chance.uniform(0.0, 58.0)
                trace = f"{minute * 10 + number:032x}"
                steps = ["search started", "search done"] + (["seats are low"] if number == 0 else [])
                for step, text in enumerate(steps):
                    row = {
                        "time_ns": _WRONG if minute == 7 and number == 1 else int((at + step / 10) * 1e9),
                        "minute": minute, "trace": trace, "service": "ts-seat-service",
                        "level": "WARN" if "low" in text else "INFO", "message": f"s.Seat#12 {text} for train {number}",
                    }  # fmt: skip
                    file.write(json.dumps(row) + "\n")
    return folder


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Day:
    return read_day(written(tmp_path_factory.mktemp("data")))


def scenario(fault: Fault, **keys: float) -> Scenario:
    plain = Scenario("test", Bar(), lambda _, __: fault, per_minute=11.0, length=120.0)
    return replace(plain, **keys)  # type: ignore[arg-type]


def texts(windows: list[Window], host: str) -> Counter[str]:
    """Records by their text."""
    named = {one.key: one.text for window in windows for one in window.templates}
    found: Counter[str] = Counter()
    for window in windows:
        for key, (records, _) in window.hosts[host].counts.items():
            found[named.get(key, key)] += records
    return found


def test_the_day_has_no_pauses_and_wrong_times_do_not_widen_it(day: Day) -> None:
    assert day.length == 60.0 * MINUTES
    assert len(day.requests) == 10 * MINUTES
    assert all(0 <= request.begin < day.length for request in day.requests)
    assert all(request.seconds < 1.0 for request in day.requests)


def test_no_data_is_said_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="jsonl"):
        read_day(tmp_path)


def test_the_canary_restarts_with_the_new_release_and_the_others_go_on(day: Day) -> None:
    case = TrainTicket(day).case(scenario(Fault()), 1)
    assert {host: seen.release == NEW.id for host, seen in case.windows[0].hosts.items()} == {
        host: host == CANARY for host in HOSTS
    }
    assert case.windows[0].hosts[CANARY].first
    assert all(window.ends <= START for window in case.trial.before)
    assert all(seen.release != NEW.id for window in case.trial.before for seen in window.hosts.values())


def test_every_request_of_the_day_is_counted_once(day: Day) -> None:
    case = TrainTicket(day).case(scenario(Fault()), 1)
    windows = [*case.trial.before, *case.windows]
    seconds = windows[-1].ends - windows[0].ends + 30
    seen = sum(host.requests for window in windows for host in window.hosts.values())
    assert seen == pytest.approx(10 * seconds / 60, rel=0.1)


def test_a_new_error_is_the_canarys_alone_and_begins_with_its_onset(day: Day) -> None:
    fault = Fault("new", kinds=(error_kind(0.9),), onset=60.0)
    case = TrainTicket(day).case(scenario(fault), 1)
    early, late = case.windows[:6], case.windows[6:]
    assert not any("KeyError" in text for text in texts(list(early), CANARY))
    assert any("KeyError" in text for text in texts([*early, *late], CANARY))
    assert not any("KeyError" in text for host in HOSTS[1:] for text in texts(list(case.windows), host))
    assert any(alert.level == "ERROR" for window in late for alert in case.lines(window, CANARY))


def test_two_rollouts_on_the_same_past_do_not_meet(day: Day) -> None:
    ticket = TrainTicket(day)
    first = ticket.case(scenario(Fault()), 1)
    ticket.case(scenario(Fault("new", kinds=(error_kind(0.9),))), 1)
    again = ticket.case(scenario(Fault()), 1)
    assert again.windows == first.windows


def test_another_clock_moves_no_window(day: Day) -> None:
    ticket = TrainTicket(day)
    right, early = ticket.case(scenario(Fault()), 1), ticket.case(scenario(Fault(), skew=300.0), 1)
    for one, other in zip(right.windows, early.windows, strict=True):
        for host, seen in one.hosts.items():
            assert other.hosts[host].counts == seen.counts
            assert (other.hosts[host].seconds, other.hosts[host].age) == pytest.approx((seen.seconds, seen.age))


def test_another_clock_shows_in_what_a_host_says_of_instants(day: Day) -> None:
    fault = Fault("new", kinds=(error_kind(0.9),))
    windows = TrainTicket(day).case(scenario(fault, skew=300.0), 1).windows
    said = next(one.first_seen for window in windows for one in window.templates if "KeyError" in one.text)
    assert START + 300.0 < said <= START + 420.0


def test_half_the_weight_is_about_half_the_requests(day: Day) -> None:
    ticket = TrainTicket(day)

    def share(weight: float) -> float:
        windows = ticket.case(scenario(Fault(), weight=weight), 1).trial.before
        requests = Counter({host: sum(window.hosts[host].requests for window in windows) for host in HOSTS})
        return requests[CANARY] / requests.total()

    assert share(0.5) == pytest.approx(share(1.0) / 2, rel=0.4)
